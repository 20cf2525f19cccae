package generate

import (
	"fmt"
	"strings"

	v1 "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// makeSlices makes what a controller (or someone by hand) wrote for the service.
func (m *maker) makeSlices(service *v1.Service) {
	if m.chance(8) {
		return
	}
	families := service.Spec.IPFamilies
	if len(families) == 0 || m.chance(4) {
		families = both
	}
	for _, family := range families {
		known := map[string]discovery.Endpoint{}
		for i := range pick(m.dice, 1, 1, 1, 1, 2, 3) {
			slice := m.slice(service.Namespace, fmt.Sprintf("%s-%s-%d", service.Name, strings.ToLower(string(family)), i))
			slice.Labels[discovery.LabelServiceName] = service.Name
			slice.AddressType = discovery.AddressType(family)
			slice.Ports = m.slicePorts(service)
			m.addEndpoints(slice, family, known)
			for _, name := range []string{"service.kubernetes.io/service-proxy-name", v1.IsHeadlessService} {
				if value, ok := service.Labels[name]; ok {
					slice.Labels[name] = value
				}
			}
			m.scenario.Slices = append(m.scenario.Slices, *slice)
		}
	}
}

func (m *maker) slice(namespace, name string) *discovery.EndpointSlice {
	return &discovery.EndpointSlice{
		TypeMeta:   metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: map[string]string{}},
	}
}

// slicePorts mostly are those of the service, by name; some are missing, unnamed, or meant for others.
func (m *maker) slicePorts(service *v1.Service) []discovery.EndpointPort {
	ports := []discovery.EndpointPort{}
	for _, port := range service.Spec.Ports {
		if m.chance(4) {
			continue
		}
		made := discovery.EndpointPort{Name: ptr(port.Name), Protocol: ptr(protocolOf(port))}
		made.Port = ptr(int32(pick(m.dice, 8080, 8081, int(port.Port), m.between(1, 65535))))
		if port.Name == "" && m.chance(15) {
			made.Name = nil
		}
		if protocolOf(port) == v1.ProtocolTCP && m.chance(8) {
			made.Protocol = nil
		}
		if m.chance(3) {
			made.Port = nil
		}
		if m.chance(4) {
			made.Protocol = ptr(pick(m.dice, v1.ProtocolTCP, v1.ProtocolUDP, v1.ProtocolSCTP))
		}
		ports = append(ports, made)
	}
	if m.chance(6) {
		ports = append(ports, discovery.EndpointPort{Name: ptr("unrelated"), Port: ptr[int32](9999), Protocol: ptr(v1.ProtocolTCP)})
	}
	if m.chance(2) {
		return nil
	}
	return ports
}

// addEndpoints fills a slice. What slices of one service say of the same address has to agree, as kube-proxy
// does not define which of them counts; only a running pod and a terminating one may share an address.
func (m *maker) addEndpoints(slice *discovery.EndpointSlice, family v1.IPFamily, known map[string]discovery.Endpoint) {
	slice.Endpoints = []discovery.Endpoint{}
	hints, state := pick(m.dice, 0, 0, 0, 1, 1, 2, 2, 3, 4), pick(m.dice, 0, 0, 0, 0, 1, 2, 3, 4)
	for range pick(m.dice, 0, 1, 1, 1, 2, 2, 3, 3, 5, 8, 12) {
		address := m.podAddress(family)
		endpoint := m.endpoint(address, hints, state)
		if seen, ok := known[address]; ok {
			endpoint = seen
		}
		known[address] = endpoint
		slice.Endpoints = append(slice.Endpoints, endpoint)
		if m.chance(3) {
			m.addReused(slice, endpoint)
		}
	}
	if len(slice.Endpoints) > 0 && m.chance(5) {
		slice.Endpoints = append(slice.Endpoints, pick(m.dice, slice.Endpoints...))
	}
	// The same pod while it moves from one slice to another.
	if m.chance(8) {
		for _, address := range sorted(known) {
			slice.Endpoints = append(slice.Endpoints, known[address])
			break
		}
	}
}

// addReused adds a terminating pod whose address already went to another.
func (m *maker) addReused(slice *discovery.EndpointSlice, running discovery.Endpoint) {
	if running.Conditions.Terminating != nil && *running.Conditions.Terminating {
		return
	}
	gone := discovery.Endpoint{Addresses: running.Addresses, NodeName: ptr(m.nodeName())}
	gone.Conditions = discovery.EndpointConditions{Ready: ptr(false), Serving: ptr(m.chance(50)), Terminating: ptr(true)}
	if at := m.IntN(len(slice.Endpoints) + 1); m.chance(50) {
		slice.Endpoints = append(slice.Endpoints[:at], append([]discovery.Endpoint{gone}, slice.Endpoints[at:]...)...)
	} else {
		slice.Endpoints = append(slice.Endpoints, gone)
	}
}

func (m *maker) podAddress(family v1.IPFamily) string {
	if family == v1.IPv6Protocol {
		if m.longNames {
			return m.within("2001:db8:1111:2222:3333:4444:5555::/112")
		}
		return m.within(pick(m.dice, "fd00:10:180::/64", "fd00:10:180::/122", "fd00:10:180::/122", "2001:db8:1::/120"))
	}
	return m.within(pick(m.dice, "10.180.0.0/16", "10.180.0.0/26", "10.180.0.0/26", "192.168.10.8/29"))
}

func (m *maker) nodeName() string { return pick(m.dice, m.node.Name, m.node.Name, "node-b", "node-c") }

func (m *maker) endpoint(address string, hints, state int) discovery.Endpoint {
	endpoint := discovery.Endpoint{Addresses: []string{address}, Conditions: m.conditions(state)}
	if m.chance(2) {
		family := v1.IPv4Protocol
		if strings.Contains(address, ":") {
			family = v1.IPv6Protocol
		}
		endpoint.Addresses = append(endpoint.Addresses, m.podAddress(family))
	}
	if m.chance(90) {
		endpoint.NodeName = ptr(m.nodeName())
	}
	if m.chance(70) {
		endpoint.Zone = ptr(pick(m.dice, zones...))
	}
	if m.chance(10) {
		endpoint.Hostname = ptr("pod-0")
	}
	if hints == 1 || hints == 3 || hints == 4 && m.chance(80) {
		endpoint.Hints = &discovery.EndpointHints{}
		for _, zone := range some(m.dice, 1, 3, zones...) {
			endpoint.Hints.ForZones = append(endpoint.Hints.ForZones, discovery.ForZone{Name: zone})
		}
	}
	if m.minor >= 34 && (hints == 2 || hints == 3 && m.chance(90)) {
		if endpoint.Hints == nil {
			endpoint.Hints = &discovery.EndpointHints{}
		}
		for _, node := range some(m.dice, 1, 2, m.node.Name, "node-b", "node-c") {
			endpoint.Hints.ForNodes = append(endpoint.Hints.ForNodes, discovery.ForNode{Name: node})
		}
	}
	return endpoint
}

// conditions are those of a healthy pod, or of a rollout, a shutdown, or a writer that leaves some out.
func (m *maker) conditions(state int) discovery.EndpointConditions {
	ready, serving, terminating := true, true, false
	switch state {
	case 1:
		ready = m.chance(50)
		serving = ready
	case 2:
		terminating = m.chance(60)
		ready, serving = !terminating, m.chance(70) || !terminating
	case 3:
		ready, terminating, serving = false, true, m.chance(60)
	case 4:
		ready, serving, terminating = m.chance(50), m.chance(50), m.chance(50)
	}
	conditions := discovery.EndpointConditions{Ready: &ready, Serving: &serving, Terminating: &terminating}
	if m.chance(15) {
		conditions.Ready = nil
	}
	if m.chance(15) {
		conditions.Serving = nil
	}
	if m.chance(15) {
		conditions.Terminating = nil
	}
	return conditions
}

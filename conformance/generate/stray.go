package generate

import (
	"fmt"
	"slices"

	v1 "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func sorted[T any](of map[string]T) []string {
	keys := make([]string, 0, len(of))
	for key := range of {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// makeStraySlices makes slices that no service is meant by.
func (m *maker) makeStraySlices() {
	if m.chance(10) { // its service is gone
		slice := m.stray("gone")
		slice.Labels[discovery.LabelServiceName] = "gone"
		m.scenario.Slices = append(m.scenario.Slices, *slice)
	}
	if m.chance(10) {
		m.scenario.Slices = append(m.scenario.Slices, *m.stray("nobodys"))
	}
	if m.chance(10) && len(m.scenario.Services) > 0 {
		service := pick(m.dice, m.scenario.Services...)
		slice := m.stray("names")
		slice.Namespace = service.Namespace
		slice.AddressType = discovery.AddressTypeFQDN
		slice.Labels[discovery.LabelServiceName] = service.Name
		slice.Endpoints = []discovery.Endpoint{{Addresses: []string{"pod.example.com"}}}
		m.scenario.Slices = append(m.scenario.Slices, *slice)
	}
}

func (m *maker) stray(name string) *discovery.EndpointSlice {
	slice := m.slice(m.namespace(), name)
	slice.AddressType = discovery.AddressTypeIPv4
	slice.Ports = []discovery.EndpointPort{{Name: ptr(""), Port: ptr[int32](80), Protocol: ptr(v1.ProtocolTCP)}}
	slice.Endpoints = []discovery.Endpoint{m.endpoint(m.podAddress(v1.IPv4Protocol), 0, 0)}
	return slice
}

// makeLargeService makes a service with so many endpoints that kube-proxy leaves comments out: 1,000 or more in
// one family, or just fewer.
func (m *maker) makeLargeService() {
	service := &v1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Name: "huge", Namespace: m.namespace()},
	}
	m.addFamilies(service)
	service.Spec.Ports = []v1.ServicePort{{Port: 80, Protocol: v1.ProtocolTCP}}
	m.scenario.Services = append(m.scenario.Services, *service)
	total := pick(m.dice, 980, 1000, 1100)
	for _, family := range service.Spec.IPFamilies {
		for first := 0; first < total; first += 100 {
			slice := m.slice(service.Namespace, fmt.Sprintf("huge-%s-%d", family, first/100))
			slice.Name = fmt.Sprintf("huge-%d-%d", len(family), first/100)
			if family == v1.IPv6Protocol {
				slice.Name += "-six"
			}
			slice.Labels[discovery.LabelServiceName] = service.Name
			slice.AddressType = discovery.AddressType(family)
			slice.Ports = []discovery.EndpointPort{{Name: ptr(""), Port: ptr[int32](8080), Protocol: ptr(v1.ProtocolTCP)}}
			for i := first; i < min(first+100, total); i++ {
				address := fmt.Sprintf("10.180.%d.%d", 100+i/250, 1+i%250)
				if family == v1.IPv6Protocol {
					address = fmt.Sprintf("fd00:10:180::1:%x", 1+i)
				}
				endpoint := discovery.Endpoint{Addresses: []string{address}, Conditions: m.conditions(0)}
				slice.Endpoints = append(slice.Endpoints, endpoint)
			}
			m.scenario.Slices = append(m.scenario.Slices, *slice)
		}
	}
}

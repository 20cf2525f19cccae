package generate

import (
	"fmt"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

var namespaces = []string{"default", "prod", "kube-system", "a-namespace", "n"}

func ptr[T any](value T) *T { return &value }

// name is the given one, at times made longer.
func (m *maker) name(name string) string {
	if m.longNames && m.chance(70) || m.chance(4) {
		return long(name)
	}
	return name
}

func (m *maker) namespace() string { return m.name(pick(m.dice, namespaces...)) }

// service is a Service as it is stored: with the addresses and node ports that the API server gave it.
func (m *maker) service(index int) *v1.Service {
	service := &v1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: metav1.ObjectMeta{Name: m.name(fmt.Sprintf("svc-%d", index)), Namespace: m.namespace()},
	}
	switch pick(m.dice, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 3, 4) {
	case 0:
		service.Spec.Type = pick(m.dice, v1.ServiceTypeClusterIP, v1.ServiceTypeClusterIP, "")
	case 1:
		service.Spec.Type = v1.ServiceTypeNodePort
	case 2:
		service.Spec.Type = v1.ServiceTypeLoadBalancer
	case 3:
		service.Spec.Type = v1.ServiceTypeExternalName
		service.Spec.ExternalName = "db.example.com"
		m.addPorts(service)
		return service
	case 4:
		service.Spec.Type = v1.ServiceTypeClusterIP
		service.Spec.ClusterIP = v1.ClusterIPNone
	}
	m.addFamilies(service)
	m.addPorts(service)
	m.addLabels(service)
	m.addTraffic(service)
	if service.Spec.ClusterIP == v1.ClusterIPNone {
		return service
	}
	if m.chance(28) {
		service.Spec.ExternalIPs = m.outsideAddresses(service)
	}
	m.addNodePorts(service)
	if service.Spec.Type == v1.ServiceTypeLoadBalancer {
		m.addLoadBalancer(service)
	}
	return service
}

func (m *maker) addFamilies(service *v1.Service) {
	families := pick(m.dice, ipv4, ipv6, both, []v1.IPFamily{v1.IPv6Protocol, v1.IPv4Protocol})
	if len(m.families) == 1 && m.chance(70) {
		families = m.families
	}
	service.Spec.IPFamilies = families
	service.Spec.IPFamilyPolicy = ptr(v1.IPFamilyPolicySingleStack)
	if len(families) == 2 {
		service.Spec.IPFamilyPolicy = ptr(pick(m.dice, v1.IPFamilyPolicyPreferDualStack, v1.IPFamilyPolicyRequireDualStack))
	}
	if service.Spec.ClusterIP == v1.ClusterIPNone {
		service.Spec.ClusterIPs = []string{v1.ClusterIPNone}
		return
	}
	for _, family := range families {
		service.Spec.ClusterIPs = append(service.Spec.ClusterIPs, m.clusterIP(family))
	}
	service.Spec.ClusterIP = service.Spec.ClusterIPs[0]
}

func (m *maker) addPorts(service *v1.Service) {
	count := pick(m.dice, 1, 1, 1, 2, 2, 3, 4)
	seen := map[string]bool{}
	for len(service.Spec.Ports) < count {
		i := len(service.Spec.Ports)
		port := v1.ServicePort{
			Port:     int32(pick(m.dice, 80, 443, 53, 8080, 9090, 1, 65535, m.between(1, 65535))),
			Protocol: pick(m.dice, v1.ProtocolTCP, v1.ProtocolTCP, v1.ProtocolTCP, v1.ProtocolUDP, v1.ProtocolUDP, v1.ProtocolSCTP, ""),
		}
		if i > 0 && m.chance(40) {
			port.Port = service.Spec.Ports[0].Port
		}
		key := fmt.Sprint(port.Port, protocolOf(port))
		if seen[key] {
			continue
		}
		seen[key] = true
		if count > 1 || m.chance(50) {
			port.Name = m.name(fmt.Sprintf("%s%d", pick(m.dice, "p", "p-", "http", "dns"), i))
		}
		switch m.IntN(4) {
		case 0: // by default that of the port
		case 1:
			port.TargetPort = intstr.FromString("http")
		default:
			port.TargetPort = intstr.FromInt32(pick(m.dice, 8080, port.Port))
		}
		if m.chance(5) {
			port.AppProtocol = ptr("kubernetes.io/h2c")
		}
		service.Spec.Ports = append(service.Spec.Ports, port)
	}
}

func (m *maker) addLabels(service *v1.Service) {
	labels := map[string]string{}
	if m.chance(4) {
		labels["service.kubernetes.io/service-proxy-name"] = pick(m.dice, "other", "")
	}
	if m.chance(10) {
		labels["app"] = "web"
	}
	if service.Spec.ClusterIP == v1.ClusterIPNone && m.chance(90) || m.chance(2) {
		labels[v1.IsHeadlessService] = ""
	}
	if len(labels) > 0 {
		service.Labels = labels
	}
	if m.chance(5) {
		service.Annotations = map[string]string{v1.AnnotationTopologyMode: pick(m.dice, "Auto", "Disabled")}
	}
	if m.chance(60) {
		service.Spec.Selector = map[string]string{"app": service.Name}
	}
}

// addTraffic says how traffic is shared out among the endpoints.
func (m *maker) addTraffic(service *v1.Service) {
	if m.chance(25) {
		service.Spec.SessionAffinity = v1.ServiceAffinityClientIP
		if m.chance(70) {
			timeout := int32(pick(m.dice, 1, 60, 10800, 86400, m.between(1, 86400)))
			service.Spec.SessionAffinityConfig = &v1.SessionAffinityConfig{ClientIP: &v1.ClientIPConfig{TimeoutSeconds: &timeout}}
		}
	} else if m.chance(10) {
		service.Spec.SessionAffinity = v1.ServiceAffinityNone
	}
	if m.chance(25) {
		service.Spec.InternalTrafficPolicy = ptr(pick(m.dice, v1.ServiceInternalTrafficPolicyLocal,
			v1.ServiceInternalTrafficPolicyLocal, v1.ServiceInternalTrafficPolicyCluster))
	}
	if m.chance(25) {
		distributions := []string{v1.ServiceTrafficDistributionPreferClose}
		if m.minor >= 35 {
			distributions = append(distributions, "PreferSameZone", "PreferSameNode")
		}
		service.Spec.TrafficDistribution = ptr(pick(m.dice, distributions...))
	}
	if m.chance(5) {
		service.Spec.PublishNotReadyAddresses = true
	}
}

// outsideAddresses are some that lead to the cluster: of one family or both, at times a node's own or shared
// with other services.
func (m *maker) outsideAddresses(service *v1.Service) []string {
	var addresses []string
	for range m.between(1, 3) {
		address := pick(m.dice, "198.51.100.1", "198.51.100.2", "2001:db8:f::1", m.within(publicIPv4), m.within(publicIPv6))
		if m.chance(6) {
			address = pick(m.dice, "192.168.10.11", "2001:db8:1::b", "203.0.113.7")
		}
		if m.claim(service, address) {
			addresses = append(addresses, address)
		}
	}
	return addresses
}

func (m *maker) addNodePorts(service *v1.Service) {
	spec := &service.Spec
	outside := spec.Type == v1.ServiceTypeNodePort || spec.Type == v1.ServiceTypeLoadBalancer
	if outside && m.chance(45) || !outside && len(spec.ExternalIPs) > 0 && m.chance(30) {
		spec.ExternalTrafficPolicy = pick(m.dice, v1.ServiceExternalTrafficPolicyLocal,
			v1.ServiceExternalTrafficPolicyLocal, v1.ServiceExternalTrafficPolicyCluster)
	}
	if !outside {
		return
	}
	if spec.Type == v1.ServiceTypeLoadBalancer && m.chance(20) {
		spec.AllocateLoadBalancerNodePorts = ptr(false)
		return
	}
	for i := range spec.Ports {
		port := &spec.Ports[i]
		port.NodePort = m.nodePort(protocolOf(*port))
		// One number for TCP and UDP is what people ask for with DNS.
		if i == 0 || !m.chance(30) || protocolOf(*port) == protocolOf(spec.Ports[0]) {
			continue
		}
		if key := fmt.Sprintf("%s %d", protocolOf(*port), spec.Ports[0].NodePort); !m.taken.nodePorts[key] {
			m.taken.nodePorts[key] = true
			port.NodePort = spec.Ports[0].NodePort
		}
	}
}

func (m *maker) addLoadBalancer(service *v1.Service) {
	spec := &service.Spec
	if spec.ExternalTrafficPolicy == v1.ServiceExternalTrafficPolicyLocal {
		spec.HealthCheckNodePort = m.nodePort(v1.ProtocolTCP)
	}
	if m.chance(40) {
		spec.LoadBalancerSourceRanges = some(m.dice, 1, 4, "10.0.0.0/8", " 172.16.0.0/12", "192.168.0.0/16",
			"192.168.10.11/32", "203.0.113.0/24", "198.51.100.0/24 ", "2001:db8:2::/48",
			"fd00::/8", "2001:db8:1::/64", "2001:db8:9::/48 ", "0.0.0.0/0", "::/0")
	}
	if m.chance(10) {
		spec.LoadBalancerClass = ptr("example.com/lb")
	}
	if m.chance(15) {
		return // no balancer has come yet
	}
	for _, address := range m.outsideAddresses(service) {
		ingress := v1.LoadBalancerIngress{IP: address}
		if m.chance(30) {
			ingress.IPMode = ptr(pick(m.dice, v1.LoadBalancerIPModeVIP, v1.LoadBalancerIPModeProxy))
		}
		service.Status.LoadBalancer.Ingress = append(service.Status.LoadBalancer.Ingress, ingress)
	}
	if m.chance(12) {
		named := v1.LoadBalancerIngress{Hostname: "lb.example.com"}
		service.Status.LoadBalancer.Ingress = append(service.Status.LoadBalancer.Ingress, named)
	}
	if len(spec.ExternalIPs) > 0 && m.chance(8) {
		shared := v1.LoadBalancerIngress{IP: spec.ExternalIPs[0]}
		service.Status.LoadBalancer.Ingress = append(service.Status.LoadBalancer.Ingress, shared)
	}
}

package generate

import (
	"fmt"

	v1 "k8s.io/api/core/v1"
)

// taken is what only one Service of a cluster can have: the kernel refuses rules for two.
type taken struct {
	clusterIPs   map[string]bool
	destinations map[string]string
	nodePorts    map[string]bool
}

func newTaken() taken {
	return taken{clusterIPs: map[string]bool{}, destinations: map[string]string{}, nodePorts: map[string]bool{}}
}

// clusterIP is a free one.
func (m *maker) clusterIP(family v1.IPFamily) string {
	prefix := clusterIPv4
	if family == v1.IPv6Protocol {
		prefix = clusterIPv6
	}
	for {
		ip := m.within(prefix)
		if !m.taken.clusterIPs[ip] {
			m.taken.clusterIPs[ip] = true
			return ip
		}
	}
}

// claim takes a destination for all ports of the service, unless another service has one of them.
func (m *maker) claim(service *v1.Service, ip string) bool {
	owner := service.Namespace + "/" + service.Name
	var wanted []string
	for _, port := range service.Spec.Ports {
		key := fmt.Sprintf("%s %d %s", ip, port.Port, protocolOf(port))
		if other, ok := m.taken.destinations[key]; ok && other != owner {
			return false
		}
		wanted = append(wanted, key)
	}
	for _, key := range wanted {
		m.taken.destinations[key] = owner
	}
	return true
}

// nodePort is a free one for the protocol. Another protocol's port of the same number may be taken on purpose.
func (m *maker) nodePort(protocol v1.Protocol) int32 {
	for {
		port := int32(m.between(30000, 30040))
		if m.chance(30) {
			port = int32(m.between(30000, 32767))
		}
		key := fmt.Sprintf("%s %d", protocol, port)
		if !m.taken.nodePorts[key] {
			m.taken.nodePorts[key] = true
			return port
		}
	}
}

func protocolOf(port v1.ServicePort) v1.Protocol {
	if port.Protocol == "" {
		return v1.ProtocolTCP
	}
	return port.Protocol
}

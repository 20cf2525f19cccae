package generate

import (
	"rulegen/conformance/scenario"
)

// Where things are: pods, nodes, and clients outside.
const (
	podsIPv4    = "10.180.0.0/16"
	podsIPv6    = "fd00:10:180::/64"
	clusterIPv4 = "10.96.0.0/16"
	clusterIPv6 = "fd00:10:96::/112"
	publicIPv4  = "198.51.100.0/24"
	publicIPv6  = "2001:db8:1:f::/64"
)

// bothPodCIDRs are the node's own parts of the pods' networks.
var bothPodCIDRs = []string{"10.180.0.0/24", "fd00:10:180::/80"}

var zones = []string{"zone-a", "zone-b", "zone-c"}

func (m *maker) makeNode() {
	name := pick(m.dice, "node-a", "node-a", "ip-192-168-10-11.eu-central-1.compute.internal")
	m.node = scenario.Node{
		Name:                  name,
		Labels:                map[string]string{"kubernetes.io/hostname": name},
		IPs:                   []string{},
		PodCIDRs:              bothPodCIDRs,
		Interfaces:            m.interfaces(),
		ConntrackTCPBeLiberal: m.chance(20),
		NFAcct:                m.chance(35),
	}
	if m.chance(92) {
		m.node.Labels["topology.kubernetes.io/zone"] = pick(m.dice, "zone-a", "zone-a", "zone-a", "zone-b", "")
	}
	switch m.IntN(12) {
	case 0: // a node that has no address yet
	case 1:
		m.node.IPs = []string{"192.168.10.11"}
	case 2:
		m.node.IPs = []string{"2001:db8:1::b"}
	case 3, 4:
		m.node.IPs = []string{"2001:db8:1::b", "192.168.10.11"}
	case 5: // the first of a family counts
		m.node.IPs = []string{"192.168.10.12", "192.168.10.11", "2001:db8:1::b"}
	default:
		m.node.IPs = []string{"192.168.10.11", "2001:db8:1::b"}
	}
	if m.chance(15) {
		m.node.PodCIDRs = pick(m.dice, bothPodCIDRs[:1], bothPodCIDRs[1:], nil)
	}
}

func (m *maker) interfaces() map[string][]string {
	devices := map[string][]string{
		"lo":   {"127.0.0.1/8", "::1/128"},
		"eth0": {"192.168.10.11/24", "192.168.10.12/24", "2001:db8:1::b/64"},
	}
	if m.chance(60) {
		devices["eth1"] = []string{"10.11.12.13/16"}
	}
	if m.chance(25) {
		devices["eth0"] = append(devices["eth0"], "fe80::10/64")
	}
	if m.chance(15) {
		devices["eth2"] = []string{"203.0.113.7/32", "2001:db8:7::7/128"}
	}
	if m.chance(15) {
		devices["lo"] = append(devices["lo"], "127.0.0.53/8", "192.0.2.9/32")
	}
	if m.chance(10) {
		devices["cbr0"] = []string{"10.180.0.1/24", "fd00:10:180::1/80"}
	}
	if m.chance(5) {
		devices["eth0"] = []string{"192.168.10.11/24"}
	}
	if m.chance(5) {
		devices["eth0"] = []string{"2001:db8:1::b/64"}
	}
	return devices
}

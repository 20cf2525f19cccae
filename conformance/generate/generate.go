// Package generate makes scenarios: random, but such as an API server and kube-proxy accept.
package generate

import (
	"encoding/json"
	"fmt"

	v1 "k8s.io/api/core/v1"
	"rulegen/conformance/scenario"
	"rulegen/conformance/valid"
)

// Mode names of kube-proxy.
const (
	IPTables = "iptables"
	IPVS     = "ipvs"
	NFTables = "nftables"
)

// maker has what the parts of one scenario share.
type maker struct {
	dice
	mode     string
	minor    int
	families []v1.IPFamily
	node     scenario.Node
	taken    taken
	// longNames is whether names are as long as they can be: those of chains and sets, and comments, are cut.
	longNames bool
	scenario  *scenario.Scenario
}

// Scenario is the one of that seed and index, for Kubernetes 1.minor: always the same, and valid.
func Scenario(seed uint64, index int, mode string, minor int) (*scenario.Scenario, error) {
	m := &maker{dice: newDice(seed, index), mode: mode, minor: minor, taken: newTaken()}
	m.longNames = m.chance(8)
	m.families = pick(m.dice, ipv4, ipv4, ipv6, both, both, both)
	m.scenario = &scenario.Scenario{
		Name:     fmt.Sprintf("g%d-%05d-%s", seed, index, mode),
		Version:  fmt.Sprintf("1.%d", minor),
		Mode:     mode,
		Families: m.families,
	}
	m.makeNode()
	config, err := json.Marshal(m.config())
	if err != nil {
		return nil, err
	}
	m.scenario.Config, m.scenario.Node = config, m.node
	m.makeObjects()
	if mode == NFTables && m.chance(30) {
		m.scenario.ServiceCIDRs = m.serviceCIDRs()
	}
	if err := valid.Objects(m.scenario); err != nil {
		return nil, fmt.Errorf("scenario %s is not valid: %w", m.scenario.Name, err)
	}
	return m.scenario, nil
}

var (
	ipv4 = []v1.IPFamily{v1.IPv4Protocol}
	ipv6 = []v1.IPFamily{v1.IPv6Protocol}
	both = []v1.IPFamily{v1.IPv4Protocol, v1.IPv6Protocol}
)

// makeObjects makes the services, their slices, and what else lies about in clusters.
func (m *maker) makeObjects() {
	count := pick(m.dice, 0, 1, 1, 1, 2, 2, 3, 4, 4, 6, 9, 15)
	for i := range count {
		service := m.service(i)
		m.scenario.Services = append(m.scenario.Services, *service)
		m.makeSlices(service)
	}
	if m.mode == IPTables && m.chance(2) {
		m.makeLargeService()
	}
	m.makeStraySlices()
	if m.chance(10) {
		m.Shuffle(len(m.scenario.Slices), func(i, j int) {
			s := m.scenario.Slices
			s[i], s[j] = s[j], s[i]
		})
	}
}

func (m *maker) serviceCIDRs() map[v1.IPFamily][]string {
	cidrs := map[v1.IPFamily][]string{}
	if m.chance(90) {
		cidrs[v1.IPv4Protocol] = some(m.dice, 1, 2, "10.96.0.0/12", "172.30.0.0/16")
	}
	if m.chance(90) {
		cidrs[v1.IPv6Protocol] = some(m.dice, 1, 2, "fd00:10:96::/112", "fd00:10:97::/108")
	}
	return cidrs
}

package record

import (
	"errors"
	"net"
	"slices"

	"k8s.io/kubernetes/pkg/proxy/util/nfacct"
	"rulegen/conformance/scenario"
)

const sysctlTCPBeLiberal = "net/netfilter/nf_conntrack_tcp_be_liberal"

// kernel is the machine's sysctls. All start as 0.
type kernel map[string]int

func newKernel(node *scenario.Node) kernel {
	if node.ConntrackTCPBeLiberal {
		return kernel{sysctlTCPBeLiberal: 1}
	}
	return kernel{}
}

func (k kernel) GetSysctl(name string) (int, error) { return k[name], nil }

func (k kernel) SetSysctl(name string, value int) error {
	k[name] = value
	return nil
}

// network is the machine's addresses.
type network []net.Addr

func newNetwork(node *scenario.Node) (network, error) {
	var addresses network
	for _, device := range devices(node) {
		for _, text := range node.Interfaces[device] {
			ip, prefix, err := net.ParseCIDR(text)
			if err != nil {
				return nil, err
			}
			addresses = append(addresses, &net.IPNet{IP: ip, Mask: prefix.Mask})
		}
	}
	return addresses, nil
}

func (n network) InterfaceAddrs() ([]net.Addr, error) { return n, nil }

func devices(node *scenario.Node) []string {
	names := make([]string, 0, len(node.Interfaces))
	for name := range node.Interfaces {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// counters is whether the machine has nfacct.
type counters bool

var errNoCounters = errors.New("no nfacct")

func (c counters) Ensure(string) error {
	if !c {
		return errNoCounters
	}
	return nil
}

func (c counters) Add(name string) error { return c.Ensure(name) }

func (c counters) Get(name string) (*nfacct.Counter, error) {
	return &nfacct.Counter{Name: name}, c.Ensure(name)
}

func (c counters) List() ([]*nfacct.Counter, error) { return nil, c.Ensure("") }

package record

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/cmd/kube-proxy/app"
	"k8s.io/kubernetes/pkg/proxy/ipvs"
	testipset "k8s.io/kubernetes/pkg/proxy/ipvs/ipset/testing"
	testlinks "k8s.io/kubernetes/pkg/proxy/ipvs/testing"
	testipvs "k8s.io/kubernetes/pkg/proxy/ipvs/util/testing"
	"rulegen/conformance/scenario"
)

// ipsetVersion is one that the proxier accepts.
const ipsetVersion = "7.0"

// servers is a fake IPVS that also takes timeouts.
type servers struct{ *testipvs.FakeIPVS }

func (servers) ConfigureTimeouts(time.Duration, time.Duration, time.Duration) error { return nil }

func newIPVS(ctx context.Context, s *scenario.Scenario, prepared *app.Prepared, family v1.IPFamily) (*instrument, error) {
	links := testlinks.NewFakeNetlinkHandle(family == v1.IPv6Protocol)
	for _, device := range devices(&s.Node) {
		var bare []string
		for _, text := range s.Node.Interfaces[device] {
			prefix, err := netip.ParsePrefix(text)
			if err != nil {
				return nil, err
			}
			bare = append(bare, prefix.Addr().String())
		}
		if err := links.SetLocalAddresses(device, bare...); err != nil {
			return nil, err
		}
	}
	kept, sets, virtual := newTables(family), testipset.NewFake(ipsetVersion), servers{testipvs.NewFake()}
	proxier, err := IPVS(ctx, s, prepared, family, kept, virtual, sets, links)
	if err != nil {
		return nil, err
	}
	programmed := func() (*scenario.Expected, error) {
		expected, err := kept.programmed()
		if err != nil {
			return nil, err
		}
		expected.Virtual = virtualServers(virtual.FakeIPVS)
		expected.IPSets, expected.SetTypes = ipsets(sets)
		if expected.Dummy, err = links.ListBindAddress(ipvs.DummyDevice); err != nil {
			return nil, err
		}
		slices.Sort(expected.Dummy)
		// The proxier's own goroutine lives on and holds the fake: leave it nothing.
		*virtual.FakeIPVS = *testipvs.NewFake()
		return expected, nil
	}
	return &instrument{Proxier: proxier, programmed: programmed}, nil
}

func virtualServers(fake *testipvs.FakeIPVS) []string {
	lines := []string{}
	for key, server := range fake.Services {
		reals := []string{}
		for _, real := range fake.Destinations[key] {
			reals = append(reals, fmt.Sprintf("%s w=%d", real, real.Weight))
		}
		slices.Sort(reals)
		address := net.JoinHostPort(server.Address.String(), fmt.Sprint(server.Port))
		lines = append(lines, fmt.Sprintf("%s %s sched=%s flags=%d timeout=%d -> [%s]",
			server.Protocol, address, server.Scheduler, server.Flags, server.Timeout, strings.Join(reals, ", ")))
	}
	slices.Sort(lines)
	return lines
}

func ipsets(fake *testipset.FakeIPSet) (map[string][]string, map[string]string) {
	entries, types := map[string][]string{}, map[string]string{}
	for name, set := range fake.Sets {
		entries[name] = fake.Entries[name].List()
		types[name] = fmt.Sprintf("%s %s", set.SetType, set.HashFamily)
	}
	return entries, types
}

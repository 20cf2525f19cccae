package timing

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/sets"
	utilipset "k8s.io/kubernetes/pkg/proxy/ipvs/ipset"
	utilipvs "k8s.io/kubernetes/pkg/proxy/ipvs/util"
	utiliptables "k8s.io/kubernetes/pkg/util/iptables"
	"sigs.k8s.io/knftables"
)

// written counts what a proxier wrote: bytes of text, and calls for single things, as IPVS and ipset take them.
type written struct {
	Bytes int `json:"bytes"`
	Calls int `json:"calls,omitempty"`
	// Text is what iptables-restore was given, where texts are kept.
	Text string `json:"text,omitempty"`
	keep bool
}

func (w *written) take() written {
	taken := *w
	*w = written{keep: w.keep}
	return taken
}

// tables takes any text and holds none, so that its listings are empty.
type tables struct {
	utiliptables.Interface
	*written
}

func (t tables) EnsureChain(utiliptables.Table, utiliptables.Chain) (bool, error) { return true, nil }

func (t tables) EnsureRule(utiliptables.RulePosition, utiliptables.Table, utiliptables.Chain, ...string) (bool, error) {
	return true, nil
}

func (t tables) DeleteChain(utiliptables.Table, utiliptables.Chain) error           { return nil }
func (t tables) DeleteRule(utiliptables.Table, utiliptables.Chain, ...string) error { return nil }
func (t tables) HasRandomFully() bool                                               { return true } // asked up to 1.36
func (t tables) IsIPv6() bool                                                       { return false }
func (t tables) Protocol() utiliptables.Protocol                                    { return utiliptables.ProtocolIPv4 }
func (t tables) SaveInto(utiliptables.Table, *bytes.Buffer) error                   { return nil }

func (t tables) RestoreAll(data []byte, _ utiliptables.FlushFlag, _ utiliptables.RestoreCountersFlag) error {
	t.Bytes += len(data)
	if t.keep {
		t.Text += string(data)
	}
	return nil
}

func (t tables) Monitor(utiliptables.Chain, []utiliptables.Table, func(), time.Duration, <-chan struct{}) {
}

// table is an nft that renders transactions, as the real one does, and holds nothing.
type table struct {
	*knftables.Fake
	*written
}

func (t table) Run(_ context.Context, tx *knftables.Transaction) error {
	t.Bytes += len(tx.String())
	return nil
}

// servers is an IPVS in maps.
type servers struct {
	*written
	virtual map[string]*utilipvs.VirtualServer
	real    map[string]map[string]*utilipvs.RealServer
}

func newServers(w *written) servers {
	return servers{w, map[string]*utilipvs.VirtualServer{}, map[string]map[string]*utilipvs.RealServer{}}
}

func (s servers) Flush() error { return nil }

func (s servers) AddVirtualServer(server *utilipvs.VirtualServer) error {
	s.Calls++
	key := server.String()
	s.virtual[key], s.real[key] = server, map[string]*utilipvs.RealServer{}
	return nil
}

func (s servers) UpdateVirtualServer(server *utilipvs.VirtualServer) error {
	s.Calls++
	s.virtual[server.String()] = server
	return nil
}

func (s servers) DeleteVirtualServer(server *utilipvs.VirtualServer) error {
	s.Calls++
	delete(s.virtual, server.String())
	delete(s.real, server.String())
	return nil
}

func (s servers) GetVirtualServer(server *utilipvs.VirtualServer) (*utilipvs.VirtualServer, error) {
	if found := s.virtual[server.String()]; found != nil {
		return found, nil
	}
	return nil, fmt.Errorf("no virtual server %s", server)
}

func (s servers) GetVirtualServers() ([]*utilipvs.VirtualServer, error) {
	all := make([]*utilipvs.VirtualServer, 0, len(s.virtual))
	for _, server := range s.virtual {
		all = append(all, server)
	}
	return all, nil
}

func (s servers) AddRealServer(server *utilipvs.VirtualServer, real *utilipvs.RealServer) error {
	s.Calls++
	s.real[server.String()][real.String()] = real
	return nil
}

func (s servers) GetRealServers(server *utilipvs.VirtualServer) ([]*utilipvs.RealServer, error) {
	reals := s.real[server.String()]
	all := make([]*utilipvs.RealServer, 0, len(reals))
	for _, real := range reals {
		all = append(all, real)
	}
	return all, nil
}

func (s servers) DeleteRealServer(server *utilipvs.VirtualServer, real *utilipvs.RealServer) error {
	s.Calls++
	delete(s.real[server.String()], real.String())
	return nil
}

func (s servers) UpdateRealServer(server *utilipvs.VirtualServer, real *utilipvs.RealServer) error {
	return s.AddRealServer(server, real)
}

func (s servers) ConfigureTimeouts(time.Duration, time.Duration, time.Duration) error { return nil }

// entries is an ipset in maps.
type entries struct {
	utilipset.Interface
	*written
	sets map[string]sets.Set[string]
}

func newEntries(w *written) entries { return entries{written: w, sets: map[string]sets.Set[string]{}} }

func (e entries) GetVersion() (string, error) { return "7.0", nil }

func (e entries) CreateSet(set *utilipset.IPSet, _ bool) error {
	if e.sets[set.Name] == nil {
		e.sets[set.Name] = sets.New[string]()
	}
	return nil
}

func (e entries) AddEntry(entry string, set *utilipset.IPSet, _ bool) error {
	e.Calls++
	e.sets[set.Name].Insert(entry)
	return nil
}

func (e entries) DelEntry(entry string, set string) error {
	e.Calls++
	e.sets[set].Delete(entry)
	return nil
}

func (e entries) ListEntries(set string) ([]string, error) { return e.sets[set].UnsortedList(), nil }

// links is one dummy device, on a machine that has one address besides.
type links struct {
	*written
	bound sets.Set[string]
}

func newLinks(w *written) links { return links{w, sets.New[string]()} }

func (l links) EnsureAddressBind(address, _ string) (bool, error) {
	if l.bound.Has(address) {
		return true, nil
	}
	l.Calls++
	l.bound.Insert(address)
	return false, nil
}

func (l links) UnbindAddress(address, _ string) error {
	l.Calls++
	l.bound.Delete(address)
	return nil
}

func (l links) EnsureDummyDevice(string) (bool, error)             { return true, nil }
func (l links) DeleteDummyDevice(string) error                     { return nil }
func (l links) ListBindAddress(string) ([]string, error)           { return l.bound.UnsortedList(), nil }
func (l links) GetAllLocalAddresses() (sets.Set[string], error)    { return l.bound.Clone(), nil }
func (l links) GetLocalAddresses(string) (sets.Set[string], error) { return l.bound.Clone(), nil }
func (l links) GetAllLocalAddressesExcept(string) (sets.Set[string], error) {
	return sets.New(nodeIP), nil
}

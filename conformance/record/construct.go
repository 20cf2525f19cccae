//go:build kube1_37

package record

import (
	"context"

	v1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/cmd/kube-proxy/app"
	"k8s.io/kubernetes/pkg/proxy/iptables"
	"k8s.io/kubernetes/pkg/proxy/ipvs"
	utilipset "k8s.io/kubernetes/pkg/proxy/ipvs/ipset"
	utilipvs "k8s.io/kubernetes/pkg/proxy/ipvs/util"
	"k8s.io/kubernetes/pkg/proxy/nftables"
	utiliptables "k8s.io/kubernetes/pkg/util/iptables"
	"rulegen/conformance/scenario"
	"sigs.k8s.io/knftables"
)

// IPTables is an iptables proxier on the machine of the scenario.
func IPTables(ctx context.Context, s *scenario.Scenario, prepared *app.Prepared, family v1.IPFamily,
	tables utiliptables.Interface,
) (Proxier, error) {
	addresses, err := newNetwork(&s.Node)
	if err != nil {
		return nil, err
	}
	proxier, err := iptables.NewProxier(ctx, prepared.Config, family, tables, newKernel(&s.Node),
		prepared.LocalDetectors[family], s.Node.Name, prepared.NodeIPs[family], nil, nil, false)
	if err != nil {
		return nil, err
	}
	proxier.Detach(addresses, counters(s.Node.NFAcct))
	return proxier, nil
}

// IPVS is an IPVS proxier on the machine of the scenario.
func IPVS(ctx context.Context, s *scenario.Scenario, prepared *app.Prepared, family v1.IPFamily,
	tables utiliptables.Interface, servers utilipvs.Interface, sets utilipset.Interface, links ipvs.NetLinkHandle,
) (Proxier, error) {
	addresses, err := newNetwork(&s.Node)
	if err != nil {
		return nil, err
	}
	proxier, err := ipvs.NewProxier(ctx, prepared.Config, family, tables, servers, sets, newKernel(&s.Node),
		prepared.LocalDetectors[family], s.Node.Name, prepared.NodeIPs[family], nil, nil, false)
	if err != nil {
		return nil, err
	}
	proxier.Detach(addresses, links)
	return proxier, nil
}

// NFTables is an nftables proxier on the machine of the scenario, with the nft that table gives it.
func NFTables(ctx context.Context, s *scenario.Scenario, prepared *app.Prepared, family v1.IPFamily,
	table func(family knftables.Family, name string) knftables.Interface,
) (Proxier, error) {
	addresses, err := newNetwork(&s.Node)
	if err != nil {
		return nil, err
	}
	nftables.NewInterface = table
	proxier, err := nftables.NewProxier(ctx, prepared.Config, family, prepared.LocalDetectors[family],
		s.Node.Name, prepared.NodeIPs[family], nil, nil, false)
	if err != nil {
		return nil, err
	}
	proxier.Detach(addresses)
	return proxier, nil
}

package nftables

import (
	v1 "k8s.io/api/core/v1"
	"sigs.k8s.io/knftables"
)

// NewInterface gives a new proxier its nft. It has to be set before the first one is made.
var NewInterface func(family knftables.Family, table string) knftables.Interface

func getNFTablesInterface(ipFamily v1.IPFamily) (knftables.Interface, error) {
	if ipFamily == v1.IPv6Protocol {
		return NewInterface(knftables.IPv6Family, kubeProxyTable), nil
	}
	return NewInterface(knftables.IPv4Family, kubeProxyTable), nil
}

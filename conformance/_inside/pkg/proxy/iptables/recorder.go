package iptables

import (
	"k8s.io/kubernetes/pkg/proxy/conntrack"
	"k8s.io/kubernetes/pkg/proxy/healthcheck"
	proxyutil "k8s.io/kubernetes/pkg/proxy/util"
	"k8s.io/kubernetes/pkg/proxy/util/nfacct"
)

// Detach replaces what reaches for the machine: its addresses, nfacct, conntrack and health check ports.
func (proxier *Proxier) Detach(network proxyutil.NetworkInterfacer, counters nfacct.Interface) {
	nfacct.Close(proxier.nfacct)
	proxier.networkInterfacer = network
	proxier.nfacct = counters
	proxier.conntrack = conntrack.NewFake()
	proxier.serviceHealthServer = healthcheck.NewFakeServiceHealthServer()
}

// SyncNow does what the sync loop would do next.
func (proxier *Proxier) SyncNow() {
	proxier.syncProxyRules()
}

// WantFullSync makes the next sync a full one.
func (proxier *Proxier) WantFullSync() {
	proxier.mu.Lock()
	defer proxier.mu.Unlock()
	proxier.needFullSync = true
}

package nftables

import (
	"k8s.io/kubernetes/pkg/proxy/conntrack"
	"k8s.io/kubernetes/pkg/proxy/healthcheck"
	proxyutil "k8s.io/kubernetes/pkg/proxy/util"
)

// Detach replaces what reaches for the machine: its addresses, conntrack, health check ports and listeners.
func (proxier *Proxier) Detach(network proxyutil.NetworkInterfacer) {
	proxier.networkInterfacer = network
	proxier.conntrack = conntrack.NewFake()
	proxier.serviceHealthServer = healthcheck.NewFakeServiceHealthServer()
	proxier.detachListeners()
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

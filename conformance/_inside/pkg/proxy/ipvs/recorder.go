package ipvs

import (
	"k8s.io/kubernetes/pkg/proxy/conntrack"
	"k8s.io/kubernetes/pkg/proxy/healthcheck"
	proxyutil "k8s.io/kubernetes/pkg/proxy/util"
)

// DummyDevice is the device that Service addresses are bound to.
const DummyDevice = defaultDummyDevice

// Detach replaces what reaches for the machine: its addresses, devices, conntrack and health check ports.
func (proxier *Proxier) Detach(network proxyutil.NetworkInterfacer, links NetLinkHandle) {
	proxier.networkInterfacer = network
	proxier.netlinkHandle = links
	proxier.conntrack = conntrack.NewFake()
	proxier.serviceHealthServer = healthcheck.NewFakeServiceHealthServer()
}

// SyncNow does what the sync loop would do next.
func (proxier *Proxier) SyncNow() {
	proxier.syncProxyRules()
}

// WantFullSync is here for a common form: every sync of this proxier is a full one.
func (proxier *Proxier) WantFullSync() {}

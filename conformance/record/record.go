// Package record runs the proxiers of a Kubernetes release over scenarios and keeps what they program.
package record

import (
	"context"
	"fmt"

	v1 "k8s.io/api/core/v1"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/cmd/kube-proxy/app"
	apiservice "k8s.io/kubernetes/pkg/apis/core/v1"
	apislice "k8s.io/kubernetes/pkg/apis/discovery/v1"
	"k8s.io/kubernetes/pkg/proxy"
	"rulegen/conformance/scenario"
)

// Proxier is a proxier of one family that touches nothing outside this process.
type Proxier interface {
	proxy.Provider
	// SyncNow does what the sync loop would do next.
	SyncNow()
	// WantFullSync makes the next sync a full one.
	WantFullSync()
}

// instrument is a Proxier with what it programmed.
type instrument struct {
	Proxier
	programmed func() (*scenario.Expected, error)
}

var makers = map[string]func(context.Context, *scenario.Scenario, *app.Prepared, v1.IPFamily) (*instrument, error){
	"iptables": newIPTables,
	"ipvs":     newIPVS,
	"nftables": newNFTables,
}

var defaultFeatures = utilfeature.DefaultMutableFeatureGate.DeepCopy()

// Record is what a new proxier of each of the scenario's families programs in its first sync.
func Record(ctx context.Context, s *scenario.Scenario) (map[v1.IPFamily]*scenario.Expected, error) {
	prepared, err := Prepare(ctx, s)
	if err != nil {
		return nil, err
	}
	recorded := map[v1.IPFamily]*scenario.Expected{}
	for _, family := range s.Families {
		proxier, err := makers[s.Mode](ctx, s, prepared, family)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", family, err)
		}
		feed(proxier, s)
		if recorded[family], err = proxier.programmed(); err != nil {
			return nil, fmt.Errorf("%s: %w", family, err)
		}
	}
	return recorded, nil
}

// Prepare starts the server as far as its proxier, with the feature gates of this scenario alone.
func Prepare(ctx context.Context, s *scenario.Scenario) (*app.Prepared, error) {
	if makers[s.Mode] == nil {
		return nil, fmt.Errorf("mode %q is not one of iptables, ipvs, nftables", s.Mode)
	}
	utilfeature.DefaultMutableFeatureGate = defaultFeatures.DeepCopy()
	utilfeature.DefaultFeatureGate = utilfeature.DefaultMutableFeatureGate
	prepared, err := app.Prepare(ctx, s.Config, s.Node.Object())
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	if string(prepared.Config.Mode) != s.Mode {
		return nil, fmt.Errorf("config: mode %q, but the scenario's is %q", prepared.Config.Mode, s.Mode)
	}
	return prepared, nil
}

// feed is what the informers do at the start: everything there is, then the word that this was all, which
// makes the proxier sync for the first time.
func feed(proxier Proxier, s *scenario.Scenario) {
	Feed(proxier, s)
	proxier.OnServiceSynced()
	proxier.OnEndpointSlicesSynced()
}

// Feed is everything that the informers have, without the word that this was all.
func Feed(proxier Proxier, s *scenario.Scenario) {
	feedNode(proxier, s.Node.Object())
	for i := range s.Services {
		service := s.Services[i].DeepCopy()
		apiservice.SetObjectDefaults_Service(service)
		if selectsService(service) {
			proxier.OnServiceAdd(service)
		}
	}
	for i := range s.Slices {
		slice := s.Slices[i].DeepCopy()
		apislice.SetObjectDefaults_EndpointSlice(slice)
		if selectsSlice(slice) {
			proxier.OnEndpointSliceAdd(slice)
		}
	}
	if s.ServiceCIDRs != nil {
		cidrs := append([]string(nil), s.ServiceCIDRs[v1.IPv4Protocol]...)
		proxier.OnServiceCIDRsChanged(append(cidrs, s.ServiceCIDRs[v1.IPv6Protocol]...))
	}
}

// Quiet is a context whose logger keeps nothing.
func Quiet(ctx context.Context) context.Context {
	return klog.NewContext(ctx, klog.Logger{})
}

package app

import (
	"context"
	"fmt"
	"net"

	v1 "k8s.io/api/core/v1"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/klog/v2"
	kubeproxyconfig "k8s.io/kubernetes/pkg/proxy/apis/config"
	"k8s.io/kubernetes/pkg/proxy/apis/config/validation"
	proxyutil "k8s.io/kubernetes/pkg/proxy/util"
	utilnode "k8s.io/kubernetes/pkg/util/node"
)

// Prepared is what the server has at hand when it builds its proxier.
type Prepared struct {
	Config         *kubeproxyconfig.KubeProxyConfiguration
	NodeIPs        map[v1.IPFamily]net.IP
	LocalDetectors map[v1.IPFamily]proxyutil.LocalTrafficDetector
}

// Prepare takes the server's own way from a configuration file and a Node to its proxier: decoding with
// defaults, the platform's defaults, feature gates, validation, node IPs, nodePortAddresses keywords and
// local traffic detectors. The feature gates stay as they are afterwards.
func Prepare(ctx context.Context, configuration []byte, node *v1.Node) (*Prepared, error) {
	options := NewOptions()
	options.logger = klog.FromContext(ctx)
	config, err := options.loadConfig(configuration)
	if err != nil {
		return nil, err
	}
	options.platformApplyDefaults(config)
	if err := utilfeature.DefaultMutableFeatureGate.SetFromMap(config.FeatureGates); err != nil {
		return nil, err
	}
	options.config = config
	if errs := validation.Validate(config); len(errs) != 0 {
		return nil, errs.ToAggregate()
	}

	// An error says that the Node has no address yet, and the server goes on without.
	nodeIPs, _ := utilnode.GetNodeHostIPs(node)
	server := &ProxyServer{Config: config, NodeName: node.Name, podCIDRs: node.Spec.PodCIDRs}
	if config.DetectLocalMode == kubeproxyconfig.LocalModeNodeCIDR && len(server.podCIDRs) == 0 {
		return nil, fmt.Errorf("node %s has no podCIDRs: kube-proxy would wait for them and give up", node.Name)
	}
	server.PrimaryIPFamily, server.NodeIPs = detectNodeIPs(ctx, nodeIPs, config.BindAddress)
	server.completeForRecorder()
	if err, fatal := checkBadIPConfig(server, true); fatal {
		return nil, err
	}
	logger := klog.FromContext(ctx)
	return &Prepared{
		Config:         config,
		NodeIPs:        server.NodeIPs,
		LocalDetectors: getLocalDetectors(logger, server.PrimaryIPFamily, config, server.podCIDRs),
	}, nil
}

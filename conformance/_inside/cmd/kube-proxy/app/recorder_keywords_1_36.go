//go:build !kube1_37

package app

import (
	v1 "k8s.io/api/core/v1"
	kubeproxyconfig "k8s.io/kubernetes/pkg/proxy/apis/config"
)

// completeForRecorder finishes the configuration with what is known of the node. The server does this in the
// middle of a longer function here.
func (s *ProxyServer) completeForRecorder() {
	addresses := s.Config.NodePortAddresses
	if len(addresses) != 1 || addresses[0] != kubeproxyconfig.NodePortAddressesPrimary {
		return
	}
	s.Config.NodePortAddresses = nil
	for family, length := range map[v1.IPFamily]string{v1.IPv4Protocol: "/32", v1.IPv6Protocol: "/128"} {
		if ip := s.NodeIPs[family]; ip != nil && !ip.IsLoopback() {
			s.Config.NodePortAddresses = append(s.Config.NodePortAddresses, ip.String()+length)
		}
	}
}

//go:build kube1_37

package app

// completeForRecorder finishes the configuration with what is known of the node.
func (s *ProxyServer) completeForRecorder() {
	s.Config.NodePortAddresses = expandNodePortAddressKeywords(s.Config.NodePortAddresses, s.NodeIPs)
}

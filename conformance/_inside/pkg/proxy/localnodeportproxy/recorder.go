//go:build kube1_37

package localnodeportproxy

// Detach keeps the proxy from listening: the name it is given is not one that can be looked up.
func (p *LocalNodePortProxy) Detach() {
	p.listenIP = "no address"
}

//go:build kube1_37

package nftables

func (proxier *Proxier) detachListeners() {
	if proxier.localhostNodePortProxy != nil {
		proxier.localhostNodePortProxy.Detach()
	}
}

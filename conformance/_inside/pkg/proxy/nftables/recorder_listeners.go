package nftables

func (proxier *Proxier) detachListeners() {
	if proxier.localhostNodePortProxy != nil {
		proxier.localhostNodePortProxy.Detach()
	}
}

//go:build !kube1_37

package nftables

// detachListeners has nothing to do: localhost NodePorts came with 1.37.
func (proxier *Proxier) detachListeners() {}

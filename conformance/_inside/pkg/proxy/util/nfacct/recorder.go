package nfacct

// Close gives back the socket of a runner that New made; others have none.
func Close(counters Interface) {
	made, ok := counters.(*runner)
	if !ok {
		return
	}
	if netlink, ok := made.handler.(*netlinkHandler); ok {
		netlink.socket.Close()
	}
}

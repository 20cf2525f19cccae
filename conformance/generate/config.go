package generate

type object = map[string]any

// config is a KubeProxyConfiguration as people write them, with few fields.
func (m *maker) config() object {
	config := object{
		"apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
		"kind":       "KubeProxyConfiguration",
		"mode":       m.mode,
	}
	m.configLocalTraffic(config)
	m.configMasquerading(config)
	if addresses := m.nodePortAddresses(); addresses != nil {
		config["nodePortAddresses"] = addresses
	}
	if m.chance(12) {
		config["bindAddress"] = pick(m.dice, "0.0.0.0", "::", "192.168.10.12", "10.11.12.13", "2001:db8:1::b",
			"2001:db8:1::c", "127.0.0.1")
	}
	if m.chance(35) && m.mode == IPVS {
		section(config, "ipvs")["scheduler"] = pick(m.dice, "rr", "lc", "dh", "sh", "sed", "nq", "wrr", "wlc",
			"lblc", "lblcr", "mh", "fo", "ovf")
	}
	if m.chance(20) && m.mode == IPVS {
		section(config, "ipvs")["strictARP"] = m.chance(80)
	}
	if m.chance(15) && m.mode == IPVS {
		section(config, "ipvs")["excludeCIDRs"] = some(m.dice, 1, 2, "203.0.113.0/24", "10.96.0.0/16", "2001:db8::/32")
	}
	if m.chance(10) && m.mode == IPVS {
		section(config, "ipvs")["tcpTimeout"] = pick(m.dice, "0s", "15m", "1h30m")
		section(config, "ipvs")["udpTimeout"] = pick(m.dice, "5m0s", "300ms")
	}
	if m.chance(15) && m.minor >= 37 {
		section(config, "featureGates")["AllowServiceExternalIPs"] = m.chance(25)
	}
	if m.chance(25) && m.minor >= 37 && m.mode == NFTables {
		section(config, "featureGates")["KubeProxyNFTablesLocalhostNodePorts"] = m.chance(85)
	}
	if m.chance(10) {
		section(config, "conntrack")["maxPerCore"] = 0
		config["metricsBindAddress"] = "127.0.0.1:10249"
	}
	return config
}

func section(config object, name string) object {
	if config[name] == nil {
		config[name] = object{}
	}
	return config[name].(object)
}

func (m *maker) configLocalTraffic(config object) {
	if m.chance(65) {
		config["clusterCIDR"] = pick(m.dice, podsIPv4+","+podsIPv6, podsIPv4+","+podsIPv6, podsIPv6+","+podsIPv4,
			podsIPv4, podsIPv6)
	}
	switch m.IntN(8) {
	case 0:
		config["detectLocalMode"] = "NodeCIDR"
		// kube-proxy does not start where the pods have no addresses of the node's first family.
		m.node.PodCIDRs = pick(m.dice, bothPodCIDRs, []string{bothPodCIDRs[1], bothPodCIDRs[0]})
	case 1:
		config["detectLocalMode"] = "BridgeInterface"
		config["detectLocal"] = object{"bridgeInterface": pick(m.dice, "cbr0", "cni0", "docker0")}
	case 2:
		config["detectLocalMode"] = "InterfaceNamePrefix"
		config["detectLocal"] = object{"interfaceNamePrefix": pick(m.dice, "veth", "cali", "lxc_", "eni")}
	case 3:
		config["detectLocalMode"] = "ClusterCIDR"
	case 4:
		config["detectLocalMode"] = ""
	}
}

// configMasquerading also writes into the sections of other modes, which must not count.
func (m *maker) configMasquerading(config object) {
	names := []string{m.mode}
	if m.mode == IPVS {
		names = []string{IPTables}
	}
	if m.chance(15) {
		names = append(names, pick(m.dice, IPTables, NFTables))
	}
	for _, name := range names {
		if m.chance(25) {
			section(config, name)["masqueradeAll"] = m.chance(85)
		}
		if m.chance(25) {
			section(config, name)["masqueradeBit"] = pick(m.dice, 0, 1, 7, 13, 14, 15, 16, 30, 31)
		}
	}
	if m.chance(40) {
		section(config, IPTables)["localhostNodePorts"] = m.chance(50)
	}
}

func (m *maker) nodePortAddresses() []string {
	if m.chance(45) {
		return nil
	}
	choices := []string{
		"0.0.0.0/0", "::/0", "127.0.0.0/8", "127.0.0.1/32", "::1/128", "192.168.10.11/32", "192.168.10.0/24",
		"192.168.10.11/24", "192.168.0.0/16", "10.11.0.0/16", "203.0.113.7/32", "172.16.0.0/12", "2001:db8:1::/64",
		"2001:db8::/32", "2001:db8:1::b/128", "2001:DB8:7::/48", "fe80::/10",
	}
	if m.minor >= 37 {
		choices = append(choices, "primary", "localhost", "all")
	} else if m.chance(30) {
		return []string{"primary"}
	}
	if m.minor >= 37 && m.chance(25) {
		return some(m.dice, 1, 3, "primary", "localhost", "all", "127.0.0.0/8", "192.168.0.0/16")
	}
	return some(m.dice, 0, 4, choices...)
}

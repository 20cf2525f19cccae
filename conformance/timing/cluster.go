package timing

import (
	"encoding/json"
	"fmt"

	v1 "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"rulegen/conformance/scenario"
)

const (
	nodeIP = "192.168.10.11"
	// perSlice is how many endpoints the endpointslice controller puts into one slice.
	perSlice = 100
)

func ptr[T any](value T) *T { return &value }

// Cluster has services of one TCP port each, all with as many ready endpoints, one in ten of them on the node.
func Cluster(services, endpoints int, mode string) *scenario.Scenario {
	config := fmt.Sprintf(`{"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",`+
		`"mode": %q, "clusterCIDR": "11.0.0.0/8"}`, mode)
	s := &scenario.Scenario{
		Name:     fmt.Sprintf("%d-services-of-%d", services, endpoints),
		Mode:     mode,
		Families: []v1.IPFamily{v1.IPv4Protocol},
		Config:   json.RawMessage(config),
		Node: scenario.Node{
			Name: "node-0", IPs: []string{nodeIP}, PodCIDRs: []string{"11.0.0.0/24"},
			Interfaces: map[string][]string{"lo": {"127.0.0.1/8"}, "eth0": {nodeIP + "/24"}},
		},
	}
	for i := range services {
		s.Services = append(s.Services, service(i))
		for first := 0; first < endpoints; first += perSlice {
			s.Slices = append(s.Slices, slice(i, first, min(perSlice, endpoints-first), endpoints))
		}
	}
	return s
}

func service(i int) v1.Service {
	ip := fmt.Sprintf("10.%d.%d.%d", 96+i>>16, i>>8&255, i&255)
	return v1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("svc-%d", i), Namespace: "default"},
		Spec: v1.ServiceSpec{
			Type: v1.ServiceTypeClusterIP, ClusterIP: ip, ClusterIPs: []string{ip},
			IPFamilies: []v1.IPFamily{v1.IPv4Protocol}, IPFamilyPolicy: ptr(v1.IPFamilyPolicySingleStack),
			Ports: []v1.ServicePort{{Name: "http", Port: 80, Protocol: v1.ProtocolTCP}},
		},
	}
}

func slice(i, first, count, endpoints int) discovery.EndpointSlice {
	s := discovery.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("svc-%d-%d", i, first/perSlice), Namespace: "default",
			Labels: map[string]string{discovery.LabelServiceName: fmt.Sprintf("svc-%d", i)},
		},
		AddressType: discovery.AddressTypeIPv4,
		Ports:       []discovery.EndpointPort{{Name: ptr("http"), Port: ptr[int32](8080), Protocol: ptr(v1.ProtocolTCP)}},
	}
	for j := first; j < first+count; j++ {
		s.Endpoints = append(s.Endpoints, endpoint(i*endpoints+j))
	}
	return s
}

func endpoint(number int) discovery.Endpoint {
	return discovery.Endpoint{
		Addresses:  []string{fmt.Sprintf("11.%d.%d.%d", number>>16&255, number>>8&255, number&255)},
		Conditions: discovery.EndpointConditions{Ready: ptr(true), Serving: ptr(true), Terminating: ptr(false)},
		NodeName:   ptr(fmt.Sprintf("node-%d", number%10)),
	}
}

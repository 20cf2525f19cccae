//go:build !kube1_36

package record

import (
	v1 "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	"k8s.io/kubernetes/pkg/proxy/apis"
)

// selected is whether an object has neither of the two labels that keep it from kube-proxy.
func selected(labels map[string]string) bool {
	_, other := labels[apis.LabelServiceProxyName]
	_, headless := labels[v1.IsHeadlessService]
	return !other && !headless
}

// selectsService is whether kube-proxy's informer for Services has this one.
func selectsService(service *v1.Service) bool {
	return selected(service.Labels) && service.Spec.ClusterIP != v1.ClusterIPNone
}

// selectsSlice is whether kube-proxy's informer for EndpointSlices has this one.
func selectsSlice(slice *discovery.EndpointSlice) bool { return selected(slice.Labels) }

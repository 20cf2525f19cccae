//go:build kube1_36

package record

import (
	v1 "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	"k8s.io/kubernetes/pkg/proxy/apis"
)

// selectsService is whether kube-proxy's informer for Services has this one: no other proxy's, not headless.
func selectsService(service *v1.Service) bool {
	_, other := service.Labels[apis.LabelServiceProxyName]
	return !other && service.Spec.ClusterIP != v1.ClusterIPNone
}

// selectsSlice is whether kube-proxy's informer for EndpointSlices has this one.
func selectsSlice(slice *discovery.EndpointSlice) bool {
	_, headless := slice.Labels[v1.IsHeadlessService]
	return !headless
}

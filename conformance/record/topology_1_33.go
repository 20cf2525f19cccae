//go:build !kube1_34

package record

import v1 "k8s.io/api/core/v1"

// feedNode hands over the labels that endpoint choice depends on.
func feedNode(proxier Proxier, node *v1.Node) { proxier.OnNodeAdd(node) }

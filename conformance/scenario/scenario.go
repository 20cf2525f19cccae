// Package scenario has the forms of recorded behaviour: what a kube-proxy met, and what it made of it.
package scenario

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	v1 "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Scenario is one node with its configuration and the objects that its kube-proxy sees.
type Scenario struct {
	Name         string                    `json:"name"`
	Version      string                    `json:"version"`
	Mode         string                    `json:"mode"`
	Families     []v1.IPFamily             `json:"families"`
	Config       json.RawMessage           `json:"config"`
	Node         Node                      `json:"node"`
	Services     []v1.Service              `json:"services"`
	Slices       []discovery.EndpointSlice `json:"slices"`
	ServiceCIDRs map[v1.IPFamily][]string  `json:"serviceCIDRs,omitempty"`
}

// Node has what is known of the machine, beside the Node object.
type Node struct {
	Name     string            `json:"name"`
	IPs      []string          `json:"ips"`
	Labels   map[string]string `json:"labels"`
	PodCIDRs []string          `json:"podCIDRs"`
	// Interfaces maps a device to its addresses with prefix.
	Interfaces map[string][]string `json:"interfaces"`
	// ConntrackTCPBeLiberal is whether the sysctl of that name is set.
	ConntrackTCPBeLiberal bool `json:"conntrackTCPBeLiberal"`
	// NFAcct is whether nfacct counters can be made.
	NFAcct bool `json:"nfacct"`
}

// Object is the Node object of the cluster.
func (n *Node) Object() *v1.Node {
	node := &v1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: n.Name, Labels: n.Labels, UID: types.UID(n.Name)},
		Spec:       v1.NodeSpec{PodCIDRs: n.PodCIDRs},
	}
	for _, ip := range n.IPs {
		address := v1.NodeAddress{Type: v1.NodeInternalIP, Address: ip}
		node.Status.Addresses = append(node.Status.Addresses, address)
	}
	return node
}

// Expected is what the proxier of one family programmed in its first sync. Which fields there are depends
// on the mode.
type Expected struct {
	Restore  string              `json:"restore,omitempty"`
	Jumps    []string            `json:"jumps,omitempty"`
	Virtual  []string            `json:"virtual,omitempty"`
	IPSets   map[string][]string `json:"ipsets,omitempty"`
	SetTypes map[string]string   `json:"setTypes,omitempty"`
	Dummy    []string            `json:"dummy,omitempty"`
	NFT      string              `json:"nft,omitempty"`
}

// Case is a scenario as it was read, with what was recorded, or why it was not.
type Case struct {
	Scenario json.RawMessage           `json:"scenario"`
	Expected map[v1.IPFamily]*Expected `json:"expected,omitempty"`
	Error    string                    `json:"error,omitempty"`
}

// Each calls f with every line of input, which holds one scenario, or a case whose scenario counts.
func Each(input io.Reader, f func(raw json.RawMessage, parsed *Scenario) error) error {
	lines := bufio.NewReaderSize(input, 1<<20)
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			if failed := one(line, f); failed != nil {
				return fmt.Errorf("line %d: %w", number, failed)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func one(line []byte, f func(json.RawMessage, *Scenario) error) error {
	var wrapped Case
	if err := json.Unmarshal(line, &wrapped); err != nil {
		return err
	}
	raw := wrapped.Scenario
	if raw == nil {
		raw = line
	}
	parsed := &Scenario{}
	if err := json.Unmarshal(raw, parsed); err != nil {
		return err
	}
	if err := f(raw, parsed); err != nil {
		return fmt.Errorf("scenario %s: %w", parsed.Name, err)
	}
	return nil
}

package record

import (
	"context"
	"errors"
	"fmt"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/cmd/kube-proxy/app"
	utiliptables "k8s.io/kubernetes/pkg/util/iptables"
	testiptables "k8s.io/kubernetes/pkg/util/iptables/testing"
	"rulegen/conformance/scenario"
)

// tables is an iptables that keeps what it is told. Behind it is a fake that refuses what is not consistent.
type tables struct {
	utiliptables.Interface
	jumps    []string
	restores []string
	failed   error
}

func newTables(family v1.IPFamily) *tables {
	if family == v1.IPv6Protocol {
		return &tables{Interface: testiptables.NewIPv6Fake()}
	}
	return &tables{Interface: testiptables.NewFake()}
}

func (t *tables) EnsureChain(table utiliptables.Table, chain utiliptables.Chain) (bool, error) {
	t.jumps = append(t.jumps, fmt.Sprintf("%s -N %s", table, chain))
	exists, err := t.Interface.EnsureChain(table, chain)
	t.failed = errors.Join(t.failed, err)
	return exists, err
}

func (t *tables) EnsureRule(position utiliptables.RulePosition, table utiliptables.Table, chain utiliptables.Chain, args ...string) (bool, error) {
	quoted := make([]string, len(args))
	for i, arg := range args {
		if quoted[i] = arg; strings.Contains(arg, " ") {
			quoted[i] = `"` + arg + `"`
		}
	}
	t.jumps = append(t.jumps, fmt.Sprintf("%s %s %s %s", table, position, chain, strings.Join(quoted, " ")))
	exists, err := t.Interface.EnsureRule(position, table, chain, quoted...)
	t.failed = errors.Join(t.failed, err)
	return exists, err
}

func (t *tables) RestoreAll(data []byte, flush utiliptables.FlushFlag, counters utiliptables.RestoreCountersFlag) error {
	t.restores = append(t.restores, string(data))
	err := t.Interface.RestoreAll(data, flush, counters)
	t.failed = errors.Join(t.failed, err)
	return err
}

// HasRandomFully is asked up to 1.36; iptables has it since 1.6.2.
func (t *tables) HasRandomFully() bool { return true }

// programmed is what one sync wrote.
func (t *tables) programmed() (*scenario.Expected, error) {
	if t.failed != nil {
		return nil, t.failed
	}
	if len(t.restores) != 1 {
		return nil, fmt.Errorf("one sync ran iptables-restore %d times", len(t.restores))
	}
	return &scenario.Expected{Restore: t.restores[0], Jumps: t.jumps}, nil
}

func newIPTables(ctx context.Context, s *scenario.Scenario, prepared *app.Prepared, family v1.IPFamily) (*instrument, error) {
	kept := newTables(family)
	proxier, err := IPTables(ctx, s, prepared, family, kept)
	return &instrument{Proxier: proxier, programmed: kept.programmed}, err
}

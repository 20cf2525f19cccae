package record

import (
	"context"
	"errors"

	v1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/cmd/kube-proxy/app"
	"rulegen/conformance/scenario"
	"sigs.k8s.io/knftables"
)

// table is a fake nft that remembers what it refused.
type table struct {
	*knftables.Fake
	failed error
}

func (t *table) Run(ctx context.Context, tx *knftables.Transaction) error {
	err := t.Fake.Run(ctx, tx)
	t.failed = errors.Join(t.failed, err)
	return err
}

func newNFTables(ctx context.Context, s *scenario.Scenario, prepared *app.Prepared, family v1.IPFamily) (*instrument, error) {
	kept := &table{}
	proxier, err := NFTables(ctx, s, prepared, family, func(family knftables.Family, name string) knftables.Interface {
		kept.Fake = knftables.NewFake(family, name)
		return kept
	})
	programmed := func() (*scenario.Expected, error) {
		return &scenario.Expected{NFT: kept.Dump()}, kept.failed
	}
	return &instrument{Proxier: proxier, programmed: programmed}, err
}

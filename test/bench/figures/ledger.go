package main

import (
	"context"
	"fmt"

	"github.com/keyturn/keyturn/test/bench/ledger"
)

// ledgerFigures says what an append to the ledger costs. A batch has 100 entries, and
// the stores are in memory. The log of 10^7 is simulated.
func ledgerFigures(ctx context.Context) error {
	for _, c := range []struct {
		name string
		size int64
		cost func(context.Context, int64) (ledger.Cost, error)
	}{{"1e3", 1e3, ledger.Measured}, {"1e5", 1e5, ledger.Measured}, {"1e7", 1e7, ledger.Simulated}} {
		cost, err := c.cost(ctx, c.size)
		if err != nil {
			return err
		}
		figure("ledger_puts_per_batch_"+c.name, fmt.Sprintf("%.1f", cost.Puts), "puts")
		figure("ledger_gets_per_batch_"+c.name, fmt.Sprintf("%.1f", cost.Gets), "gets")
		if c.name == "1e5" {
			figure("ledger_appends_per_second", fmt.Sprintf("%.0f", cost.Rate), "entries")
			figure("ledger_bytes_per_entry", fmt.Sprintf("%.0f", cost.Bytes), "B")
			figure("ledger_locked_bytes_per_entry", fmt.Sprintf("%.0f", cost.Locked), "B")
		}
	}
	return nil
}

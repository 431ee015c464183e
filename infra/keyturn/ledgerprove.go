package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/shared/ledger"
)

func (a *app) ledgerProve() *cobra.Command {
	var l ledgerFlags
	entry := int64(-1)
	c := &cobra.Command{
		Use:   "prove DIR | s3://BUCKET/PREFIX --entry INDEX",
		Short: "Write a proof that one entry is in the ledger",
		Long: `Write a proof that one entry is in the ledger, with the entry in it, to stdout
(c2sp.org/tlog-proof). Who has it and the key needs no access to the ledger:
keyturn ledger verify --proof FILE checks it, and so do other people's tools. It
is about the ledger as of its latest checkpoint, and holds for good.

INDEX counts from 0. Exit codes: 0 written, 1 could not be read, 2 usage, 5 not
as it was signed. It does not prove the rest of the ledger: that is verify.`,
		Example: `  keyturn ledger prove s3://keyturn-ledger/log --key ledger.pub --entry 41
  keyturn ledger prove ./copy --key ledger.pub --entry 0 > proof.txt`,
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case len(args) != 1:
				return usage("which ledger?", c.CommandPath()+" DIR --entry INDEX")
			case entry < 0:
				return usage("which entry?", c.CommandPath()+" "+args[0]+" --entry INDEX, from 0")
			}
			return nil
		},
	}
	c.Flags().Int64Var(&entry, "entry", -1, "`INDEX` of the entry")
	a.ledgerFlags(c, &l)
	return command(c, func(c *cobra.Command, args []string) error {
		return a.proveEntry(c.Context(), args[0], entry, l)
	})
}

func (a *app) proveEntry(ctx context.Context, where string, index int64, l ledgerFlags) error {
	v, err := a.verifier(l)
	if err != nil {
		return err
	}
	store, end, err := a.openLedger(ctx, where)
	if err != nil {
		return err
	}
	defer end()
	checkpoint, err := ledger.Latest(ctx, store, v)
	if errors.Is(err, ledger.ErrNoLog) {
		return failed(typeLedger, "there is no checkpoint in "+where, "check the path: checkpoint/ is below it")
	}
	if err != nil {
		return ledgerFailure(ctx, err)
	}
	proof, err := ledger.Prove(ctx, store, checkpoint, index)
	if errors.Is(err, ledger.ErrNoEntry) {
		return usage(fmt.Sprintf("there is no entry %d: there are %d, counted from 0", index, checkpoint.Tree.N), "keyturn ledger prove --help")
	}
	if err != nil {
		return ledgerFailure(ctx, err)
	}
	// A bad tile may be found by its hash only, so what is given away is checked.
	if _, err := ledger.CheckProof(proof, v); err != nil {
		return tampered(err.Error())
	}
	if a.flags.json {
		a.printJSON(map[string]any{"version": 1, "index": index, "proof": string(proof)})
		return nil
	}
	_, err = a.out.Write(proof)
	return err
}

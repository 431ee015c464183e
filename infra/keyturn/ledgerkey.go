package main

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/infra/access"
	signer "github.com/keyturn/keyturn/shared/ledger/kms"
)

func (a *app) ledgerKey() *cobra.Command {
	c := &cobra.Command{
		Use:   "key",
		Short: "Print the key that verifies the ledger",
		Long: `Print the key that verifies the ledger, as keyturn ledger verify takes it with
--key, and as other tools for signed notes do. It is public. Keep it outside of
the account: who verifies must not ask AWS which key is right.`,
		Example: `  keyturn ledger key > ledger.key`,
		Args:    noArgs,
	}
	a.awsFlags(c)
	return command(c, func(c *cobra.Command, _ []string) error { return a.runLedgerKey(c.Context()) })
}

func (a *app) runLedgerKey(ctx context.Context) error {
	where, err := a.placeFor("")
	if err != nil {
		return err
	}
	file, err := a.keysFile()
	if err != nil {
		return err
	}
	site, err := access.New(file, where)
	if err != nil {
		return failed(typeConfig, err.Error(), "keyturn validate")
	}
	aws, err := a.connect(ctx)
	if err != nil {
		return err
	}
	key, err := signer.New(kms.NewFromConfig(aws.cfg), site.LedgerAlias()).VerifierKey(ctx, site.LedgerOrigin())
	if err != nil {
		return failed(typeAWS, "the key "+site.LedgerAlias()+" cannot be read: "+err.Error(), "deploy first", "whoever reads it needs the managed policy "+site.Name()+"-auditor")
	}
	if a.flags.json {
		a.printJSON(map[string]string{"key": key})
		return nil
	}
	a.say("%s", key)
	return nil
}

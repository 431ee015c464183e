package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/infra/access"
	"github.com/keyturn/keyturn/shared/iam"
)

func (a *app) permissions() *cobra.Command {
	c := &cobra.Command{
		Use:   "permissions WHOSE",
		Short: "The least IAM policy for people and CI, to give to somebody",
		Long: `The least IAM policy for people and CI, as a JSON document on stdout:

  deploy     who deploys: take the roles of the CDK's bootstrap, and preflight
  operate    who operates: look, rotate, pause, make a first key, adopt
  execution  CloudFormation's execution role, for the CDK's bootstrap:
             cdk bootstrap --cloudformation-execution-policies ARN
  execution-networks  its second policy, where vendor accounts have networks:
             cdk bootstrap --cloudformation-execution-policies ARN,ARN

And what the owner of another account has to add to policies of his own, where
the keys' file names something of his:

  trail-bucket       to the policy of the trail's bucket (audit.trail.bucket)
  trail-key          to the policy of its KMS key (audit.trail.kmsKey)
  checkpoint-bucket  to the policy of the bucket of the ledger's checkpoints
                     (audit.checkpoints.bucket)

It is made for one account and Region: the environment in the keys' file, or
else --region and --account. AWS is not asked.`,
		Example: `  keyturn permissions deploy
  keyturn permissions operate --environment prod > operate.json
  keyturn permissions trail-bucket --environment prod`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 1 {
				return nil
			}
			return usage("whose permissions?", permissionCommands(c.CommandPath()+" ")...)
		},
		ValidArgs: permissionCommands(""),
	}
	var account string
	f := c.Flags()
	f.StringVar(&account, "account", "", "AWS account, of 12 `DIGITS` (else the environment's)")
	f.StringVar(&a.flags.region, "region", "", "AWS `REGION` (else the environment's, or AWS_REGION)")
	f.StringVar(&a.flags.environment, "environment", "", "`NAME` in the keys' file (KEYTURN_ENVIRONMENT; else the only one)")
	a.configFlag(c)
	return command(c, func(_ *cobra.Command, args []string) error { return a.runPermissions(args[0], account) })
}

func (a *app) runPermissions(whose, account string) error {
	i := slices.IndexFunc(permissionDocuments(), func(d permissionDocument) bool { return d.name == whose })
	if i < 0 {
		return usage(fmt.Sprintf("there are no permissions for %q", whose), permissionCommands("keyturn permissions ")...)
	}
	wanted := permissionDocuments()[i]
	f, err := a.keysFile()
	if err != nil {
		return err
	}
	env, err := a.placeFor(account)
	if err != nil {
		return err
	}
	site, err := access.New(f, env)
	if err != nil {
		return failed(typeConfig, err.Error(), "see all that is wrong: keyturn validate")
	}
	document, err := wanted.build(site)
	if err != nil {
		return failed(typeConfig, err.Error(), "see all that is wrong: keyturn validate")
	}
	if wanted.of != "" && len(document.Statement) == 0 {
		return failed(typeConfig, "the keys' file has no "+wanted.of, "nothing of another account is needed; or write it there first")
	}
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(document)
}

// permissionDocument is one that can be printed.
type permissionDocument struct {
	name  string
	build func(*access.Site) (iam.Document, error)
	of    string // field of the keys' file, without which there is nothing to print
}

func permissionDocuments() []permissionDocument {
	return []permissionDocument{
		{"deploy", (*access.Site).Deploy, ""},
		{"operate", (*access.Site).Operate, ""},
		{"execution", (*access.Site).Execution, ""},
		{"execution-networks", (*access.Site).ExecutionNetworks, ""},
		{"trail-bucket", (*access.Site).TrailBucket, "audit.trail"},
		{"trail-key", (*access.Site).TrailKey, "audit.trail.kmsKey"},
		{"checkpoint-bucket", (*access.Site).CheckpointBucket, "audit.checkpoints"},
	}
}

// permissionCommands are the names of the documents, each after before.
func permissionCommands(before string) []string {
	var all []string
	for _, d := range permissionDocuments() {
		all = append(all, before+d.name)
	}
	return all
}

// placeFor is the environment, or what the flags say in its place.
func (a *app) placeFor(account string) (access.Environment, error) {
	where, err := a.place()
	if err != nil {
		return access.Environment{}, err
	}
	out := access.Environment{Account: where.Account, Region: where.Region}
	if account != "" {
		out.Account = account
	}
	if region := a.setting(a.flags.region, "AWS_REGION", ""); a.flags.region != "" || out.Region == "" {
		out.Region = region
	}
	if where.name != "" && (out.Account != where.Account || out.Region != where.Region) {
		return out, failed(typePlace, fmt.Sprintf("the environment %s is %s in %s", where.name, where.Account, where.Region), "leave --account and --region away", "choose the environment: --environment NAME")
	}
	if out.Account == "" || out.Region == "" {
		return out, usage("for which account and Region?", "name an environment in the keys' file", "or say: --account 123456789012 --region us-east-1")
	}
	return out, nil
}

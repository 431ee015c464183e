package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"github.com/keyturn/keyturn/shared/awserror"
	"github.com/keyturn/keyturn/shared/bucket"
	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/ledger/directory"
	s3store "github.com/keyturn/keyturn/shared/ledger/s3"
)

// exitTampered says that something is not as it was signed.
const exitTampered = 5

const (
	typeTampered = "Tampered"
	typeLedger   = "Ledger" // it could not be read
)

func (a *app) ledger() *cobra.Command {
	c := &cobra.Command{
		Use:   "ledger COMMAND",
		Short: "Prove what the ledger says",
		Long: `Prove what the ledger says: that no entry was changed, removed, put in between
or cut off. The ledger is a Merkle log (c2sp.org/tlog-tiles) whose checkpoints
are signed notes, so that other people's tools can check them too.`,
		Example: `  keyturn ledger verify s3://ledger/ --key "$KEY" --against mailed.txt
  keyturn ledger prove ./copy --key "$KEY" --entry 41 > proof.txt`,
		Args: noArgs,
	}
	c.AddCommand(a.ledgerVerify(), a.ledgerProve(), a.ledgerKey())
	return command(c, func(*cobra.Command, []string) error {
		return usage("which command?", "keyturn ledger --help")
	})
}

// ledgerFlags are those of both commands.
type ledgerFlags struct{ key string }

func (a *app) ledgerFlags(c *cobra.Command, l *ledgerFlags) {
	f := c.Flags()
	f.StringVar(&l.key, "key", "", "the log's verifier `KEY`, NAME+HASH+BASE64, or a file with it (KEYTURN_LEDGER_KEY)")
	f.StringVar(&a.flags.region, "region", "", "AWS `REGION` of the bucket (AWS_REGION, or the profile's)")
	f.StringVar(&a.flags.profile, "profile", "", "`NAME` in the AWS configuration files (AWS_PROFILE)")
	f.StringVar(&a.flags.endpoint, "endpoint-url", "", "`URL` in place of AWS (AWS_ENDPOINT_URL)")
}

// verifier returns the verifier of the log's key.
func (a *app) verifier(l ledgerFlags) (note.Verifier, error) {
	v, _, err := a.verifierKey(l)
	return v, err
}

// verifierKey returns the verifier of the log's key, and the key as text.
func (a *app) verifierKey(l ledgerFlags) (note.Verifier, string, error) {
	key := a.setting(l.key, "KEYTURN_LEDGER_KEY", "")
	if key == "" {
		return nil, "", usage("which key must have signed?", "--key KEY, as it was written down when the ledger was created; not from its bucket")
	}
	if data, err := os.ReadFile(key); err == nil { //nolint:gosec // G304: the operator says which file
		key = strings.TrimSpace(string(data))
	}
	v, err := note.NewVerifier(key)
	if err != nil {
		return nil, "", usage("--key is neither a verifier key nor a file with one", "it looks like keyturn.example/ledger+c6ff5b4b+AWo...")
	}
	return v, key, nil
}

// archive is a ledger that is read.
type archive interface {
	ledger.Archive
	ledger.Objects
}

// openLedger returns the ledger at where, a directory or s3://BUCKET/PREFIX.
func (a *app) openLedger(ctx context.Context, where string) (archive, func(), error) {
	rest, ok := strings.CutPrefix(where, "s3://")
	if !ok {
		d, err := directory.Open(where)
		if err != nil {
			return nil, nil, failed(typeLedger, "there is no directory "+where+" that can be read", "of a bucket: s3://BUCKET/PREFIX")
		}
		return d, func() { _ = d.Close() }, nil
	}
	name, prefix, _ := strings.Cut(rest, "/")
	if name == "" {
		return nil, nil, usage("which bucket?", "s3://BUCKET/PREFIX")
	}
	if prefix = strings.TrimSuffix(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx,
		awsconfig.WithRegion(a.flags.region), awsconfig.WithBaseEndpoint(a.flags.endpoint), awsconfig.WithSharedConfigProfile(a.flags.profile),
		awsconfig.WithLogger(logging.Nop{}))
	if err != nil {
		return nil, nil, failed(typeAWS, "the AWS configuration cannot be used: "+err.Error(), "see what is found: aws configure list")
	}
	if cfg.Region == "" {
		return nil, nil, failed(typeAWS, "no AWS Region is set", "say which: --region us-east-1, or AWS_REGION")
	}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = cfg.BaseEndpoint != nil })
	return s3store.New(bucket.New(client), name, prefix, s3store.Lock{}), func() {}, nil
}

// ledgerFailure makes a failure of what a ledger answered.
func ledgerFailure(ctx context.Context, err error) error {
	if bad, ok := errors.AsType[*ledger.TamperError](err); ok {
		return tamperedAt(bad)
	}
	if e, ok := errors.AsType[*awserror.Error](err); ok {
		return failed(typeAWS, err.Error(), awsLedgerAdvice(e.Code)...)
	}
	if context.Cause(ctx) != nil {
		return failed(typeStopped, "interrupted")
	}
	return failed(typeLedger, err.Error(), "try again; nothing is proven")
}

// tamperedAt says where in the log it is, and what else it may be.
func tamperedAt(bad *ledger.TamperError) *failure {
	f := tampered(bad.Error())
	if bad.Index >= 0 {
		f.Next = append(f.Next, fmt.Sprintf("its place in the log is at entry %d, counted from 0", bad.Index))
	}
	if bad.Path == "checkpoint/" || bad.Path == "checkpoint/0" {
		f.Next = append(f.Next, "unless it is another ledger: check the path, of which checkpoint/ is a part, and --key")
	}
	return f
}

func tampered(what string) *failure {
	return &failure{exit: exitTampered, Type: typeTampered, What: "not as it was signed: " + what, Next: []string{
		"keep what is there: write nothing, delete nothing",
		"compare with the copies of the checkpoint: in mails, and in the second account",
	}}
}

func awsLedgerAdvice(code string) []string {
	switch code {
	case "AccessDenied":
		return []string{"see who you are: aws sts get-caller-identity", "it needs s3:ListBucket, s3:ListBucketVersions and s3:GetObject"}
	case "NoSuchBucket", "PermanentRedirect":
		return []string{code + ": check the bucket's name and --region"}
	}
	return []string{"try again; nothing is proven"}
}

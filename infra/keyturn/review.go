package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/infra/keyturn/internal/console"
	"github.com/keyturn/keyturn/shared/review"
)

// reviewFlags are those of keyturn review.
type reviewFlags struct {
	ledgerFlags
	from, out, before, at, ledger string
}

func (a *app) review() *cobra.Command {
	var r reviewFlags
	c := &cobra.Command{
		Use:   "review --out DIR",
		Short: "Write a page about who can read each key, and who did",
		Long: `Review who can read each key and what needs a decision. AWS is asked with your
own credentials, and for no value. What you may not see is unknown, and the page
says so. The keys are those of the keys' file, and every secret of the account
and Region without one. Who did read comes from --ledger.

It needs iam:GetAccountAuthorizationDetails; secretsmanager:DescribeSecret,
GetResourcePolicy and, without a keys' file, ListSecrets; kms:DescribeKey and
GetKeyPolicy; dynamodb:Query on the records; and organizations:
DescribeOrganization, ListParents, ListPoliciesForTarget and DescribePolicy.

With --from, AWS is not asked: all is read from files with answers of the AWS
command, as JSON, one after another or as a list. A file that is missing makes
its part unknown, and the page says so.

account.json: the users, the roles and their policies
  aws iam get-account-authorization-details >account.json

secrets.json: each secret, and its policy; one whose policy is not there is
unknown. Values of secrets are refused.
  for s in $(aws secretsmanager list-secrets \
      --query 'SecretList[].ARN' --output text); do
    aws secretsmanager describe-secret --secret-id "$s"
    aws secretsmanager get-resource-policy --secret-id "$s"
  done >secrets.json

keys.json: the KMS keys' names, and each key before its policy
  { aws kms list-aliases
    for k in $(aws kms list-keys --query 'Keys[].KeyId' --output text); do
      aws kms describe-key --key-id "$k"
      aws kms get-key-policy --key-id "$k" --policy-name default
    done; } >keys.json

reads.json: who did read, from your own query of CloudTrail; of a role, not of
its session; complete from "since" on
  {"since": "2026-08-01T00:00:00Z", "reads": [{"secret": "arn:...",
    "principal": "arn:...", "count": 7, "last": "2026-11-23T10:00:00Z"}]}

It writes review.html, which needs no other file, review.json and review.csv.
With --from, --config adds owners, tiers and Keyturn's own roles; without it,
owners are those of the tag keyturn:owner. Service control policies, the
vendors' keys and the ledger are not read then.`,
		Example: `  keyturn review --out ./review --ledger s3://keyturn-ledger --key ledger.pub
  keyturn review --from ./answers --out . --before review.json`,
		Args: noArgs,
	}
	f := c.Flags()
	f.StringVar(&r.from, "from", "", "`DIR` with saved answers (else AWS is asked)")
	f.StringVar(&r.out, "out", "", "`DIR` to write to")
	f.StringVar(&r.before, "before", "", "`FILE` review.json of the review before, to say what changed")
	f.StringVar(&r.at, "at", "", "when the answers were saved, as a `DAY` or time (else now)")
	f.StringVar(&r.ledger, "ledger", "", "`DIR` or s3://BUCKET/PREFIX of the ledger, which says who did read")
	f.StringVar(&r.key, "key", "", "the log's verifier `KEY`, NAME+HASH+BASE64, or a file with it (KEYTURN_LEDGER_KEY)")
	a.awsFlags(c)
	a.tableFlag(c)
	c.AddCommand(a.reviewSignOff())
	return command(c, func(c *cobra.Command, _ []string) error { return a.runReview(c.Context(), r) })
}

// reviewed is what --json prints.
type reviewed struct {
	Page     string         `json:"page"`
	SHA256   string         `json:"sha256"` // of the page
	Keys     int            `json:"keys"`
	Findings map[string]int `json:"findings"` // keys by kind
	Unknown  []string       `json:"unknown"`
}

func (a *app) runReview(ctx context.Context, r reviewFlags) error {
	if r.out == "" {
		return usage("where should the page go?", "keyturn review --out DIR", "keyturn review --from DIR --out DIR")
	}
	at, err := parseSince(r.at)
	if err != nil {
		return usage(fmt.Sprintf("--at %q is no time", r.at), "write 2026-11-01 or 2026-11-01T10:00:00Z")
	}
	var in review.Input
	switch {
	case r.from == "" && r.at != "":
		return usage("--at is for saved answers", "leave out --at, or say --from DIR")
	case r.from != "" && r.ledger != "":
		return usage("--ledger is for what is asked now", "leave out --ledger, or --from")
	case r.from != "":
		in, err = a.savedReview(r, at)
	default:
		in, err = a.liveReview(ctx, r)
	}
	if err != nil {
		return err
	}
	made := review.Make(in)
	if r.before != "" {
		before, err := readReview(r.before)
		if err != nil {
			return failed("File", err.Error(), "leave out --before for the first one")
		}
		made.Since(before)
	}
	sum, err := writeReview(made, r.out)
	if err != nil {
		return failed("File", err.Error(), "say where it may be written: --out DIR")
	}
	a.sayReview(made, reviewed{Page: filepath.Join(r.out, "review.html"), SHA256: sum, Keys: len(made.Keys), Findings: map[string]int{}, Unknown: in.Missing})
	return nil
}

func (a *app) sayReview(made review.Review, out reviewed) {
	for _, k := range made.Kinds() {
		out.Findings[k.Kind] = k.Keys
	}
	if a.flags.json {
		a.printJSON(out)
		return
	}
	a.say("%s: %s, %d principals; SHA-256 %s", out.Page, count(out.Keys, "key"), made.Principals, out.SHA256)
	for _, k := range made.Kinds() {
		a.say("  %-18s %d", k.Kind, k.Keys)
	}
	for _, m := range out.Unknown {
		a.say("unknown: %s", console.Clean(m))
	}
}

// readReview reads a review.json.
func readReview(path string) (review.Review, error) {
	var r review.Review
	b, err := os.ReadFile(path) //nolint:gosec // what the operator names
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err == nil && r.Version != review.Version {
		err = fmt.Errorf("it has version %d, this is for %d", r.Version, review.Version)
	}
	if err != nil {
		return r, fmt.Errorf("read the review before: %w", err)
	}
	return r, nil
}

// writeReview writes the three files and returns the page's SHA-256.
func writeReview(r review.Review, dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the directory: %w", err)
	}
	var sum [sha256.Size]byte
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{{"review.html", r.WritePage}, {"review.json", r.WriteJSON}, {"review.csv", r.WriteCSV}} {
		var b bytes.Buffer
		if err := f.write(&b); err != nil {
			return "", err
		}
		if f.name == "review.html" {
			sum = sha256.Sum256(b.Bytes())
		}
		// It tells who can read what: not for everybody.
		if err := os.WriteFile(filepath.Join(dir, f.name), b.Bytes(), 0o600); err != nil {
			return "", fmt.Errorf("write the review: %w", err)
		}
	}
	return hex.EncodeToString(sum[:]), nil
}

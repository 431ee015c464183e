package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/shared/evidence"
	"github.com/keyturn/keyturn/shared/trail"
)

// typeFile is the type of a failure to write a file.
const typeFile = "File"

type evidenceFlags struct {
	ledgerFlags
	ledger, from, to, out string
}

func (a *app) evidence() *cobra.Command {
	var e evidenceFlags
	c := &cobra.Command{
		Use:   "evidence KEY --ledger DIR | s3://BUCKET/PREFIX",
		Short: "Make a pack for an auditor: what happened to a key, with proofs",
		Long: `Make a pack for an auditor: what happened to a key, who asked for it and why,
who read it, and how its end was proven. KEY is a secret's name or ARN.

The whole ledger is verified first, and nothing is written if it is not as it
was signed. Two files go into --out: a page for people, and JSON in which every
entry carries a proof that needs neither the ledger nor this program.

The ledger holds ids and keyed fingerprints, so the pack holds no value. It does
hold names of people and addresses: give it to those who may see them.

Exit codes: 0 written, 1 could not be read, or there is nothing about the key in
this time, 2 usage, 5 not as it was signed.`,
		Example: `  keyturn evidence prod/mailer --ledger s3://keyturn-ledger/log --key ledger.pub
  keyturn evidence prod/mailer --ledger ./copy --key pub --from 2026-07-01`,
		Args: func(c *cobra.Command, args []string) error {
			if err := oneKey(c, args); err != nil {
				return err
			}
			if e.ledger == "" {
				return usage("which ledger?", c.CommandPath()+" "+args[0]+" --ledger DIR", c.CommandPath()+" "+args[0]+" --ledger s3://BUCKET/PREFIX")
			}
			return nil
		},
		ValidArgsFunction: a.completeKeys,
	}
	f := c.Flags()
	f.StringVar(&e.ledger, "ledger", "", "`DIR` or s3://BUCKET/PREFIX of the ledger")
	f.StringVar(&e.from, "from", "", "first `DAY`, such as 2026-01-01, or a time in RFC 3339 (default: from the beginning)")
	f.StringVar(&e.to, "to", "", "the `DAY` or time before which it ends (default: to the end)")
	f.StringVar(&e.out, "out", ".", "`DIR` that the files go into")
	a.ledgerFlags(c, &e.ledgerFlags)
	return command(c, func(c *cobra.Command, args []string) error {
		return a.makeEvidence(c.Context(), args[0], e)
	})
}

func (a *app) makeEvidence(ctx context.Context, id string, e evidenceFlags) error {
	secret := trail.ParseSecret(id)
	r := evidence.Request{Secret: secret.Name, ARN: secret.ARN, Now: time.Now()}
	var err error
	if r.From, err = day("--from", e.from); err != nil {
		return err
	}
	if r.To, err = day("--to", e.to); err != nil {
		return err
	}
	if !r.To.IsZero() && !r.From.Before(r.To) {
		return usage("--from is not before --to: --to is the first day that is left out", "--from 2026-01-01 --to 2026-07-01")
	}
	v, key, err := a.verifierKey(e.ledgerFlags)
	if err != nil {
		return err
	}
	store, end, err := a.openLedger(ctx, e.ledger)
	if err != nil {
		return err
	}
	defer end()
	pack, err := evidence.Collect(ctx, store, store, v, key, r)
	if errors.Is(err, evidence.ErrNothing) {
		return failed(typeKey, "the ledger is in order, and has nothing about "+r.Secret+" in this time", "check the name, --from and --to")
	}
	if err != nil {
		return ledgerFailure(ctx, err)
	}
	page, data, err := writePack(pack, e.out)
	if err != nil {
		return failed(typeFile, err.Error(), "choose another directory: --out DIR")
	}
	if a.flags.json {
		a.printJSON(map[string]any{"version": 1, "entries": len(pack.Entries), "keys": len(pack.Keys), "size": pack.Log.Size, "page": page, "data": data})
		return nil
	}
	a.say("proven: all %d entries of %s; %d of them are about %s", pack.Log.Size, pack.Log.Origin, len(pack.Entries), r.Secret)
	a.say("wrote %s, to read, and %s, with the proofs", page, data)
	return nil
}

// writePack writes both files, which only their owner may read.
func writePack(p evidence.Pack, dir string) (page, data string, err error) {
	base := filepath.Join(dir, "evidence-"+fileName(p.Secret))
	page, data = base+".html", base+".json"
	var b strings.Builder
	if err := p.Page(&b); err != nil {
		return "", "", err
	}
	js, err := json.MarshalIndent(p, "", "  ") //nolint:gosec // Secret is its name
	if err != nil {
		return "", "", errors.New("a time in the ledger is not one that JSON knows")
	}
	if err := replaceFile(data, append(js, '\n')); err != nil {
		return "", "", err
	}
	return page, data, replaceFile(page, []byte(b.String()))
}

// fileName is another for each secret: a slash is a hyphen in it, and a hyphen two.
func fileName(secret string) string {
	return strings.NewReplacer("-", "--", "/", "-", `\`, "-", ":", "-").Replace(secret)
}

// replaceFile writes a file that only its owner may read, whoever might read the one
// that was there, and leaves that one as it was unless all is written.
func replaceFile(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".evidence-")
	if bad, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("write %s: %w", path, bad.Err)
	}
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // it is there after an error only
	_, err = f.Write(data)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// day reads a day, or a time.
func day(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, usage(flag+" is neither a day nor a time", flag+" 2026-01-31", flag+" 2026-01-31T08:00:00Z")
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"github.com/keyturn/keyturn/shared/ledger"
)

func (a *app) ledgerVerify() *cobra.Command {
	var l ledgerFlags
	var against, proof string
	c := &cobra.Command{
		Use:   "verify DIR | s3://BUCKET/PREFIX | --proof FILE",
		Short: "Prove the whole ledger, or one entry by its proof",
		Long: `Prove the whole ledger: every entry is read, and what they make is compared
with every checkpoint, tile and index, in DIR or a bucket. Nothing but the log
and the key is needed, and AWS is asked for the bucket's objects only. In a
bucket, an object that was written twice or deleted is found too. A DIR is a
copy of it: aws s3 sync s3://BUCKET/PREFIX DIR.

--against compares with a checkpoint that was kept elsewhere, such as in a mail,
or with the newest one of s3://BUCKET/NAME, where our audit function puts one
every hour: only so is it seen that the end was cut off, or that the log was
begun again.
--proof proves one entry instead, with a file of keyturn ledger prove.

--key comes from where the ledger's writers cannot change it.

Exit codes: 0 proven, 1 could not be read, 2 usage, 5 not as it was signed. The
first bad object, in the order of the log, is named.`,
		Example: `  keyturn ledger verify ./copy --key ledger.pub --against mailed.txt
  keyturn ledger verify s3://keyturn-ledger/log --key ledger.pub --json
  keyturn ledger verify ./copy --key ledger.pub --against s3://witness/keyturn
  keyturn ledger verify --proof proof.txt --key ledger.pub`,
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case proof != "":
				return noArgs(c, args)
			case len(args) == 1:
				return nil
			}
			return usage("which ledger?", c.CommandPath()+" DIR", c.CommandPath()+" s3://BUCKET/PREFIX")
		},
	}
	f := c.Flags()
	f.StringVar(&against, "against", "", "`FILE` with a checkpoint that the log must extend, - for stdin, or s3://BUCKET/NAME")
	f.StringVar(&proof, "proof", "", "`FILE` with the proof of one entry, - for stdin")
	a.ledgerFlags(c, &l)
	return command(c, func(c *cobra.Command, args []string) error {
		v, err := a.verifier(l)
		if err != nil {
			return err
		}
		if proof != "" {
			if against != "" {
				return usage("--against is for a whole ledger", "leave out --proof or --against")
			}
			return a.verifyProof(proof, v)
		}
		return a.verifyLedger(c.Context(), args[0], against, v)
	})
}

// readsAtOnce is how many small objects of a bucket are read at once.
const readsAtOnce = 16

// ledgerJSON is what verify --json prints.
type ledgerJSON struct {
	Version     int        `json:"version"`
	Proven      bool       `json:"proven"`
	Log         string     `json:"log"` // the origin
	Size        int64      `json:"size"`
	Root        string     `json:"root,omitempty"`
	Checkpoints int        `json:"checkpoints"`
	Tiles       int        `json:"tiles"`
	Aged        int        `json:"aged,omitempty"`    // partial tiles that are gone, and were computed
	Pending     int        `json:"pending"`           // tiles of an append that is not finished
	Against     *int64     `json:"against,omitempty"` // the size of the checkpoint that it extends
	Bad         *ledgerBad `json:"bad,omitempty"`
}

type ledgerBad struct {
	Path  string `json:"path"`
	Index int64  `json:"index"` // of the first entry that it concerns; -1: none
	Why   string `json:"why"`
}

func (a *app) verifyLedger(ctx context.Context, where, against string, v note.Verifier) error {
	out := ledgerJSON{Version: 1, Log: v.Name()}
	check := ledger.Check{Parallel: readsAtOnce}
	if against != "" {
		data, err := a.checkpoint(ctx, against)
		if err != nil {
			return err
		}
		tree, err := ledger.OpenCheckpoint(data, v)
		if err != nil {
			return usage("--against is no checkpoint that this key signed", "take it as it was signed, with its last line: a note of three lines, a blank one and the signature")
		}
		check.Against, out.Against = data, &tree.N
	}
	store, end, err := a.openLedger(ctx, where)
	if err != nil {
		return err
	}
	defer end()
	report, err := ledger.Verify(ctx, store, v, check)
	if bad, ok := errors.AsType[*ledger.TamperError](err); ok && a.flags.json {
		out.Bad = &ledgerBad{bad.Path, bad.Index, bad.Why}
		a.printJSON(out)
		return exit(exitTampered)
	}
	if err != nil {
		return ledgerFailure(ctx, err)
	}
	out.Proven, out.Size, out.Root = true, report.Tree.N, report.Tree.Hash.String()
	out.Checkpoints, out.Tiles, out.Aged, out.Pending = report.Checkpoints, report.Tiles, report.Aged, report.Pending
	if a.flags.json {
		a.printJSON(out)
		return nil
	}
	a.say("proven: all %d entries of %s", out.Size, out.Log)
	a.say("root %s, %d checkpoints, %d tiles", out.Root, out.Checkpoints, out.Tiles)
	if out.Against != nil {
		a.say("it extends the checkpoint of %d entries in %s", *out.Against, against)
	} else {
		a.say("not compared with a checkpoint kept elsewhere: without --against, a cut end is not seen")
	}
	if report.Aged > 0 {
		a.say("%d partial tiles have aged and are gone: they were computed from what is locked", report.Aged)
	}
	if out.Pending > 0 {
		a.say("%d tiles are newer than the last checkpoint: an append is under way, or the next one finishes it", out.Pending)
	}
	return nil
}

// provenJSON is what verify --proof --json prints.
type provenJSON struct {
	Version int             `json:"version"`
	Proven  bool            `json:"proven"`
	Log     string          `json:"log"`
	Index   int64           `json:"index"`
	Size    int64           `json:"size"` // of the log that it is in
	Root    string          `json:"root"`
	Entry   json.RawMessage `json:"entry"`
}

func (a *app) verifyProof(path string, v note.Verifier) error {
	data, err := a.readFile(path)
	if err != nil {
		return err
	}
	p, err := ledger.CheckProof(data, v)
	if err != nil {
		return tampered(err.Error())
	}
	if a.flags.json {
		a.printJSON(provenJSON{1, true, v.Name(), p.Index, p.Tree.N, p.Tree.Hash.String(), p.Line})
		return nil
	}
	a.say("%s", p.Line)
	a.say("proven: this is entry %d of %s, of %d entries with root %s", p.Index, v.Name(), p.Tree.N, p.Tree.Hash)
	return nil
}

// checkpoint reads one from a file, or the newest from where they are kept.
func (a *app) checkpoint(ctx context.Context, where string) ([]byte, error) {
	if !strings.HasPrefix(where, "s3://") {
		return a.readFile(where)
	}
	store, end, err := a.openLedger(ctx, where)
	if err != nil {
		return nil, err
	}
	defer end()
	newest := int64(-1)
	err = store.Walk(ctx, func(path string, _ int) error {
		if text, ok := strings.CutPrefix(path, "checkpoint/"); ok {
			if n, err := strconv.ParseInt(text, 10, 64); err == nil {
				newest = max(newest, n)
			}
		}
		return nil
	})
	if err != nil {
		return nil, ledgerFailure(ctx, err)
	}
	if newest < 0 {
		return nil, failed(typeLedger, "there is no checkpoint in "+where, "it is s3://BUCKET/NAME: they are in NAME/checkpoint/")
	}
	data, err := store.Read(ctx, "checkpoint/"+strconv.FormatInt(newest, 10))
	if err != nil {
		return nil, ledgerFailure(ctx, err)
	}
	return data, nil
}

// maxProof is more than a checkpoint or a proof has.
const maxProof = 1 << 20

func (a *app) readFile(path string) ([]byte, error) {
	var data []byte
	var err error
	switch {
	case path != "-":
		data, err = os.ReadFile(path) //nolint:gosec // G304: the operator says which file
	case a.in == nil:
		err = io.ErrUnexpectedEOF
	default:
		data, err = io.ReadAll(io.LimitReader(a.in, maxProof+1))
	}
	if err != nil {
		return nil, failed(typeLedger, path+" cannot be read", "check the path")
	}
	if len(data) > maxProof {
		return nil, failed(typeLedger, path+" is too large", "it is neither a checkpoint nor a proof")
	}
	return data, nil
}

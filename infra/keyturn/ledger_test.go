package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/ledger/directory"
	"github.com/keyturn/keyturn/shared/ledger/ledgertest"
)

// cmdLedger makes and changes ledgers in directories:
//
//	ledger grow DIR SEED N          append N entries, with the key of SEED
//	ledger key FILE SEED            write its verifier key
//	ledger change DIR/PATH OLD NEW  replace OLD, once; without both the object is removed
//	ledger upload DIR BUCKET/NAME   copy it into a bucket of the local AWS
func cmdLedger(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: ledger grow|write|key|change ...")
	}
	path := ts.MkAbs(args[1])
	switch {
	case args[0] == "grow" && len(args) == 4:
		n, err := strconv.Atoi(args[3])
		ts.Check(err)
		ts.Check(writeLedger(context.Background(), path, args[2], func(size int) (out []ledger.Entry) {
			for i := range n {
				id := strconv.Itoa(size + i)
				out = append(out, ledger.Entry{ID: id, Writer: "test", Time: time.Unix(1e9, 0), Act: json.RawMessage(`{"act":"rotate","n":"` + id + `"}`)})
			}
			return out
		}))
	case args[0] == "write" && len(args) == 4: // entries, one in a line
		var entries []ledger.Entry
		for line := range strings.Lines(ts.ReadFile(args[3])) {
			e, err := ledger.Decode([]byte(line))
			ts.Check(err)
			entries = append(entries, e)
		}
		ts.Check(writeLedger(context.Background(), path, args[2], func(int) []ledger.Entry { return entries }))
	case args[0] == "key" && len(args) == 3:
		k, err := ledgertest.NewKey("keyturn.example/ledger", args[2])
		ts.Check(err)
		ts.Check(os.WriteFile(path, []byte(k.Text+"\n"), 0o600))
	case args[0] == "upload" && len(args) == 3:
		w, ok := ts.Value(worldKey{}).(*world)
		if !ok {
			ts.Fatalf("there is no local AWS")
		}
		ts.Check(upload(context.Background(), s3.NewFromConfig(w.cloud().Config()), path, args[2]))
	case args[0] == "change" && len(args) == 2:
		ts.Check(os.Remove(path))
	case args[0] == "change" && len(args) == 4:
		data, err := os.ReadFile(path)
		ts.Check(err)
		changed := bytes.Replace(data, []byte(args[2]), []byte(args[3]), 1)
		if bytes.Equal(data, changed) {
			ts.Fatalf("%s has no %q", path, args[2])
		}
		ts.Check(os.Remove(path))
		ts.Check(os.WriteFile(path, changed, 0o600))
	default:
		ts.Fatalf("unknown: ledger %q", args)
	}
}

func writeLedger(ctx context.Context, dir, seed string, entries func(size int) []ledger.Entry) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	s, err := directory.Open(dir)
	if err != nil {
		return err
	}
	defer s.Close()
	k, err := ledgertest.NewKey("keyturn.example/ledger", seed)
	if err != nil {
		return err
	}
	l := ledger.New(ledger.Config{Objects: s, Head: s, Signer: k, Verifier: k.Verifier})
	if err := l.Create(ctx); err != nil {
		return err
	}
	size, err := s.Load(ctx)
	if err != nil {
		return err
	}
	var head struct{ Size int }
	if err := json.Unmarshal(size, &head); err != nil {
		return err
	}
	_, err = l.Append(ctx, entries(head.Size))
	return err
}

// upload copies dir into a bucket, which it makes if there is none.
func upload(ctx context.Context, client *s3.Client, dir, where string) error {
	bucket, name, _ := strings.Cut(where, "/")
	if _, err := client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket}); err != nil {
		if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
			return err
		}
	}
	return fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			return err
		}
		key := name + "/" + path
		_, err = client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(data)})
		return err
	})
}

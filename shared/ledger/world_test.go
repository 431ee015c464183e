package ledger_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/ledger/ledgertest"
)

const origin = "keyturn.example/ledger"

func newKey(tb testing.TB) *ledgertest.Key {
	tb.Helper()
	k, err := ledgertest.NewKey(origin, "seed")
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func entry(writer string, n int) ledger.Entry {
	return ledger.Entry{
		ID: fmt.Sprint("act-", n), Writer: writer, Time: time.Unix(1e9+int64(n), 0),
		Act: json.RawMessage(fmt.Sprintf(`{"act":"create","key_id":"k%d"}`, n)),
	}
}

func entries(writer string, from, to int) []ledger.Entry {
	var out []ledger.Entry
	for n := from; n < to; n++ {
		out = append(out, entry(writer, n))
	}
	return out
}

// grown returns a store with a log, made by batches of these sizes.
func grown(tb testing.TB, k *ledgertest.Key, batches ...int) *ledgertest.Memory {
	tb.Helper()
	m := &ledgertest.Memory{}
	l := ledgertest.Log(m, k)
	if err := l.Create(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	n := 0
	for _, b := range batches {
		if _, err := l.Append(tb.Context(), entries("w", n, n+b)); err != nil {
			tb.Fatal(err)
		}
		n += b
	}
	return m
}

// neverForked fails the test if k signed two trees of one size.
func neverForked(tb testing.TB, k *ledgertest.Key) {
	tb.Helper()
	roots := map[string]string{}
	for _, text := range k.Signed() {
		lines := strings.Split(text, "\n")
		if other, ok := roots[lines[1]]; ok {
			tb.Errorf("two trees of %s entries were signed: %s and %s", lines[1], lines[2], other)
		}
		roots[lines[1]] = lines[2]
	}
}

// holds fails the test if the log does not verify, or if its entries are not want,
// in any order, each once.
func holds(ctx context.Context, tb testing.TB, m *ledgertest.Memory, k *ledgertest.Key, want []ledger.Entry) {
	tb.Helper()
	neverForked(tb, k)
	ids := map[string]int{}
	report, err := ledger.Verify(ctx, m, k.Verifier, ledger.Check{Each: func(_ int64, line []byte) error {
		e, err := ledger.Decode(line)
		ids[e.Writer+" "+e.ID]++
		return err
	}})
	if err != nil {
		tb.Fatalf("verify: %v", err)
	}
	if report.Tree.N != int64(len(want)) || len(ids) != len(want) {
		tb.Errorf("%d entries with %d ids, want %d", report.Tree.N, len(ids), len(want))
	}
	for _, e := range want {
		if ids[e.Writer+" "+e.ID] != 1 {
			tb.Errorf("%s of %s is there %d times", e.ID, e.Writer, ids[e.Writer+" "+e.ID])
		}
	}
}

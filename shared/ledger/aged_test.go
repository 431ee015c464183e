package ledger_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/ledger/ledgertest"
)

// A log that nobody appended to until all of its partial tiles were gone verifies,
// has proofs, and goes on.
func TestAllPartialTilesGone(t *testing.T) {
	t.Parallel()
	for _, sizes := range [][]int{{1}, {5, 5, 5}, {256}, {250, 10, 3}, {255, 300, 1}, {1000, 1000, 1, 1}} {
		k := newKey(t)
		m := grown(t, k, sizes...)
		total, gone := 0, 0
		for _, n := range sizes {
			total += n
		}
		for _, path := range m.Paths() {
			if ledger.Passing(path) {
				m.Tamper(path, nil)
				gone++
			}
		}
		report, err := ledger.Verify(t.Context(), m, k.Verifier, ledger.Check{})
		if err != nil || report.Tree.N != int64(total) || (report.Aged > 0) != (gone > 0) {
			t.Errorf("%v: %d gone, %+v, %v", sizes, gone, report, err)
		}
		for _, index := range []int64{0, int64(total) - 1} {
			proof, err := ledger.Prove(t.Context(), m, latest(t, m, k), index)
			if err != nil {
				t.Fatalf("%v: entry %d: %v", sizes, index, err)
			}
			if _, err := ledger.CheckProof(proof, k.Verifier); err != nil {
				t.Errorf("%v: entry %d: %v", sizes, index, err)
			}
		}
		if _, err := ledgertest.Log(m, k).Append(t.Context(), entries("w", total-1, total+3)); err != nil {
			t.Errorf("%v: append: %v", sizes, err)
		}
		holds(t.Context(), t, m, k, entries("w", 0, total+3))
	}
}

// What a batch says is believed only if it makes the tree.
func TestBatchChanged(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	for name, change := range map[string]func(string) []byte{
		"changed": func(d string) []byte { return []byte(strings.Replace(d, `"k6"`, `"k9"`, 1)) },
		"cut":     func(d string) []byte { return []byte(d[:len(d)-10]) },
		"removed": func(string) []byte { return nil },
	} {
		m := grown(t, k, 5, 5)
		for _, path := range m.Paths() {
			switch {
			case ledger.Passing(path):
				m.Tamper(path, nil)
			case strings.HasPrefix(path, "staging/5-"):
				m.Tamper(path, change(string(object(t, m, path))))
			}
		}
		_, err := ledger.Verify(t.Context(), m, k.Verifier, ledger.Check{})
		if _, ok := errors.AsType[*ledger.TamperError](err); !ok {
			t.Errorf("%s: verify: %v", name, err)
		}
		_, err = ledger.Prove(t.Context(), m, latest(t, m, k), 6)
		if _, ok := errors.AsType[*ledger.TamperError](err); !ok {
			t.Errorf("%s: prove: %v", name, err)
		}
		if _, err := ledgertest.Log(m, k).Append(t.Context(), entries("w", 10, 12)); err == nil {
			t.Errorf("%s: appended", name)
		}
	}
}

// A batch that is not right is found while the partial tile that needs it is still there.
func TestBatchChangedEarly(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	for name, change := range map[string]func(string) []byte{
		"changed": func(d string) []byte { return []byte(strings.Replace(d, `"k6"`, `"k9"`, 1)) },
		"cut":     func(d string) []byte { return []byte(d[:len(d)-10]) },
		"removed": func(string) []byte { return nil },
	} {
		m := grown(t, k, 256, 5, 5, 5)
		path := ""
		for _, p := range m.Paths() {
			if strings.HasPrefix(p, "staging/261-") {
				path = p
				m.Tamper(p, change(strings.ReplaceAll(string(object(t, m, p)), `"k262"`, `"k6"`)))
			}
		}
		_, err := ledger.Verify(t.Context(), m, k.Verifier, ledger.Check{Parallel: 4})
		if bad, ok := errors.AsType[*ledger.TamperError](err); !ok || bad.Path != path || bad.Index != 261 {
			t.Errorf("%s: %v, want %s", name, err, path)
		}
	}
}

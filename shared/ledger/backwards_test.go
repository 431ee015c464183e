package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/ledger/ledgertest"
)

// Backwards gives every entry once, the newest first, and ends when it is told to.
func TestBackwards(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	for _, size := range []int{0, 1, 256, 257, 700} {
		m := grown(t, k)
		if size > 0 {
			m = grown(t, k, size)
		}
		c, err := ledger.Newest(t.Context(), m, m, k.Verifier)
		if err != nil || c.Tree.N != int64(size) {
			t.Fatalf("%d entries: %+v, %v", size, c.Tree, err)
		}
		next := int64(size) - 1
		err = ledger.Backwards(t.Context(), m, c, func(index int64, line []byte) (bool, error) {
			want, err := entry("w", int(index)).Encode()
			if err != nil || index != next || !bytes.Equal(line, want) {
				t.Fatalf("entry %d is %s, want %d: %s", index, line, next, want)
			}
			next--
			return true, nil
		})
		if err != nil || next != -1 {
			t.Errorf("%d entries: %v, ended at %d", size, err, next)
		}
	}
	m, n := grown(t, k, 700), 0
	err := ledger.Backwards(t.Context(), m, latest(t, m, k), func(int64, []byte) (bool, error) { n++; return n < 3, nil })
	if err != nil || n != 3 {
		t.Errorf("%d entries, %v", n, err)
	}
}

// An entry that was changed is found before anybody believes it.
func TestBackwards_tampered(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	m := grown(t, k, 300)
	data, err := m.Read(t.Context(), "tile/entries/000")
	if err != nil {
		t.Fatal(err)
	}
	data = bytes.Replace(data, []byte(`"k7"`), []byte(`"k8"`), 1)
	m.Tamper("tile/entries/000", data)
	err = ledger.Backwards(t.Context(), m, latest(t, m, k), func(index int64, _ []byte) (bool, error) {
		if index < 256 {
			t.Errorf("entry %d was given", index)
		}
		return true, nil
	})
	if bad, ok := errors.AsType[*ledger.TamperError](err); !ok || bad.Index != 7 {
		t.Errorf("%v", err)
	}
}

// While an append is under way, the newest checkpoint is the one before.
func TestNewest_underWay(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	m := grown(t, k, 10, 5)
	m.Fault = func(op, path string) ledgertest.Fault {
		if op == "create" && path == "checkpoint/18" {
			return ledgertest.Before
		}
		return ledgertest.None
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ledgertest.Log(m, k).Append(t.Context(), entries("w", 15, 18)); err == nil {
		t.Fatal("it was written")
	}
	c, err := ledger.Newest(t.Context(), m, m, k.Verifier)
	if err != nil || c.Tree.N != 15 {
		t.Fatalf("%d entries, %v", c.Tree.N, err)
	}
	n := 0
	if err := ledger.Backwards(t.Context(), m, c, func(int64, []byte) (bool, error) { n++; return true, nil }); err != nil || n != 15 {
		t.Errorf("%d entries, %v", n, err)
	}
	if _, err := ledger.Newest(ctx, m, m, k.Verifier); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
	none := &ledgertest.Memory{}
	if _, err := ledger.Newest(t.Context(), none, none, k.Verifier); !errors.Is(err, ledger.ErrNoLog) {
		t.Errorf("no log: %v", err)
	}
	other, err := ledgertest.NewKey(origin, "thief")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Newest(t.Context(), m, m, other.Verifier); err == nil {
		t.Error("another key's checkpoint was believed")
	}
}

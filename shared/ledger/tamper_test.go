package ledger_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/ledger/ledgertest"
)

const (
	full    = "tile/entries/000"      // entries 0 to 255
	partial = "tile/entries/001.p/54" // entries 256 to 309
	hashes  = "tile/0/000"            // hashes of entries 0 to 255
	last    = "checkpoint/310"        // of the whole log
	middle  = "checkpoint/300"        // of an earlier state
)

func object(tb testing.TB, m *ledgertest.Memory, path string) []byte {
	tb.Helper()
	data, err := m.Read(tb.Context(), path)
	if err != nil {
		tb.Fatalf("%s: %v", path, err)
	}
	return data
}

// Whatever is done to a stored log is found, and the first bad thing is named.
func TestTamper(t *testing.T) {
	t.Parallel()
	swap := func(old, with string) func(*testing.T, *ledgertest.Memory, string) {
		return func(t *testing.T, m *ledgertest.Memory, path string) {
			t.Helper()
			data := object(t, m, path)
			changed := bytes.Replace(data, []byte(old), []byte(with), 1)
			if bytes.Equal(data, changed) {
				t.Fatal("nothing to change")
			}
			m.Tamper(path, changed)
		}
	}
	for name, c := range map[string]struct {
		path   string
		tamper func(t *testing.T, m *ledgertest.Memory, path string)
		index  int64 // of the first bad entry
	}{
		"entry flipped":        {path: full, tamper: swap(`"k100"`, `"k999"`), index: 100},
		"newest entry flipped": {path: partial, tamper: swap(`"k309"`, `"k999"`), index: 309},
		"entries reordered":    {path: full, tamper: reorder, index: 10},
		"entry cut out":        {path: full, tamper: cut, index: 255},
		"bundle half written":  {path: full, tamper: func(t *testing.T, m *ledgertest.Memory, p string) { t.Helper(); m.Tamper(p, object(t, m, p)[:1000]) }, index: -2},
		"bundle deleted":       {path: full, tamper: remove, index: 0},
		"hash flipped": {path: hashes, tamper: func(t *testing.T, m *ledgertest.Memory, p string) {
			t.Helper()
			d := object(t, m, p)
			d[7*32] ^= 1
			m.Tamper(p, d)
		}, index: 7},
		"hashes deleted":        {path: hashes, tamper: remove, index: 0},
		"second version":        {path: full, tamper: func(t *testing.T, m *ledgertest.Memory, p string) { t.Helper(); m.Rewrite(p, object(t, m, p)) }, index: 0},
		"second checkpoint":     {path: middle, tamper: func(t *testing.T, m *ledgertest.Memory, p string) { t.Helper(); m.Rewrite(p, object(t, m, p)) }, index: 300},
		"checkpoint of another": {path: middle, tamper: func(t *testing.T, m *ledgertest.Memory, p string) { t.Helper(); m.Tamper(p, object(t, m, last)) }, index: 300},
		"checkpoint changed":    {path: middle, tamper: swap("300", "301"), index: 300},
		"checkpoint of a fork":  {path: middle, tamper: fork, index: 300},
		"wrong signer":          {path: middle, tamper: foreign, index: 300},
		"checkpoint deleted":    {path: middle, tamper: remove, index: 300},
		"what followed deleted": {path: "next/300", tamper: remove, index: 300},
		"what followed changed": {path: "next/300", tamper: swap(`"size":310`, `"size":311`), index: 300},
		"id deleted":            {path: idOf(7), tamper: remove, index: 7},
		"id planted":            {path: "id/" + strings.Repeat("0", 32) + "...", tamper: plant("id/" + strings.Repeat("0", 64)), index: 310},
		"entries past the end":  {path: "tile/entries/002", tamper: plant("tile/entries/002"), index: 310},
		"hashes past the end":   {path: "tile/0/001.p/55", tamper: plant("tile/0/001.p/55"), index: 310},
		"another's file":        {path: "id", tamper: plant("id"), index: 310},
		"no id":                 {path: "id/7", tamper: plant("id/7"), index: 310},
		"another's checkpoint":  {path: "checkpoint/0310", tamper: plant("checkpoint/0310"), index: 310},
		"beyond any size":       {path: "checkpoint/99999999999999999999", tamper: plant("checkpoint/99999999999999999999"), index: 310},
		"no tile":               {path: "tile/0/x", tamper: plant("tile/0/x"), index: 310},
		"half a checkpoint":     {path: middle, tamper: func(t *testing.T, m *ledgertest.Memory, p string) { t.Helper(); m.Tamper(p, object(t, m, p)[:20]) }, index: 300},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKey(t)
			m := grown(t, k, 300, 10)
			c.tamper(t, m, c.path)
			_, err := ledger.Verify(t.Context(), m, k.Verifier, ledger.Check{})
			bad, ok := errors.AsType[*ledger.TamperError](err)
			if !ok {
				t.Fatalf("verify: %v", err)
			}
			if bad.Path != c.path || c.index != -2 && bad.Index != c.index {
				t.Errorf("%s, index %d; want %s, index %d", bad, bad.Index, c.path, c.index)
			}
		})
	}
}

// plant stores something where the log has nothing.
func plant(path string) func(*testing.T, *ledgertest.Memory, string) {
	return func(_ *testing.T, m *ledgertest.Memory, _ string) { m.Tamper(path, []byte("310")) }
}

func idOf(n int) string {
	e := entry("w", n)
	sum := sha256.Sum256([]byte(e.Writer + "\x00" + e.ID))
	return "id/" + hex.EncodeToString(sum[:])
}

func remove(_ *testing.T, m *ledgertest.Memory, path string) { m.Tamper(path, nil) }

// reorder exchanges entries 10 and 11, which are of the same length.
func reorder(t *testing.T, m *ledgertest.Memory, path string) {
	t.Helper()
	data := string(object(t, m, path))
	first, second := strings.Index(data, `{"v":1,"id":"act-10"`), strings.Index(data, `{"v":1,"id":"act-11"`)
	third := strings.Index(data, `{"v":1,"id":"act-12"`)
	a, b := data[first:second-2], data[second:third-2] // each has its length before it
	if len(a) != len(b) {
		t.Fatal("not of one length")
	}
	m.Tamper(path, []byte(data[:first]+b+data[second-2:second]+a+data[third-2:]))
}

// cut takes the last entry of a bundle away.
func cut(t *testing.T, m *ledgertest.Memory, path string) {
	t.Helper()
	data := object(t, m, path)
	m.Tamper(path, data[:bytes.LastIndex(data, []byte(`{"v":1`))-2])
}

// fork puts the checkpoint of another log of the same key in place.
func fork(t *testing.T, m *ledgertest.Memory, path string) {
	t.Helper()
	m.Tamper(path, object(t, forked(t, newKey(t), 300), path))
}

// foreign puts a checkpoint of the same tree by another key in place.
func foreign(t *testing.T, m *ledgertest.Memory, path string) {
	t.Helper()
	other, err := ledgertest.NewKey(origin, "thief")
	if err != nil {
		t.Fatal(err)
	}
	m.Tamper(path, object(t, grown(t, other, 300), path))
}

// A log that lost its end, or that was begun again, is found by a checkpoint that
// was kept elsewhere.
func TestAgainstWitness(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	witness := object(t, grown(t, k, 300, 10), last)
	if _, err := ledger.Verify(t.Context(), grown(t, k, 300, 10, 5), k.Verifier, ledger.Check{Against: witness}); err != nil {
		t.Errorf("an honest log: %v", err)
	}
	for name, m := range map[string]*ledgertest.Memory{"truncated": grown(t, k, 300), "begun again": forked(t, k, 320)} {
		_, err := ledger.Verify(t.Context(), m, k.Verifier, ledger.Check{Against: witness})
		if _, ok := errors.AsType[*ledger.TamperError](err); !ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// forked returns a log with other entries.
func forked(t *testing.T, k *ledgertest.Key, size int) *ledgertest.Memory {
	t.Helper()
	m := grown(t, k)
	if _, err := ledgertest.Log(m, k).Append(t.Context(), entries("thief", 0, size)); err != nil {
		t.Fatal(err)
	}
	return m
}

// A head that was put back makes no fork: the next append is refused and signs nothing.
func TestHeadPutBack(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	m := grown(t, k, 10)
	old, err := m.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ledgertest.Log(m, k).Append(t.Context(), entries("w", 10, 20)); err != nil {
		t.Fatal(err)
	}
	m.SetHead(old)
	if _, err := ledgertest.Log(m, k).Append(t.Context(), entries("other", 0, 3)); err == nil {
		t.Error("appended to an old head")
	}
	neverForked(t, k)
}

// The checkpoints are signed notes for golang.org/x/mod/sumdb/note, with nothing of
// this package between.
func TestCheckpointIsNote(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	n, err := note.Open(object(t, grown(t, k, 7), "checkpoint/7"), note.VerifierList(k.Verifier))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(n.Text, origin+"\n7\n") || len(n.Sigs) != 1 {
		t.Errorf("note %q with %d signatures", n.Text, len(n.Sigs))
	}
}

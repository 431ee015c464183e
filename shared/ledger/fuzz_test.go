package ledger_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/ledger/ledgertest"
)

// FuzzVerify puts any bytes in place of any object, or beside them all: Verify ends
// with a finding, or the log still says what it said.
func FuzzVerify(f *testing.F) {
	k := newKey(f)
	honest := grown(f, k, 3, 254, 3)
	paths := honest.Paths()
	want := latest(f, honest, k).Tree
	for i, path := range paths {
		if i%17 == 0 || path[0] != 'i' {
			f.Add(i, "", object(f, honest, path))
		}
	}
	f.Add(-1, "id", []byte("1"))
	f.Add(-1, "checkpoint/0260", object(f, honest, "checkpoint/260"))
	f.Add(-1, "next/260", object(f, honest, "next/257"))
	f.Add(-1, "tile/entries/x001/000", []byte{})
	f.Fuzz(func(t *testing.T, at int, path string, data []byte) {
		k, m := newKey(t), honest.Clone()
		if at >= 0 {
			path = paths[at%len(paths)]
		}
		if path == "" || data == nil {
			return
		}
		var had []byte
		if slices.Contains(paths, path) {
			had = object(t, m, path)
		}
		m.Tamper(path, data)
		report, err := ledger.Verify(t.Context(), m, k.Verifier, ledger.Check{})
		if _, ok := errors.AsType[*ledger.TamperError](err); err != nil && !ok {
			t.Fatalf("%s: %v", path, err)
		}
		if err == nil && report.Tree != want {
			t.Fatalf("%s: verifies as %+v", path, report.Tree)
		}
		if bytes.Equal(had, data) && had != nil && err != nil {
			t.Fatalf("%s is as it was: %v", path, err)
		}
		_, err = ledgertest.Log(m, k).Append(t.Context(), entries("w", 0, 4))
		if err == nil {
			_, _ = ledgertest.Log(m, k).Append(t.Context(), entries("w", 260, 262))
		}
		neverForked(t, k)
	})
}

// FuzzCheckProof changes a proof: it proves what it proved, or nothing.
func FuzzCheckProof(f *testing.F) {
	k := newKey(f)
	m := grown(f, k, 300)
	for _, index := range []int64{0, 255, 256, 299} {
		proof, err := ledger.Prove(f.Context(), m, latest(f, m, k), index)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(proof)
	}
	tree := latest(f, m, k).Tree
	f.Fuzz(func(t *testing.T, proof []byte) {
		p, err := ledger.CheckProof(proof, k.Verifier)
		if err != nil {
			return
		}
		want, err := entry("w", int(p.Index)).Encode()
		if err != nil || p.Tree != tree || !bytes.Equal(p.Line, want) {
			t.Errorf("proves %d, %s of %+v", p.Index, p.Line, p.Tree)
		}
	})
}

// FuzzDecode reads any entry: what is read is written again as an entry that says the
// same, and is found under the same hash.
func FuzzDecode(f *testing.F) {
	line, err := entry("w", 1).Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Add([]byte(`{"v":9,"id":"` + "\xff" + `","time":"2026-01-01T00:00:00+23:59","writer":"w","act":{}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		e, err := ledger.Decode(line)
		if err != nil {
			return
		}
		again, err := e.Encode()
		if err != nil {
			return // too large, or a year that JSON does not know
		}
		same, err := ledger.Decode(again)
		if err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		third, err := same.Encode()
		if err != nil || tlog.RecordHash(third) != tlog.RecordHash(again) {
			t.Errorf("%s, then %s, %v", again, third, err)
		}
	})
}

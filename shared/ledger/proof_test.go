package ledger_test

import (
	"bytes"
	"errors"
	"strconv"
	"testing"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/ledger/ledgertest"
)

// Each entry has a proof, which torchwood checks too, and no proof can be changed.
func TestProof(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	m := grown(t, k, 255, 1, 300, 7)
	checkpoint, err := ledger.Latest(t.Context(), m, k.Verifier)
	if err != nil {
		t.Fatal(err)
	}
	policy := torchwood.ThresholdPolicy(2, torchwood.OriginPolicy(origin), torchwood.SingleVerifierPolicy(k.Verifier))
	for _, index := range []int64{0, 1, 254, 255, 256, 511, 512, 556, 562} {
		proof, err := ledger.Prove(t.Context(), m, checkpoint, index)
		if err != nil {
			t.Fatalf("entry %d: %v", index, err)
		}
		got, err := ledger.CheckProof(proof, k.Verifier)
		if err != nil || got.Index != index || got.Tree.N != 563 {
			t.Fatalf("entry %d: %+v, %v", index, got, err)
		}
		want, err := entry("w", int(index)).Encode()
		if err != nil || !bytes.Equal(got.Line, want) {
			t.Errorf("entry %d is %s, want %s, %v", index, got.Line, want, err)
		}
		if err := torchwood.VerifyProof(policy, tlog.RecordHash(want), proof); err != nil {
			t.Errorf("torchwood: %v", err)
		}
	}
	for _, index := range []int64{-1, 563, 1 << 40} {
		if _, err := ledger.Prove(t.Context(), m, checkpoint, index); !errors.Is(err, ledger.ErrNoEntry) {
			t.Errorf("entry %d: %v", index, err)
		}
	}
}

func TestProofChanged(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	m := grown(t, k, 20)
	proof, err := ledger.Prove(t.Context(), m, latest(t, m, k), 5)
	if err != nil {
		t.Fatal(err)
	}
	for at := range proof {
		changed := bytes.Clone(proof)
		changed[at] ^= 1
		if got, err := ledger.CheckProof(changed, k.Verifier); err == nil {
			t.Errorf("byte %d changed, and it proves %+v", at, got)
		}
	}
	for n := range proof {
		if _, err := ledger.CheckProof(proof[:n], k.Verifier); err == nil {
			t.Errorf("cut at byte %d of %d, and it proves", n, len(proof))
		}
	}
	other, err := ledgertest.NewKey(origin, "thief")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.CheckProof(proof, other.Verifier); err == nil {
		t.Error("it proves for another key")
	}
}

// A proof of a changed log is not made.
func TestProofOfTampered(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	for path, index := range map[string]int64{"tile/entries/000": 3, "tile/0/000": 3, "tile/0/001.p/44": 299, "tile/1/000.p/1": 299} {
		m := grown(t, k, 300)
		data := object(t, m, path)
		data[len(data)-1] ^= 1
		if path == "tile/entries/000" {
			data = bytes.Replace(object(t, m, path), []byte(`"k3"`), []byte(`"k9"`), 1)
		}
		m.Tamper(path, data)
		_, err := ledger.Prove(t.Context(), m, latest(t, m, k), index)
		if _, ok := errors.AsType[*ledger.TamperError](err); !ok {
			t.Errorf("%s was changed: %v", path, err)
		}
		m.Tamper(path, nil)
		_, err = ledger.Prove(t.Context(), m, latest(t, m, k), index)
		bad, ok := errors.AsType[*ledger.TamperError](err)
		if passing := ledger.Passing(path); passing && err != nil || !passing && (!ok || bad.Path != path) {
			t.Errorf("%s was removed: %v", path, err)
		}
	}
}

func latest(t testing.TB, m *ledgertest.Memory, k *ledgertest.Key) ledger.Checkpoint {
	t.Helper()
	c, err := ledger.Latest(t.Context(), m, k.Verifier)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLatest(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	if _, err := ledger.Latest(t.Context(), &ledgertest.Memory{}, k.Verifier); !errors.Is(err, ledger.ErrNoLog) {
		t.Errorf("of nothing: %v", err)
	}
	m := grown(t, k, 9, 91)
	got, err := ledger.Latest(t.Context(), m, k.Verifier)
	if tree, e := ledger.OpenCheckpoint(got.Signed, k.Verifier); err != nil || e != nil || tree != got.Tree || tree.N != 100 {
		t.Errorf("%d, %v, %v", tree.N, err, e)
	}
	if of, err := ledgertest.Log(m, k).Latest(t.Context()); err != nil || string(of.Signed) != string(got.Signed) || of.Tree != got.Tree {
		t.Errorf("by its head: %+v, %v", of, err)
	}
	for _, n := range []int{9, 100} {
		path := "checkpoint/" + strconv.Itoa(n)
		m.Tamper("checkpoint/500", object(t, m, path))
		_, err := ledger.Latest(t.Context(), m, k.Verifier)
		if bad, ok := errors.AsType[*ledger.TamperError](err); !ok || bad.Path != "checkpoint/500" {
			t.Errorf("%s of another size: %v", path, err)
		}
	}
}

package ledger

import (
	"math"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// An append to a log of ten million entries costs as many calls as to one of a
// thousand, but for a tile's edge or two.
func TestCostDoesNotGrow(t *testing.T) {
	t.Parallel()
	small, err := Measured(t.Context(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	large, err := Simulated(t.Context(), 1e7)
	if err != nil {
		t.Fatal(err)
	}
	if large.Puts > small.Puts+2 || large.Gets > small.Gets+4 || large.Bytes > 1.5*small.Bytes {
		t.Errorf("at 10^3 %+v, at 10^7 %+v", small, large)
	}
	t.Logf("at 10^3 %+v, at 10^7 %+v", small, large)
}

// A simulated log costs what a real one of its size does.
func TestSimulatedIsLikeMeasured(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{1000, 5000} {
		measured, err := Measured(t.Context(), size)
		if err != nil {
			t.Fatal(err)
		}
		computed, err := Simulated(t.Context(), size)
		if err != nil {
			t.Fatal(err)
		}
		if measured.Puts != computed.Puts || measured.Gets != computed.Gets || math.Abs(measured.Bytes/computed.Bytes-1) > 0.01 {
			t.Errorf("%d: measured %+v, simulated %+v", size, measured, computed)
		}
	}
}

// The simulated hashes are those of its entries.
func TestSimulatedRoot(t *testing.T) {
	t.Parallel()
	k, err := key()
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSimulated(k, 1000)
	if err != nil {
		t.Fatal(err)
	}
	var row []tlog.Hash
	for i := range 1000 {
		row = append(row, s.leaves[i%len(s.leaves)])
	}
	want, err := tlog.TreeHash(1000, rowOf(row))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := tlog.TreeHash(1000, tlog.HashReaderFunc(s.hashes)); err != nil || got != want {
		t.Errorf("root %s, want %s, %v", got, want, err)
	}
}

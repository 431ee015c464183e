package ledger_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"

	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/ledger/ledgertest"
)

var all = flag.Bool("all", false, "crash in the largest batch, too: half a minute more")

// A writer that dies before or after any call loses nothing and doubles nothing:
// not when it comes back, and not when another writer is next.
func TestCrashAtEveryCall(t *testing.T) {
	t.Parallel()
	// The batches end within a tile, fill one, and span two or, with -all, three.
	sizes := []struct{ before, batch int }{{0, 3}, {3, 2}, {250, 6}, {250, 7}, {256, 1}}
	if *all {
		sizes = append(sizes, struct{ before, batch int }{255, 300})
	}
	step := 1
	if testing.Short() {
		step = 5
	}
	for _, size := range sizes {
		for _, fault := range []ledgertest.Fault{ledgertest.Before, ledgertest.After} {
			for _, forever := range []bool{true, false} {
				t.Run(fmt.Sprintf("%d+%d/%d/%t", size.before, size.batch, fault, forever), func(t *testing.T) {
					t.Parallel()
					start := grown(t, newKey(t), size.before)
					for at := 0; crashAt(t, start, at, fault, forever, size.before, size.batch); at += step {
						if at > 5000 {
							t.Fatal("no end")
						}
					}
				})
			}
		}
	}
}

// crashAt lets an append fail at its call at, and all later ones if the process
// died, and reports whether there was such a call.
func crashAt(t *testing.T, start *ledgertest.Memory, at int, fault ledgertest.Fault, forever bool, before, batch int) bool {
	t.Helper()
	k, m, calls := newKey(t), start.Clone(), 0
	m.Fault = func(op, _ string) ledgertest.Fault {
		if op == "stale" {
			return ledgertest.None
		}
		calls++
		switch {
		case calls-1 == at:
			return fault
		case calls-1 > at && forever:
			return ledgertest.Before
		}
		return ledgertest.None
	}
	mine := entries("w", before, before+batch)
	_, err := ledgertest.Log(m, k).Append(t.Context(), mine)
	if calls <= at {
		if err != nil {
			t.Fatal(err)
		}
		return false
	}
	if !errors.Is(err, ledgertest.ErrFault) {
		t.Fatalf("call %d failed, and the append answered %v", at, err)
	}
	m.Fault = nil
	others := []ledger.Entry{entry("other", 1)}
	if at%2 == 0 { // another writer finishes the append
		if _, err := ledgertest.Log(m, k).Append(t.Context(), others); err != nil {
			t.Fatalf("call %d: the next writer: %v", at, err)
		}
	}
	placed, err := ledgertest.Log(m, k).Append(t.Context(), append(mine, others...))
	if err != nil {
		t.Fatalf("call %d: again: %v", at, err)
	}
	if len(placed) != batch+1 {
		t.Fatalf("call %d: %d places", at, len(placed))
	}
	holds(t.Context(), t, m, k, append(entries("w", 0, before+batch), others...))
	return true
}

// A log that is being created may crash too.
func TestCrashInCreate(t *testing.T) {
	t.Parallel()
	for at := range 6 {
		for _, fault := range []ledgertest.Fault{ledgertest.Before, ledgertest.After} {
			k, calls := newKey(t), 0
			m := &ledgertest.Memory{Fault: func(string, string) ledgertest.Fault {
				if calls++; calls > at {
					return fault
				}
				return ledgertest.None
			}}
			err := ledgertest.Log(m, k).Create(t.Context())
			m.Fault = nil
			if err == nil && calls > at {
				t.Errorf("call %d failed and nobody said so", at)
			}
			if err := ledgertest.Log(m, k).Create(t.Context()); err != nil {
				t.Fatalf("call %d: again: %v", at, err)
			}
			if _, err := ledgertest.Log(m, k).Append(t.Context(), entries("w", 0, 2)); err != nil {
				t.Fatal(err)
			}
			holds(t.Context(), t, m, k, entries("w", 0, 2))
		}
	}
}

// Many writers with retries, duplicates, lost answers and old heads: each entry is
// there once, and no two trees of one size were ever signed.
func TestManyWriters(t *testing.T) {
	t.Parallel()
	seeds := uint64(20)
	if testing.Short() {
		seeds = 5
	}
	for seed := range seeds {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			k := newKey(t)
			m := grown(t, k)
			rng := rand.New(rand.NewPCG(seed, 1))
			var mu sync.Mutex
			m.Fault = func(string, string) ledgertest.Fault {
				mu.Lock()
				defer mu.Unlock()
				switch n := rng.IntN(400); {
				case n < 2:
					return ledgertest.Before
				case n < 4:
					return ledgertest.After
				case n < 40:
					return ledgertest.Stale
				}
				return ledgertest.None
			}
			var wg sync.WaitGroup
			var want []ledger.Entry
			for w := range 6 {
				name := fmt.Sprint("w", w/2) // two deliveries of each entry at once
				if w%2 == 0 {
					want = append(want, entries(name, 0, 60)...)
				}
				wg.Go(func() {
					for from := 0; from < 60; from += 6 {
						insist(t, ledgertest.Log(m, k), entries(name, from, from+6))
					}
				})
			}
			wg.Wait()
			m.Fault = nil
			if _, err := ledgertest.Log(m, k).Append(t.Context(), want); err != nil {
				t.Fatal(err)
			}
			holds(t.Context(), t, m, k, want)
		})
	}
}

// insist appends until it is told that all is there.
func insist(t *testing.T, l *ledger.Log, batch []ledger.Entry) {
	t.Helper()
	for range 1000 {
		_, err := l.Append(t.Context(), batch)
		if err == nil {
			return
		}
		if !errors.Is(err, ledgertest.ErrFault) {
			t.Errorf("append: %v", err)
			return
		}
	}
	t.Error("never appended")
}

package ledger_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/ledger/ledgertest"
)

// Batches that end just before, at and just after the edges of bundles and tiles make
// the same tree as one entry at a time would.
func TestEdges(t *testing.T) {
	t.Parallel()
	for _, sizes := range [][]int{{255, 300}, {255, 1, 1}, {256, 256}, {1, 255, 256, 1}, {257, 255}, {1000, 1000}, {511, 2}, {1}} {
		k := newKey(t)
		m := grown(t, k, sizes...)
		total := 0
		for _, n := range sizes {
			total += n
		}
		holds(t.Context(), t, m, k, entries("w", 0, total))
		tree := latest(t, m, k).Tree
		if want := plainRoot(t, total); tree.Hash != want {
			t.Errorf("%v: root %s, want %s", sizes, tree.Hash, want)
		}
	}
}

// plainRoot computes the root with x/mod's own functions, and no tiles.
func plainRoot(t *testing.T, total int) tlog.Hash {
	t.Helper()
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, at := range indexes {
			out[i] = stored[at]
		}
		return out, nil
	})
	for i, e := range entries("w", 0, total) {
		line, err := e.Encode()
		if err != nil {
			t.Fatal(err)
		}
		more, err := tlog.StoredHashes(int64(i), line, reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, more...)
	}
	root, err := tlog.TreeHash(int64(total), reader)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// tiles serves a log's objects to torchwood.
type tiles struct{ *ledgertest.Memory }

func (s tiles) ReadEndpoint(ctx context.Context, path string) ([]byte, error) {
	return s.Read(ctx, path)
}

func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (s tiles) ReadTiles(ctx context.Context, ts []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, t := range ts {
		data, err := s.Read(ctx, torchwood.TilePath(t))
		if err != nil {
			return nil, err
		}
		out = append(out, data)
	}
	return out, nil
}

// A client that is not ours opens the checkpoint and reads every entry of the log.
func TestOtherClient(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	m := grown(t, k, 255, 300, 7)
	policy := torchwood.ThresholdPolicy(2, torchwood.OriginPolicy(origin), torchwood.SingleVerifierPolicy(k.Verifier))
	c, _, err := torchwood.VerifyCheckpoint(object(t, m, "checkpoint/562"), policy)
	if err != nil || c.N != 562 || c.Origin != origin {
		t.Fatalf("%+v, %v", c, err)
	}
	client, err := torchwood.NewClient(tiles{m})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for i, line := range client.AllEntries(t.Context(), c.Tree, 0) {
		want, err := entry("w", int(i)).Encode()
		if err != nil || string(line) != string(want) {
			t.Fatalf("entry %d is %s, want %s, %v", i, line, want, err)
		}
		n++
	}
	if client.Err() != nil || n != 562 {
		t.Errorf("%d entries, %v", n, client.Err())
	}
}

// The order is that of appending, whatever the clocks of the writers say.
func TestClockRunsBackwards(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	m := grown(t, k)
	var batch []ledger.Entry
	for n := range 6 {
		e := entry("w", n)
		e.Time = time.Unix(1e9, 0).AddDate(-n*100, 0, 0)
		batch = append(batch, e)
	}
	for _, half := range [][]ledger.Entry{batch[:3], batch[3:]} {
		if _, err := ledgertest.Log(m, k).Append(t.Context(), half); err != nil {
			t.Fatal(err)
		}
	}
	var times []time.Time
	if _, err := ledger.Verify(t.Context(), m, k.Verifier, ledger.Check{Each: func(_ int64, line []byte) error {
		e, err := ledger.Decode(line)
		times = append(times, e.Time)
		return err
	}}); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(times)
	if len(times) != 6 || !slices.IsSortedFunc(times, time.Time.Compare) {
		t.Errorf("times %v", times)
	}
	late := entry("w", 7)
	late.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, err := ledgertest.Log(m, k).Append(t.Context(), []ledger.Entry{late}); err == nil {
		t.Error("a time that JSON cannot say")
	}
}

// A log that a crash left half written verifies as of its last checkpoint, whatever
// the call that was the last.
func TestHalfWritten(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	start := grown(t, k, 250)
	for at, done := 0, false; !done; at++ {
		m, calls := start.Clone(), 0
		m.Fault = func(op, _ string) ledgertest.Fault {
			if calls++; calls > at && op != "stale" {
				return ledgertest.Before
			}
			return ledgertest.None
		}
		_, err := ledgertest.Log(m, k).Append(t.Context(), entries("w", 250, 260))
		done = err == nil
		m.Fault = nil
		report, err := ledger.Verify(t.Context(), m, k.Verifier, ledger.Check{})
		if want := int64(250); err != nil || !done && report.Tree.N != want {
			t.Errorf("after %d calls: %+v, %v", at, report, err)
		}
	}
}

// While a log is verified, others append.
func TestGrowsMeanwhile(t *testing.T) {
	t.Parallel()
	for stop := range 30 {
		k := newKey(t)
		m := grown(t, k, 5, 5)
		a := &growing{Memory: m, at: stop, grow: func() {
			for n := range 3 {
				if _, err := ledgertest.Log(m, k).Append(t.Context(), entries("other", 100*n, 100*n+100)); err != nil {
					t.Error(err)
				}
			}
		}}
		report, err := ledger.Verify(t.Context(), a, k.Verifier, ledger.Check{})
		if err != nil || report.Tree.N != 10 && report.Tree.N != 310 {
			t.Errorf("grown at path %d: %+v, %v", stop, report, err)
		}
	}
}

// growing is a log that grows while it is listed: what is listed later is there.
type growing struct {
	*ledgertest.Memory
	at   int
	grow func()
}

func (g *growing) Walk(_ context.Context, f func(string, int) error) error {
	last, n := "", 0
	for {
		paths := g.Paths()
		i, found := slices.BinarySearch(paths, last)
		if found {
			i++
		}
		if i == len(paths) {
			return nil
		}
		if last = paths[i]; n == g.at {
			g.grow()
		}
		n++
		if err := f(last, 1); err != nil {
			return err
		}
	}
}

// A store that fails is not a log that was changed.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	m := grown(t, k, 300)
	for _, part := range []string{"checkpoint/", "next/", "tile/0/", "tile/entries/"} {
		c := m.Clone()
		c.Fault = func(op, path string) ledgertest.Fault {
			if op == "read" && strings.HasPrefix(path, part) {
				return ledgertest.Before
			}
			return ledgertest.None
		}
		_, err := ledger.Verify(t.Context(), c, k.Verifier, ledger.Check{})
		if _, ok := errors.AsType[*ledger.TamperError](err); ok || !errors.Is(err, ledgertest.ErrFault) {
			t.Errorf("%s: %v", part, err)
		}
	}
}

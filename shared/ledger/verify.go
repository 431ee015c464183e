package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Check is what Verify is asked beyond the log itself. Its zero value asks nothing.
type Check struct {
	// Against is a checkpoint that was kept elsewhere: the log must extend it.
	Against []byte
	// Each is called for every entry, in order, before it is known whether it is
	// genuine: only after Verify returned nil it is. Verify ends with its error.
	Each func(index int64, line []byte) error
	// Parallel is how many checkpoints are read at once; zero is one.
	Parallel int
}

// Report is what Verify found to be in order.
type Report struct {
	Tree        tlog.Tree  // of the latest checkpoint
	Checkpoint  Checkpoint // the latest: others may come while it is verified
	Checkpoints int
	Tiles       int
	Aged        int // partial tiles that are gone, and were computed
	Pending     int // tiles past the latest checkpoint: an append is under way, or waits to be finished
}

// Verify proves the whole log: that its entries make the tree of every checkpoint,
// that each checkpoint is signed by v, that every tile of the latest tree is there
// and right, that no id of a writer is there twice or unknown, that no object was
// written twice, and that there is none past the end but of one append that is not
// finished; and that the batches hold what the newest partial tiles do, for when they
// have aged. Partial tiles that wider ones have replaced are not read, nor what ids
// say, which each append proves for those that it uses. The error for a
// log that is not in order is a *TamperError about the first bad thing in the order
// of the log. Verify holds 32 bytes in memory for each entry.
func Verify(ctx context.Context, a Archive, v note.Verifier, c Check) (Report, error) {
	s := scan{archive: a, check: c, ids: map[string]bool{}}
	if err := s.inventory(ctx, v); err != nil {
		return Report{}, err
	}
	if err := s.against(v); err != nil {
		return Report{}, err
	}
	if err := s.entries(ctx); err != nil {
		return Report{}, err
	}
	s.strangers()
	if err := s.verdict(); err != nil {
		return Report{}, err
	}
	s.report.Tree, s.report.Checkpoint = s.latest, Checkpoint{Signed: s.signed, Tree: s.latest, head: s.head()}
	return s.report, nil
}

// head returns the one of the latest tree. The first tree has none.
func (s *scan) head() head {
	if h, ok := s.heads[s.latest.N]; ok {
		return h
	}
	return head{Size: s.latest.N, Root: s.latest.Hash}
}

// claim is an object that says what the tree of a size is.
type claim struct {
	path   string
	tree   tlog.Tree
	signed bool
}

// mismatch is a stored hash that is not that of the entries below it.
type mismatch struct {
	tile        string
	bundle      string // set if the hash is an entry's
	first, last int64  // the entries below
}

type scan struct {
	archive Archive
	check   Check
	report  Report
	latest  tlog.Tree
	signed  []byte          // its checkpoint
	claims  []claim         // by size
	next    map[int64]int64 // from a size to the one that followed
	heads   map[int64]head  // by the size that they are of
	end     int64           // what may be stored: appended while the objects were listed, and the last unfinished
	ids     map[string]bool // those that are stored, and whether there was an entry

	good       int64 // the largest size that is proven by a signature
	mismatches []mismatch
	found      []TamperError // beside mismatches and claims
	broken     []claim
	edge       edge
	levels     []level
}

// bad notes a finding.
func (s *scan) bad(path string, index int64, why string, args ...any) {
	s.found = append(s.found, TamperError{Path: path, Index: index, Why: fmt.Sprintf(why, args...)})
}

// inventory looks at the list of objects, and reads what says how large the log is.
func (s *scan) inventory(ctx context.Context, v note.Verifier) error {
	s.next, s.heads = map[int64]int64{}, map[int64]head{}
	var l listing
	err := s.archive.Walk(ctx, func(path string, versions int) error {
		s.versions(path, s.sort(&l, path), versions)
		return nil
	})
	if err != nil {
		return fmt.Errorf("list objects: %w", err)
	}
	if err := s.readClaims(ctx, l.claims, v); err != nil {
		return err
	}
	if s.report.Checkpoints == 0 {
		return s.first(&TamperError{Path: checkpointDir, Index: -1, Why: "there is no checkpoint"})
	}
	if err := s.follow(ctx, v); err != nil {
		return err
	}
	s.chain()
	for _, path := range l.odd {
		s.bad(path, s.latest.N, "is no object of a ledger")
	}
	for _, t := range l.tiles {
		switch {
		case past(t, s.end):
			s.bad(torchwood.TilePath(t), s.latest.N, "is past the end")
		case past(t, s.latest.N):
			s.report.Pending++
		}
	}
	slices.SortFunc(s.claims, func(a, b claim) int {
		return cmp.Or(cmp.Compare(a.tree.N, b.tree.N), cmp.Compare(a.path, b.path))
	})
	return nil
}

func (s *scan) versions(path string, index int64, versions int) {
	if versions > 1 {
		s.bad(path, index, "has %d versions and deletions", versions)
	}
}

// witnessed is the path by which findings name the checkpoint of Check.Against.
const witnessed = "the witnessed checkpoint"

func (s *scan) against(v note.Verifier) error {
	if s.check.Against == nil {
		return nil
	}
	tree, err := OpenCheckpoint(s.check.Against, v)
	if err != nil {
		return fmt.Errorf("%s: %w", witnessed, err)
	}
	if tree.N > s.latest.N {
		s.bad(checkpointPath(s.latest.N), s.latest.N, "is the last, and the witnessed one is of %d entries: the log was truncated", tree.N)
		return nil
	}
	at, _ := slices.BinarySearchFunc(s.claims, tree.N, func(c claim, n int64) int { return cmp.Compare(c.tree.N, n) })
	s.claims = slices.Insert(s.claims, at, claim{witnessed, tree, true})
	return nil
}

// entries reads all entries in order, and compares what they make with what is stored.
func (s *scan) entries(ctx context.Context) error {
	next := s.compare(s.claims, 0)
	var last [][]byte // bundle
	for n := int64(0); n*torchwood.TileWidth < s.latest.N; n++ {
		path := bundlePath(s.latest.N, n)
		first := n * torchwood.TileWidth
		data, err := s.bundle(ctx, path)
		if errors.Is(err, ErrNotFound) {
			s.bad(path, first, "missing")
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		leaves, err := split(data)
		w := width(s.latest.N, n)
		for i, leaf := range leaves[:min(len(leaves), w)] {
			if err := s.entry(ctx, path, first+int64(i), leaf); err != nil {
				return err
			}
			next = s.compare(next, first+int64(i)+1)
		}
		if err != nil || len(leaves) != w {
			s.bad(path, first+int64(min(len(leaves), w)), "holds %d whole entries, want %d", len(leaves), w)
			return nil //nolint:nilerr // it is a finding
		}
		last = leaves
	}
	if err := s.staged(ctx, last); err != nil {
		return err
	}
	return s.flush(ctx)
}

// bundle reads the bundle at path. A partial one that is gone is computed.
func (s *scan) bundle(ctx context.Context, path string) ([]byte, error) {
	data, err := s.archive.Read(ctx, path)
	if !errors.Is(err, ErrNotFound) || !Passing(path) {
		return data, err
	}
	tiles, err := partials(ctx, s.archive.Read, s.heads[s.latest.N])
	if err != nil {
		return nil, err
	}
	for _, t := range tiles {
		if t.path == path {
			s.report.Aged++
			return t.data, nil
		}
	}
	return nil, ErrNotFound
}

// compare compares the claims about a tree of size with the entries so far, and
// returns the claims that are left.
func (s *scan) compare(claims []claim, size int64) []claim {
	for len(claims) > 0 && claims[0].tree.N == size {
		c := claims[0]
		claims = claims[1:]
		switch {
		case c.tree.Hash != s.edge.root():
			s.broken = append(s.broken, c)
		case c.signed:
			s.good = size
		}
	}
	return claims
}

// entry takes one more entry.
func (s *scan) entry(ctx context.Context, path string, index int64, leaf []byte) error {
	if s.check.Each != nil {
		if err := s.check.Each(index, leaf); err != nil {
			return err
		}
	}
	if e, err := Decode(leaf); err != nil {
		s.bad(path, index, "%v", err)
	} else {
		s.id(path, index, e.idPath())
	}
	h := tlog.RecordHash(leaf)
	s.edge.add(h)
	return s.hash(ctx, 0, h, path)
}

// verdict returns the first bad thing. Entries below a size that a signature proves
// are right, so that a stored hash that is not theirs is what was changed. Above
// it, the entries are to blame.
func (s *scan) verdict() error {
	for _, m := range s.mismatches {
		switch {
		case m.last < s.good:
			s.bad(m.tile, m.first, "does not hold the hash of entries %d to %d", m.first, m.last)
		case m.bundle != "" && m.first >= s.good:
			s.bad(m.bundle, m.first, "entry %d is not the one that was logged", m.first)
		}
	}
	for _, c := range s.broken {
		if c.tree.N <= s.good {
			s.bad(c.path, c.tree.N, "is not of this log: its tree of %d entries is another", c.tree.N)
		} else {
			s.bad(c.path, c.tree.N, "is of other entries than those from %d on", s.good)
		}
	}
	return s.first(nil)
}

// first returns the first finding, or otherwise.
func (s *scan) first(otherwise error) error {
	if len(s.found) == 0 {
		return otherwise
	}
	first := slices.MinFunc(s.found, func(a, b TamperError) int { return cmp.Compare(a.Index, b.Index) })
	return &first
}

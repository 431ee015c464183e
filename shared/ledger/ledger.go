// Package ledger is a log that proves that nothing was changed, removed or put in
// between: a Merkle tree in tiles (https://c2sp.org/tlog-tiles) whose checkpoints
// are signed notes. Any number of writers append at once. What they write is
// settled by one compare-and-swap of the head; all that follows is computed from
// it, so that the next append finishes what a crash left.
package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// What an append may answer.
var (
	ErrNoLog     = errors.New("there is no log here")
	ErrHeadLost  = errors.New("the log has no head any more; it must be restored, not begun again")
	ErrContended = errors.New("other writers were always first")
)

// Config is what a Log works with. All fields without a comment on their zero value
// must be set.
type Config struct {
	Objects  Objects
	Head     Head
	Signer   Signer
	Verifier note.Verifier // of the key that Signer signs with; its name is the log's origin
	// Attempts is how often an append tries when other writers are first; zero is 10.
	Attempts int
	// Wait is called before the second and each further attempt; nil waits for nothing.
	Wait func(ctx context.Context, attempt int) error
	// Parallel is how many objects are read or created at once; zero is one.
	Parallel int
}

// Log appends. It keeps no state: it may be used by several goroutines at once, as
// may any number of Logs over the same stores.
type Log struct{ cfg Config }

// New returns a Log over the stores of cfg. It calls nothing.
func New(cfg Config) *Log {
	if cfg.Attempts == 0 {
		cfg.Attempts = 10
	}
	if cfg.Wait == nil {
		cfg.Wait = func(context.Context, int) error { return nil }
	}
	cfg.Parallel = max(cfg.Parallel, 1)
	return &Log{cfg: cfg}
}

// Create begins a log where there is none, and may be repeated. It returns
// ErrHeadLost if there was a log whose head is gone.
func (l *Log) Create(ctx context.Context) error {
	switch _, err := l.cfg.Head.Load(ctx); {
	case err == nil:
		_, _, err = l.settle(ctx)
		return err
	case !errors.Is(err, ErrNotFound):
		return fmt.Errorf("load head: %w", err)
	}
	switch _, err := l.cfg.Objects.Read(ctx, checkpointPath(0)); {
	case err == nil:
		return ErrHeadLost
	case !errors.Is(err, ErrNotFound):
		return fmt.Errorf("read first checkpoint: %w", err)
	}
	empty := tlog.Tree{Hash: sha256.Sum256(nil)}
	first := head{Version: 1, Root: empty.Hash, PrevRoot: empty.Hash}
	if err := l.cfg.Head.Swap(ctx, nil, first.encode()); err != nil && !errors.Is(err, ErrConflict) {
		return fmt.Errorf("create head: %w", err)
	}
	_, _, err := l.settle(ctx)
	return err
}

// Placed says where an entry is.
type Placed struct {
	Index     int64
	Duplicate bool // the log had an entry of this writer and id already, or the batch did
	Differs   bool // that one says something else; it stays, and this one is not in the log
}

// Append adds those of entries that the log does not have, and returns where each
// is. When it returns nil, all are in the log and a signed checkpoint covers them.
// After an error some or all may be in the log: appending them again is right, and
// adds none twice. An entry that cannot be encoded is an error before anything is
// written. A *TamperError or ErrHeadLost needs a person; other errors may pass.
func (l *Log) Append(ctx context.Context, entries []Entry) ([]Placed, error) {
	if len(entries) > MaxBatch {
		return nil, fmt.Errorf("append: %d entries, limit %d", len(entries), MaxBatch)
	}
	b, err := newBatch(entries)
	if err != nil {
		return nil, err
	}
	for attempt := range l.cfg.Attempts {
		if attempt > 0 {
			if err := l.cfg.Wait(ctx, attempt); err != nil {
				return nil, fmt.Errorf("append: %w", err)
			}
		}
		placed, err := l.try(ctx, b)
		if !errors.Is(err, ErrConflict) {
			return placed, err
		}
	}
	return nil, ErrContended
}

// batch is what is asked to be appended.
type batch struct {
	paths  []string // of the ids
	leaves [][]byte
	first  []int // the first entry of the batch with the same id
}

func newBatch(entries []Entry) (batch, error) {
	var b batch
	seen := map[string]int{}
	for i, e := range entries {
		leaf, err := e.Encode()
		if err != nil {
			return batch{}, fmt.Errorf("entry %d of the batch: %w", i, err)
		}
		path := e.idPath()
		if _, ok := seen[path]; !ok {
			seen[path] = i
		}
		b.paths, b.leaves, b.first = append(b.paths, path), append(b.leaves, leaf), append(b.first, seen[path])
	}
	return b, nil
}

// try appends once. It returns ErrConflict if another writer was first.
func (l *Log) try(ctx context.Context, b batch) ([]Placed, error) {
	h, raw, err := l.settle(ctx)
	if err != nil {
		return nil, err
	}
	r := newReader(l.cfg.Objects.Read, h)
	placed, err := l.find(ctx, r, b)
	if err != nil {
		return nil, err
	}
	var fresh [][]byte
	for i := range placed {
		switch {
		case b.first[i] != i:
			placed[i] = Placed{Index: placed[b.first[i]].Index, Duplicate: true, Differs: !bytes.Equal(b.leaves[i], b.leaves[b.first[i]])}
		case !placed[i].Duplicate:
			placed[i].Index = h.Size + int64(len(fresh))
			fresh = append(fresh, b.leaves[i])
		}
	}
	if len(fresh) == 0 {
		return placed, nil
	}
	g, err := r.grow(ctx, fresh)
	if err != nil {
		return nil, fmt.Errorf("append: %w", err)
	}
	if err := l.commit(ctx, raw, h.grown(g.to), g); err != nil {
		return nil, err
	}
	return placed, nil
}

// commit makes g the log: from the swap on, whatever happens.
func (l *Log) commit(ctx context.Context, raw []byte, next head, g growth) error {
	staged, err := join(g.leaves)
	if err != nil {
		return err
	}
	if err := l.keep(ctx, stagingPath(next), staged); err != nil {
		return err
	}
	if err := l.cfg.Head.Swap(ctx, raw, next.encode()); err != nil {
		return fmt.Errorf("swap head: %w", err)
	}
	return l.publish(ctx, next, g)
}

// Has reports which of entries, at most MaxBatch, the log has. It writes nothing but
// what a crash left unfinished.
func (l *Log) Has(ctx context.Context, entries []Entry) ([]bool, error) {
	if len(entries) > MaxBatch {
		return nil, fmt.Errorf("look: %d entries, limit %d", len(entries), MaxBatch)
	}
	b, err := newBatch(entries)
	if err != nil {
		return nil, err
	}
	for range l.cfg.Attempts {
		tree, _, err := l.settle(ctx)
		if err != nil {
			return nil, err
		}
		placed, err := l.find(ctx, newReader(l.cfg.Objects.Read, tree), b)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil {
			return nil, err
		}
		has := make([]bool, len(placed))
		for i, p := range placed {
			has[i] = p.Duplicate
		}
		return has, nil
	}
	return nil, ErrContended
}

// find looks for the entries of b that the log has.
func (l *Log) find(ctx context.Context, r *reader, b batch) ([]Placed, error) {
	placed := make([]Placed, len(b.paths))
	found := make([][]byte, len(b.paths))
	err := each(ctx, l.cfg.Parallel, len(b.paths), func(ctx context.Context, i int) error {
		data, err := l.cfg.Objects.Read(ctx, b.paths[i])
		if err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("look for entry: %w", err)
		}
		found[i] = data
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i, data := range found {
		if data == nil {
			continue
		}
		// An index that points elsewhere would keep an entry out of the log.
		leaf, index, err := r.indexed(ctx, b.paths[i], data)
		if err != nil {
			return nil, err
		}
		placed[i] = Placed{Index: index, Duplicate: true, Differs: !bytes.Equal(leaf, b.leaves[i])}
	}
	return placed, nil
}

// indexed returns the entry that the object at path, with data, stands for.
func (r *reader) indexed(ctx context.Context, path string, data []byte) ([]byte, int64, error) {
	index, err := strconv.ParseInt(string(data), 10, 64)
	if err == nil && index >= r.tree.N {
		// Another writer was first, if it left what it writes before any index.
		switch _, err := r.read(ctx, nextPath(r.tree.N)); {
		case err == nil:
			return nil, 0, fmt.Errorf("%s: %w", path, ErrConflict)
		case !errors.Is(err, ErrNotFound):
			return nil, 0, fmt.Errorf("read %s: %w", nextPath(r.tree.N), err)
		}
	}
	if err != nil || index < 0 || index >= r.tree.N {
		return nil, 0, &TamperError{Path: path, Index: -1, Why: "is not the index of an entry"}
	}
	leaf, err := r.entry(ctx, index)
	if err != nil {
		return nil, 0, err
	}
	if e, err := Decode(leaf); err != nil || e.idPath() != path {
		return nil, 0, &TamperError{Path: path, Index: index, Why: "is the index of another entry"}
	}
	return leaf, index, nil
}

package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
)

// Newest returns the newest checkpoint of the log whose head is in h, and writes
// nothing: where an append is under way, it is the one before.
func Newest(ctx context.Context, o Objects, h Head, v note.Verifier) (Checkpoint, error) {
	raw, err := h.Load(ctx)
	if errors.Is(err, ErrNotFound) {
		return Checkpoint{}, ErrNoLog
	}
	if err != nil {
		return Checkpoint{}, fmt.Errorf("read head: %w", err)
	}
	at, err := parseHead(raw)
	if err != nil {
		return Checkpoint{}, err
	}
	signed, err := o.Read(ctx, checkpointPath(at.Size))
	if errors.Is(err, ErrNotFound) && at.PrevSize > 0 {
		if at, err = readHead(ctx, o.Read, at); err == nil {
			signed, err = o.Read(ctx, checkpointPath(at.Size))
		}
	}
	path := checkpointPath(at.Size)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("read %s: %w", path, err)
	}
	tree, err := OpenCheckpoint(signed, v)
	if err == nil && tree != at.tree() {
		err = errors.New("it is not of the tree that the head says")
	}
	if err != nil {
		return Checkpoint{}, &TamperError{Path: path, Index: -1, Why: err.Error()}
	}
	return Checkpoint{Signed: signed, Tree: tree, head: at}, nil
}

// Backwards gives do each entry of the log of c, the newest first, until do says that
// it wants no more. Each is proven to be in the tree of c; what does not fit is a
// *TamperError. It holds a few bundles of entries at a time.
func Backwards(ctx context.Context, o Objects, c Checkpoint, do func(index int64, line []byte) (more bool, err error)) error {
	const keep = 64 // bundles whose tiles of hashes are read once
	r := newReader(o.Read, c.head)
	for n := (c.Tree.N - 1) / torchwood.TileWidth; n >= 0 && c.Tree.N > 0; n-- {
		if n%keep == 0 {
			r = newReader(o.Read, c.head)
		}
		leaves, err := r.bundle(ctx, n)
		if err != nil {
			return r.blame(err, n*torchwood.TileWidth)
		}
		delete(r.got, bundlePath(c.Tree.N, n))
		for i, leaf := range slices.Backward(leaves) {
			if more, err := do(n*torchwood.TileWidth+int64(i), leaf); err != nil || !more {
				return err
			}
		}
	}
	return nil
}

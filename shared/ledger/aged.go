package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"
)

// again returns a partial tile that is gone, and keeps it and the others of the tree.
func (r *reader) again(ctx context.Context, path string) ([]byte, error) {
	missing := &TamperError{Path: path, Index: -1, Why: "missing"}
	tiles, err := partials(ctx, r.read, r.head)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, missing
	case err != nil:
		return nil, err
	}
	for _, t := range tiles {
		r.got[t.path] = t.data
	}
	if data, ok := r.got[path]; ok {
		return data, nil
	}
	return nil, missing
}

// partials computes the partial tiles of the tree of h from what stays: the batches
// that were staged since the last full tile, and full tiles. What it returns is proven
// by nothing but the root, which whoever uses it compares.
func partials(ctx context.Context, read readFunc, h head) ([]object, error) {
	size := h.Size
	var out []object
	if w := size % torchwood.TileWidth; w > 0 {
		leaves, err := lastLeaves(ctx, read, h, int(w))
		if err != nil {
			return nil, err
		}
		bundle, err := join(leaves)
		if err != nil {
			return nil, err
		}
		var hashes []byte
		for _, leaf := range leaves {
			h := tlog.RecordHash(leaf)
			hashes = append(hashes, h[:]...)
		}
		n := size / torchwood.TileWidth
		out = append(out, object{bundlePath(size, n), bundle}, object{partialPath(0, n, int(w)), hashes})
	}
	for level := 1; size>>(torchwood.TileHeight*level) > 0; level++ {
		width := size >> (torchwood.TileHeight * level)
		first := width / torchwood.TileWidth * torchwood.TileWidth
		if width == first {
			continue
		}
		var hashes []byte
		for n := first; n < width; n++ {
			root, err := tileRoot(ctx, read, tlog.Tile{H: torchwood.TileHeight, L: level - 1, N: n, W: torchwood.TileWidth})
			if err != nil {
				return nil, err
			}
			hashes = append(hashes, root[:]...)
		}
		out = append(out, object{partialPath(level, first/torchwood.TileWidth, int(width-first)), hashes})
	}
	return out, nil
}

func partialPath(level int, n int64, width int) string {
	return torchwood.TilePath(tlog.Tile{H: torchwood.TileHeight, L: level, N: n, W: width})
}

// lastLeaves returns the last n entries of the tree of h, from the batches.
func lastLeaves(ctx context.Context, read readFunc, h head, n int) ([][]byte, error) {
	var leaves [][]byte
	for {
		data, err := read(ctx, stagingPath(h))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", stagingPath(h), err)
		}
		batch, err := split(data)
		if err != nil || int64(len(batch)) != h.Size-h.PrevSize {
			return nil, &TamperError{Path: stagingPath(h), Index: h.PrevSize, Why: "is not the batch of its head"}
		}
		leaves = slices.Concat(batch, leaves)
		if len(leaves) >= n {
			return leaves[len(leaves)-n:], nil
		}
		if h, err = readHead(ctx, read, h); err != nil {
			return nil, err
		}
	}
}

// readHead reads the head that h, which is not the first, grew from.
func readHead(ctx context.Context, read readFunc, h head) (head, error) {
	path := nextPath(h.Before)
	data, err := read(ctx, path)
	if err != nil {
		return head{}, fmt.Errorf("read %s: %w", path, err)
	}
	before, err := parseHead(data)
	if err != nil || before.tree() != h.prev() || before.PrevSize != h.Before {
		return head{}, &TamperError{Path: path, Index: h.Before, Why: "is not the head that the next one grew from"}
	}
	return before, nil
}

// tileRoot returns the root of a full tile.
func tileRoot(ctx context.Context, read readFunc, t tlog.Tile) (tlog.Hash, error) {
	path := torchwood.TilePath(t)
	data, err := read(ctx, path)
	if err != nil {
		return tlog.Hash{}, fmt.Errorf("read %s: %w", path, err)
	}
	if len(data) != t.W*tlog.HashSize {
		return tlog.Hash{}, &TamperError{Path: path, Index: -1, Why: fmt.Sprintf("%d bytes, want %d", len(data), t.W*tlog.HashSize)}
	}
	var sub edge
	for h := range slices.Chunk(data, tlog.HashSize) {
		sub.add(tlog.Hash(h))
	}
	return sub.root(), nil
}

// staged compares the batches, from which partial tiles that are gone are computed, with
// the entries of the last bundle.
func (s *scan) staged(ctx context.Context, leaves [][]byte) error {
	if len(leaves) == torchwood.TileWidth || s.good != s.latest.N { // there are findings about these entries
		return nil
	}
	h, ok := s.heads[s.latest.N]
	for ok && len(leaves) > 0 {
		path := stagingPath(h)
		data, err := s.archive.Read(ctx, path)
		if errors.Is(err, ErrNotFound) {
			s.bad(path, h.PrevSize, "missing")
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		batch, err := split(data)
		n := min(len(leaves), len(batch))
		if err != nil || int64(len(batch)) != h.Size-h.PrevSize || !slices.EqualFunc(batch[len(batch)-n:], leaves[len(leaves)-n:], bytes.Equal) {
			s.bad(path, h.PrevSize, "does not hold the entries from %d on", h.PrevSize)
			return nil //nolint:nilerr // it is a finding
		}
		leaves = leaves[:len(leaves)-n]
		h, ok = s.heads[h.PrevSize]
	}
	return nil
}

package ledger

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"
)

// edge computes the root of a growing tree from its whole subtrees.
type edge struct {
	n    int64
	subs []tlog.Hash // of falling size: the ones in n's binary digits
}

func (e *edge) add(h tlog.Hash) {
	for n := e.n; n&1 == 1; n >>= 1 {
		h = tlog.NodeHash(e.subs[len(e.subs)-1], h)
		e.subs = e.subs[:len(e.subs)-1]
	}
	e.subs = append(e.subs, h)
	e.n++
}

func (e *edge) root() tlog.Hash {
	if len(e.subs) == 0 {
		return sha256.Sum256(nil)
	}
	h := e.subs[len(e.subs)-1]
	for i := len(e.subs) - 2; i >= 0; i-- {
		h = tlog.NodeHash(e.subs[i], h)
	}
	return h
}

// level is the tile that is being filled at one level.
type level struct {
	n       int64
	hashes  []tlog.Hash
	bundles string // where the entries are, at level 0
}

// hash takes one more hash at level l, and compares the tile when it is full.
func (s *scan) hash(ctx context.Context, l int, h tlog.Hash, bundle string) error {
	if l == len(s.levels) {
		s.levels = append(s.levels, level{})
	}
	at := &s.levels[l]
	at.hashes, at.bundles = append(at.hashes, h), bundle
	if len(at.hashes) < torchwood.TileWidth {
		return nil
	}
	if err := s.tile(ctx, l); err != nil {
		return err
	}
	var sub edge
	for _, h := range at.hashes {
		sub.add(h)
	}
	at.n, at.hashes = at.n+1, at.hashes[:0]
	return s.hash(ctx, l+1, sub.root(), "")
}

// flush compares the partial tiles at the end of the latest tree.
func (s *scan) flush(ctx context.Context) error {
	for l := range s.levels {
		if len(s.levels[l].hashes) == 0 {
			continue
		}
		if err := s.tile(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

// tile compares the tile at level l with the one that is stored.
func (s *scan) tile(ctx context.Context, l int) error {
	at := s.levels[l]
	path := torchwood.TilePath(tlog.Tile{H: torchwood.TileHeight, L: l, N: at.n, W: len(at.hashes)})
	span := int64(1) << (torchwood.TileHeight * l) // entries below one hash
	first := at.n * torchwood.TileWidth * span
	data, err := s.archive.Read(ctx, path)
	switch {
	case errors.Is(err, ErrNotFound) && Passing(path):
		s.report.Aged++ // the entries prove what was in it
		return nil
	case errors.Is(err, ErrNotFound):
		s.bad(path, first, "missing")
		return nil
	case err != nil:
		return fmt.Errorf("read %s: %w", path, err)
	case len(data) != len(at.hashes)*tlog.HashSize:
		s.bad(path, first, "%d bytes, want %d", len(data), len(at.hashes)*tlog.HashSize)
		return nil
	}
	s.report.Tiles++
	for i, h := range at.hashes {
		if tlog.Hash(data[i*tlog.HashSize:(i+1)*tlog.HashSize]) != h {
			from := first + int64(i)*span
			s.mismatches = append(s.mismatches, mismatch{tile: path, bundle: at.bundles, first: from, last: from + span - 1})
		}
	}
	return nil
}

package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// listing is what there is, sorted by what it is.
type listing struct {
	tiles  []tlog.Tile
	claims []sized
	odd    []string // paths that the log has no object at
}

// sort adds path to l, and returns the entry that it concerns first, or -1.
func (s *scan) sort(l *listing, path string) int64 {
	dir, name, _ := strings.Cut(path, "/")
	switch dir + "/" {
	case "tile/":
		if t, err := torchwood.ParseTilePath(path); err == nil {
			l.tiles = append(l.tiles, t)
			return t.N << (torchwood.TileHeight * (max(t.L, 0) + 1))
		}
	case idDir:
		if len(name) == idLength {
			s.ids[idKey(path)] = false
			return -1
		}
	case checkpointDir, nextDir:
		if size, err := strconv.ParseInt(name, 10, 64); err == nil && size >= 0 && name == strconv.FormatInt(size, 10) {
			l.claims = append(l.claims, sized{path, size})
			return size
		}
	default:
		return -1
	}
	l.odd = append(l.odd, path)
	return -1
}

// sized is the path of an object about a tree of a size.
type sized struct {
	path string
	size int64
}

// readClaims reads checkpoints, and the notes about what followed them.
func (s *scan) readClaims(ctx context.Context, listed []sized, v note.Verifier) error {
	const part = 1000 // in memory at once
	for some := range slices.Chunk(listed, part) {
		data := make([][]byte, len(some))
		err := each(ctx, max(s.check.Parallel, 1), len(some), func(ctx context.Context, i int) error {
			d, err := s.archive.Read(ctx, some[i].path)
			if errors.Is(err, ErrNotFound) { // there is a trace of it
				return nil
			}
			if err != nil {
				return fmt.Errorf("read %s: %w", some[i].path, err)
			}
			data[i] = append([]byte{}, d...)
			return nil
		})
		if err != nil {
			return err
		}
		for i, at := range some {
			s.claim(at, data[i], v)
		}
	}
	return nil
}

// claim takes a checkpoint, or the note about what followed it; nil is one that is gone.
func (s *scan) claim(at sized, data []byte, v note.Verifier) {
	if data == nil {
		s.bad(at.path, at.size, "deleted")
		return
	}
	if strings.HasPrefix(at.path, nextDir) {
		h, err := parseHead(data)
		if err != nil || h.PrevSize != at.size {
			s.bad(at.path, at.size, "is not what followed a tree of %d", at.size)
			return
		}
		s.next[at.size], s.heads[h.Size] = h.Size, h
		s.claims = append(s.claims, claim{at.path, h.tree(), false}, claim{at.path, h.prev(), false})
		return
	}
	tree, err := OpenCheckpoint(data, v)
	switch {
	case err != nil:
		s.bad(at.path, at.size, "%v", err)
		return
	case tree.N != at.size:
		s.bad(at.path, at.size, "is of %d entries", tree.N)
		return
	}
	s.report.Checkpoints++
	s.claims = append(s.claims, claim{at.path, tree, true})
	if tree.N >= s.latest.N {
		s.latest, s.signed = tree, data
	}
}

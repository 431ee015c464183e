package ledger

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// past reports whether t holds more than a tree of size.
func past(t tlog.Tile, size int64) bool {
	shift := torchwood.TileHeight * max(t.L, 0)
	return t.N<<torchwood.TileHeight+int64(t.W) > size>>shift
}

// follow finds how far the log goes by now: others may append while it is listed.
// What they append is not verified, but it is no stranger.
func (s *scan) follow(ctx context.Context, v note.Verifier) error {
	for s.end = s.latest.N; ; {
		data, err := s.archive.Read(ctx, nextPath(s.end))
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", nextPath(s.end), err)
		}
		h, err := parseHead(data)
		if err != nil || h.PrevSize != s.end || h.Size <= s.end {
			return nil //nolint:nilerr // it is a finding already, or will be when it is listed
		}
		from := s.end
		s.end = h.Size
		signed, err := s.archive.Read(ctx, checkpointPath(h.Size))
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", checkpointPath(h.Size), err)
		}
		if tree, err := OpenCheckpoint(signed, v); err != nil || tree != h.tree() {
			s.bad(checkpointPath(h.Size), from, "is not of what followed a tree of %d", from)
			return nil //nolint:nilerr // it is a finding
		}
	}
}

// chain compares checkpoints with the notes about what followed them: a writer goes
// on from a checkpoint only, and leaves a note before it signs the next.
func (s *scan) chain() {
	signed := map[int64]bool{}
	for _, c := range s.claims {
		if c.signed {
			signed[c.tree.N] = true
		}
	}
	for from, to := range s.next {
		since := from > s.latest.N && to <= s.end // it was listed
		switch {
		case !signed[from] && !since:
			s.bad(checkpointPath(from), from, "missing, and the log went on from it")
		case to <= s.latest.N && !signed[to]:
			s.bad(checkpointPath(to), to, "missing")
		case from < s.latest.N && to > s.latest.N:
			s.bad(nextPath(from), from, "skips the last checkpoint")
		}
	}
	for size := range signed {
		if _, ok := s.next[size]; !ok && size < s.latest.N {
			s.bad(nextPath(size), size, "missing")
		}
	}
}

const idLength = 2 * sha256.Size // digits of an id's hash

// idKey is half of an id's hash.
func idKey(path string) string { return path[len(idDir) : len(idDir)+idLength/2] }

func (s *scan) id(path string, index int64, id string) {
	before, ok := s.ids[idKey(id)]
	switch {
	case before:
		s.bad(path, index, "has the writer and id of an earlier entry")
	case !ok:
		s.bad(id, index, "missing")
	}
	s.ids[idKey(id)] = true
}

// strangers finds ids without an entry. One append that is not finished may have some.
func (s *scan) strangers() {
	excused := s.end - s.latest.N
	var unknown []string
	for id, known := range s.ids {
		if !known {
			unknown = append(unknown, id)
		}
	}
	if int64(len(unknown)) > excused {
		s.bad(idDir+slices.Min(unknown)+"...", s.latest.N, "is the id of no entry, as are %d in all, of which %d may be pending", len(unknown), excused)
	}
}

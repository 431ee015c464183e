package watch

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/cell"
	"github.com/keyturn/keyturn/shared/detect"
)

// The parts that the tracks are in, and the index of when each is due.
const (
	partTracks = "tracks"
	partDue    = "due"
)

// maxDue is how many due tracks one batch goes through: the others are due still.
const maxDue = 500

// State keeps what the detections remember in cells. It implements [detect.State].
type State struct{ Cells cell.Store }

// Load implements [detect.State].
func (s State) Load(ctx context.Context, tracks []string) ([]detect.Item, error) {
	cells, err := s.Cells.Load(ctx, partTracks, tracks)
	if err != nil {
		return nil, fmt.Errorf("load tracks: %w", err)
	}
	items := make([]detect.Item, 0, len(cells))
	for _, c := range cells {
		i, err := item(c)
		if err != nil {
			return nil, err
		}
		items = append(items, i)
	}
	return items, nil
}

// Store implements [detect.State].
func (s State) Store(ctx context.Context, items []detect.Item) error {
	var conflict error
	for _, i := range items {
		// The index comes first: a crash leaves a track that is looked at for
		// nothing, and never one that nobody looks at again.
		if !i.Due.IsZero() {
			err := s.Cells.Put(ctx, cell.Cell{Part: partDue, Name: dueName(i.Due) + i.Track, Expires: i.Expires})
			if err != nil && !errors.Is(err, cell.ErrConflict) {
				return fmt.Errorf("store when a track is due: %w", err)
			}
		}
		data := make([]byte, 8, 8+len(i.Data))
		if !i.Due.IsZero() {
			binary.BigEndian.PutUint64(data, uint64(i.Due.Unix())) //nolint:gosec // not before 1970
		}
		err := s.Cells.Put(ctx, cell.Cell{Part: partTracks, Name: i.Track, Revision: i.Revision, Expires: i.Expires, Data: append(data, i.Data...)})
		switch {
		case errors.Is(err, cell.ErrConflict):
			conflict = detect.ErrConflict
		case err != nil:
			return fmt.Errorf("store track: %w", err)
		}
	}
	return conflict
}

// Due implements [detect.State].
func (s State) Due(ctx context.Context, t time.Time) ([]string, error) {
	due := map[string][]cell.Cell{}
	var tracks []string
	enough := errors.New("enough")
	err := s.Cells.Walk(ctx, partDue, dueName(t.Add(time.Second)), func(c cell.Cell) error {
		if len(tracks) == maxDue {
			return enough
		}
		track := c.Name[min(len(c.Name), len(dueName(t))):]
		if due[track] == nil {
			tracks = append(tracks, track)
		}
		due[track] = append(due[track], c)
		return nil
	})
	if err != nil && !errors.Is(err, enough) {
		return nil, fmt.Errorf("list what is due: %w", err)
	}
	items, err := s.Load(ctx, tracks)
	if err != nil {
		return nil, err
	}
	at := map[string]time.Time{}
	for _, i := range items {
		at[i.Track] = i.Due
	}
	var out []string
	for _, track := range tracks {
		still, err := s.still(ctx, due[track], at[track])
		if err != nil {
			return nil, err
		}
		if still {
			out = append(out, track)
		}
	}
	return out, nil
}

// still reports whether a track that is due at d is in cells, and removes the others.
func (s State) still(ctx context.Context, cells []cell.Cell, d time.Time) (still bool, err error) {
	for _, c := range cells {
		if !d.IsZero() && strings.HasPrefix(c.Name, dueName(d)) {
			still = true
			continue
		}
		if err := s.Cells.Remove(ctx, c); err != nil && !errors.Is(err, cell.ErrConflict) {
			return false, fmt.Errorf("remove what is no longer due: %w", err)
		}
	}
	return still, nil
}

func item(c cell.Cell) (detect.Item, error) {
	if len(c.Data) < 8 {
		return detect.Item{}, fmt.Errorf("the track %q is not as it was stored", c.Name)
	}
	i := detect.Item{Track: c.Name, Revision: c.Revision, Expires: c.Expires, Data: c.Data[8:]}
	if due := binary.BigEndian.Uint64(c.Data); due > 0 {
		i.Due = time.Unix(int64(due), 0).UTC() //nolint:gosec // as Store wrote it
	}
	return i, nil
}

// dueName sorts by the time.
func dueName(t time.Time) string { return t.UTC().Format("20060102T150405/") }

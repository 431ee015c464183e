package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/keyturn/keyturn/shared/cell"
	"github.com/keyturn/keyturn/shared/tally"
)

// partSealed has what the ledger says of each hour, until it is compared.
const partSealed = "sealed"

// keepSealed is how long that waits for CloudTrail's files.
const keepSealed = 30 * 24 * time.Hour

// sum is what the ledger says of one key of an hour.
type sum struct {
	tally.Key
	Count  int64        `json:"count"`
	Digest tally.Digest `json:"digest"`
	Parts  []string     `json:"parts"` // tallies that are in it
	// Of these, what was compared, and with which tallies of the files.
	Compared       int64        `json:"compared,omitempty"`
	ComparedDigest tally.Digest `json:"compared_digest"`
	Files          []string     `json:"files,omitempty"`
}

// open returns what of s was not compared yet.
func (s sum) open() (int64, tally.Digest) {
	return s.Count - s.Compared, s.Digest.Minus(s.ComparedDigest)
}

// remember adds tallies, which are in the ledger, to their keys' sums. Adding one
// twice is the same as once.
func (w *Watch) remember(ctx context.Context, tallies []tally.Tally) error {
	for _, t := range tallies {
		if err := w.rememberOne(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

func (w *Watch) rememberOne(ctx context.Context, t tally.Tally) error {
	const attempts = 5
	for range attempts {
		s, c, err := w.sum(ctx, t.Key)
		if err != nil {
			return err
		}
		if slices.Contains(s.Parts, t.Part) {
			return nil
		}
		s.Count, s.Digest, s.Parts = s.Count+t.Count, s.Digest.Plus(t.Digest), append(s.Parts, t.Part)
		if err := w.putSum(ctx, s, c); !errors.Is(err, cell.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("store what the ledger says of an hour: %w", cell.ErrConflict)
}

// sum returns what the ledger says of k.
func (w *Watch) sum(ctx context.Context, k tally.Key) (sum, cell.Cell, error) {
	cells, err := w.Cells.Load(ctx, partSealed, []string{k.Name()})
	if err != nil {
		return sum{}, cell.Cell{}, fmt.Errorf("load what the ledger says of an hour: %w", err)
	}
	if len(cells) == 0 {
		return sum{Key: k}, cell.Cell{Part: partSealed, Name: k.Name()}, nil
	}
	s, err := sumOf(cells[0])
	return s, cells[0], err
}

func (w *Watch) putSum(ctx context.Context, s sum, at cell.Cell) error {
	data, err := json.Marshal(s)
	if err != nil {
		return errors.New("store what the ledger says of an hour: a time that JSON does not know")
	}
	at.Data, at.Expires = data, s.Hour.Add(keepSealed)
	if err := w.Cells.Put(ctx, at); err != nil {
		return fmt.Errorf("store what the ledger says of an hour: %w", err)
	}
	return nil
}

func sumOf(c cell.Cell) (sum, error) {
	var s sum
	if json.Unmarshal(c.Data, &s) != nil || s.Name() != c.Name {
		return sum{}, fmt.Errorf("the sum %q is not as it was stored", c.Name)
	}
	return s, nil
}

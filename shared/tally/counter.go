package tally

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/cell"
)

// ErrSealed says that an hour is on its way to the ledger.
var ErrSealed = errors.New("the tally is being written to the ledger; its reads must come again")

// Counter keeps the tallies that are not in the ledger yet. Cells and NewPart are
// needed. It is safe for concurrent use.
type Counter struct {
	Cells   cell.Store
	Of      string        // what it counts: the part of the cells; "": reads
	NewPart func() string // a name that there was never
}

const attempts = 8 // other writers of one tally are few: one function counts

// Add counts reads. When it returns nil all are counted; after an error some may
// be, and counting all again counts none twice. An error that is ErrSealed passes
// when [Counter.Seal] has gone on.
func (c *Counter) Add(ctx context.Context, reads []Read) error {
	groups := map[string][]Read{}
	for _, r := range reads {
		r.Hour = r.Hour.UTC()
		groups[r.ID()] = append(groups[r.ID()], r)
	}
	for range attempts {
		if len(groups) == 0 {
			return nil
		}
		if err := c.add(ctx, groups); err != nil {
			return err
		}
	}
	return fmt.Errorf("count reads: %w", cell.ErrConflict)
}

// Has returns which of names, of keys, have a tally that is not removed yet.
func (c *Counter) Has(ctx context.Context, names []string) (map[string]bool, error) {
	cells, err := c.Cells.Load(ctx, c.part(), names)
	if err != nil {
		return nil, fmt.Errorf("load tallies: %w", err)
	}
	out := map[string]bool{}
	for _, one := range cells {
		out[one.Name] = true
	}
	return out, nil
}

// Oldest returns the hour of the oldest tally that is not removed yet, or t if none
// is of an hour that began before t.
func (c *Counter) Oldest(ctx context.Context, t time.Time) (time.Time, error) {
	enough := errors.New("enough")
	err := c.Cells.Walk(ctx, c.part(), Before(t), func(s cell.Cell) error {
		one, err := decode(s)
		if err != nil {
			return err
		}
		t = one.Hour
		return enough
	})
	if err != nil && !errors.Is(err, enough) {
		return t, fmt.Errorf("look for tallies: %w", err)
	}
	return t, nil
}

// add counts what it can of groups, and removes that from them.
func (c *Counter) add(ctx context.Context, groups map[string][]Read) error {
	ids := slices.Sorted(maps.Keys(groups))
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = groups[id][0].Name()
	}
	stored, err := c.Cells.Load(ctx, c.part(), names)
	if err != nil {
		return fmt.Errorf("load tallies: %w", err)
	}
	tallies := map[string]Tally{}
	for _, s := range stored {
		t, err := decode(s)
		if err != nil {
			return err
		}
		tallies[t.ID()] = t
	}
	var sealed error
	for _, id := range ids {
		t, ok := tallies[id]
		if !ok {
			t = Tally{Key: groups[id][0].Key, Part: c.NewPart()}
		}
		if t.Sealed {
			sealed = ErrSealed
			continue
		}
		if t.Add(groups[id]...) > 0 {
			switch err := c.put(ctx, t); {
			case errors.Is(err, cell.ErrConflict):
				continue
			case err != nil:
				return fmt.Errorf("store tally: %w", err)
			}
		}
		delete(groups, id)
	}
	return sealed
}

// Seal gives every tally of an hour that began before t to write, as it will stay,
// and removes it when write returns nil. write gets some of them again after a
// crash, with the same Part and content.
func (c *Counter) Seal(ctx context.Context, t time.Time, write func(context.Context, []Tally) error) error {
	var batch []Tally
	err := c.Cells.Walk(ctx, c.part(), Before(t), func(s cell.Cell) error {
		switch t, err := c.seal(ctx, s); {
		case errors.Is(err, cell.ErrConflict):
			return nil // it is counted into at this moment: the next time
		case err != nil:
			return err
		default:
			batch = append(batch, t)
		}
		if len(batch) < maxBatch {
			return nil
		}
		full := batch
		batch = nil
		return c.end(ctx, full, write)
	})
	if err != nil {
		return err
	}
	return c.end(ctx, batch, write)
}

func (c *Counter) seal(ctx context.Context, s cell.Cell) (Tally, error) {
	t, err := decode(s)
	if err != nil || t.Sealed {
		return t, err
	}
	t.Sealed = true
	if err := c.put(ctx, t); err != nil {
		return t, fmt.Errorf("seal tally: %w", err)
	}
	t.Revision++
	return t, nil
}

// end removes what it could write.
func (c *Counter) end(ctx context.Context, batch []Tally, write func(context.Context, []Tally) error) error {
	if len(batch) == 0 {
		return nil
	}
	if err := write(ctx, batch); err != nil {
		return err
	}
	for _, t := range batch {
		if err := c.Cells.Remove(ctx, cell.Cell{Part: c.part(), Name: t.Name(), Revision: t.Revision}); err != nil {
			return fmt.Errorf("remove tally: %w", err)
		}
	}
	return nil
}

const (
	hourName = "2006-01-02T15"
	maxBatch = 500
)

// Before is less than the names of all keys of t's hour and later ones, and not less
// than those of earlier ones.
func Before(t time.Time) string { return t.UTC().Format(hourName) }

// Name is the name of k's cell. It sorts by the hour.
func (k Key) Name() string { return k.Hour.UTC().Format(hourName) + "/" + k.ID() }

func (c *Counter) part() string { return cmp.Or(c.Of, "reads") }

func (c *Counter) put(ctx context.Context, t Tally) error {
	data, err := json.Marshal(t)
	if err != nil {
		return errors.New("the tally's time is not one that JSON knows")
	}
	return c.Cells.Put(ctx, cell.Cell{Part: c.part(), Name: t.Name(), Revision: t.Revision, Data: data})
}

func decode(c cell.Cell) (Tally, error) {
	var t Tally
	if err := json.Unmarshal(c.Data, &t); err != nil || t.Name() != c.Name {
		return Tally{}, fmt.Errorf("the tally %q is not as it was stored", c.Name)
	}
	t.Revision = c.Revision
	return t, nil
}

// Totals sums the tallies of one Key, in the order of their keys.
func Totals(tallies []Tally) []Tally {
	sums := map[string]Tally{}
	for _, t := range tallies {
		s, ok := sums[t.ID()]
		if !ok {
			s = Tally{Key: t.Key, First: t.First}
		}
		s.Count += t.Count
		s.Digest = s.Digest.Plus(t.Digest)
		if t.First.Before(s.First) {
			s.First = t.First
		}
		if t.Last.After(s.Last) {
			s.Last = t.Last
		}
		sums[t.ID()] = s
	}
	return slices.SortedFunc(maps.Values(sums), func(a, b Tally) int {
		if c := a.Hour.Compare(b.Hour); c != 0 {
			return c
		}
		return strings.Compare(a.ID(), b.ID())
	})
}

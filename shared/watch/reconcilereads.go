package watch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/keyturn/keyturn/shared/cell"
	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/tally"
)

// unknown returns the eventIDs of those reads of whose hour, principal, secret and
// network nothing was seen at all. Where something was, the detections saw it.
func (r *Reconciler) unknown(ctx context.Context, reads []tally.Read) (map[string]bool, error) {
	names := map[string][]string{}
	for _, one := range reads {
		if r.Abroad {
			break
		}
		names[one.Name()] = append(names[one.Name()], one.EventID)
	}
	seen, err := r.Watch.Counter.Has(ctx, slices.Sorted(maps.Keys(names)))
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(names, func(name string, _ []string) bool { return seen[name] })
	sums, err := r.Watch.Cells.Load(ctx, partSealed, slices.Sorted(maps.Keys(names)))
	if err != nil {
		return nil, fmt.Errorf("load what the ledger says of an hour: %w", err)
	}
	for _, c := range sums {
		delete(names, c.Name)
	}
	out := map[string]bool{}
	for _, ids := range names {
		for _, id := range ids {
			out[id] = true
		}
	}
	return out, nil
}

// count counts those of reads whose whole hour is expected.
func (r *run) count(ctx context.Context, reads []tally.Read) error {
	return r.Counter.Add(ctx, slices.DeleteFunc(reads, func(one tally.Read) bool { return r.Abroad || one.Hour.Before(r.Began) }))
}

// compare compares the reads of the hours that both the files and the ledger are done
// with, and adds to the ledger what it lacks.
func (r *run) compare(ctx context.Context) error {
	if r.Abroad {
		return nil
	}
	before := r.Through.Add(-Settled).Truncate(time.Hour)
	if limit := r.Watch.Now().Add(-2 * Settled).Truncate(time.Hour); limit.Before(before) {
		before = limit
	}
	// What is on its way to the ledger is not missing there.
	if _, err := r.Watch.Seal(ctx); err != nil {
		return err
	}
	before, err := r.Watch.Counter.Oldest(ctx, before)
	if err != nil {
		return err
	}
	err = r.Counter.Seal(ctx, before, func(ctx context.Context, tallies []tally.Tally) error {
		groups := map[string][]tally.Tally{}
		for _, t := range tallies {
			groups[t.Name()] = append(groups[t.Name()], t)
		}
		for _, name := range slices.Sorted(maps.Keys(groups)) {
			if err := r.compareOne(ctx, groups[name]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	// What is left was read, says the ledger, and CloudTrail's files do not.
	return r.Watch.Cells.Walk(ctx, partSealed, tally.Before(before), func(c cell.Cell) error { return r.left(ctx, c, before) })
}

func (r *run) left(ctx context.Context, c cell.Cell, before time.Time) error {
	s, err := sumOf(c)
	if err != nil {
		return err
	}
	if left, _ := s.open(); left > 0 {
		if !s.Hour.Before(r.Began) {
			if err := r.differ(ctx, s.Key, s.Count-left, s.Count); err != nil {
				return err
			}
		}
		s.Compared, s.ComparedDigest = s.Count, s.Digest
		if err := r.Watch.putSum(ctx, s, c); err != nil {
			return err
		}
		c.Revision++
	}
	if s.Hour.Add(keepCompared).After(before) {
		return nil
	}
	if err := r.Watch.Cells.Remove(ctx, c); err != nil && !errors.Is(err, cell.ErrConflict) {
		return fmt.Errorf("remove what was compared: %w", err)
	}
	return nil
}

// keepCompared is how long what was compared is known, for reads that come very late.
const keepCompared = 24 * time.Hour

// compareOne compares the files' tallies of one key, which were not compared before. A
// difference is noted first, then added to the ledger, and then it is compared.
func (r *run) compareOne(ctx context.Context, files []tally.Tally) error {
	s, c, err := r.Watch.sum(ctx, files[0].Key)
	if err != nil {
		return err
	}
	files = slices.DeleteFunc(files, func(t tally.Tally) bool { return slices.Contains(s.Files, t.Part) })
	if len(files) == 0 {
		return nil
	}
	f := tally.Totals(files)[0]
	count, digest := s.open()
	r.Reads += f.Count
	if count != f.Count || digest != f.Digest {
		if err := r.differ(ctx, f.Key, f.Count, count); err != nil {
			return err
		}
	}
	if f.Count > count {
		e, err := sealed(tally.Tally{
			Key: f.Key, Part: "missed-" + files[0].Part, Count: f.Count - count, Digest: f.Digest.Minus(digest), First: f.First, Last: f.Last,
		})
		if err != nil {
			return err
		}
		if err := r.Watch.append(ctx, []ledger.Entry{e}); err != nil {
			return err
		}
	}
	s.Compared, s.ComparedDigest = s.Count, s.Digest
	for _, t := range files {
		s.Files = append(s.Files, t.Part)
	}
	return r.Watch.putSum(ctx, s, c)
}

// differ notes a difference once, before anything follows from it.
func (r *run) differ(ctx context.Context, k tally.Key, files, ledger int64) error {
	r.Gap = r.Gap || files >= ledger // as many that are others lack some, too
	d := fmt.Sprintf("%s: %s by %s from %s: %d in the files, %d in the ledger", k.Hour.UTC().Format(time.RFC3339), k.Secret, k.Principal, k.Network, files, ledger)
	var news bool
	if r.Differ, news = once(r.Differ, d); !news {
		return nil
	}
	return r.store(ctx)
}

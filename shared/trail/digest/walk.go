package digest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Link names a digest: what the next one of its chain says of it.
type Link struct {
	Object    string `json:"object"`
	Hash      string `json:"hash"`
	Signature string `json:"signature"`
}

// Position is how far a trail was read. A new one has only Through.
type Position struct {
	Through time.Time `json:"through"` // the digests that end up to then are done
	Last    Link      `json:"last"`    // the one that ends then; zero: not known
	// Backfill are the backfill digests that are done, of the last [BackfillWindow].
	Backfill []string `json:"backfill,omitempty"`
	// Open is the digest that was begun, and Files how many of its files are done.
	Open  string `json:"open,omitempty"`
	Files int    `json:"files,omitempty"`
}

// BackfillWindow is how long after an hour a backfill digest of it is looked for.
// CloudTrail does not say how late one may come.
const BackfillWindow = 72 * time.Hour

// backfillEnd ends the name of a digest of files that were late for their hour's.
const backfillEnd = "_backfill.json.gz"

// Step is a file of records whose hash is right, or a problem, or neither: a digest is
// done.
type Step struct {
	Key     string // of the file, or of the digest
	Data    []byte // of the file, not compressed
	Problem string // what is missing or not as it was: a sentence
	Next    Position
}

// File is a file of records whose hash is right.
type File struct {
	Key  string
	Data []byte // not compressed
}

// Report is what was found wrong, and how far the files are proven.
type Report struct {
	Digests, Files int
	Through        time.Time // all is proven, or told below, of what was delivered before; zero: no digest was found
	Problems       []string  // a digest or file that is missing or not as it was, a gap: a sentence each
}

// Walk gives f each file that the digests with an end after from and not after to
// name, and returns what is wrong with them: see [Trail.Resume]. The first of them
// must follow the digest that ends at from, if there is one.
func (t Trail) Walk(ctx context.Context, from, to time.Time, f func(File) error) (Report, error) {
	var r Report
	err := t.Resume(ctx, Position{Through: from}, to, func(s Step) error {
		switch {
		case s.Problem != "":
			r.Problems = append(r.Problems, s.Problem)
		case s.Data != nil:
			r.Files++
			return f(File{s.Key, s.Data})
		default:
			r.Digests++
			r.Through = s.Next.Through
		}
		return nil
	})
	return r, err
}

// Resume goes on at a position, and gives f, oldest first, each file that the digests
// up to to name, and each problem once. A file or digest that is not as CloudTrail
// delivered it is a problem and not given. Whoever keeps the Next of the last step that
// f did not refuse misses nothing, and is told nothing twice. The error is f's, or that
// of a call to AWS, after which it may be done again.
func (t Trail) Resume(ctx context.Context, at Position, to time.Time, f func(Step) error) error {
	// The keys' list misses one that came into use a moment ago, without some room.
	keys, err := t.Keys.PublicKeys(ctx, at.Through.Add(-BackfillWindow-24*time.Hour), to.Add(2*time.Hour))
	if err != nil {
		return fmt.Errorf("list public keys: %w", err)
	}
	names, err := t.names(ctx, at.Through, to)
	if err != nil {
		return err
	}
	w := walk{t, keys, at, names, f}
	for _, n := range names {
		var err error
		switch {
		case n.backfill:
			err = w.late(ctx, n)
		case n.end.After(at.Through):
			err = w.digest(ctx, n)
		case n.end.Equal(at.Through) && at.Last == Link{}:
			err = w.before(ctx, n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// name is that of a digest.
type name struct {
	key      string
	end      time.Time
	backfill bool
}

// names lists the digests up to to, and before from as far as a backfill may be new.
func (t Trail) names(ctx context.Context, from, to time.Time) ([]name, error) {
	var all []name
	since := from.Add(-BackfillWindow)
	err := t.Objects.List(ctx, t.dir(), t.key(since.Add(-time.Second)), func(key string) error {
		if end, backfill, ok := t.at(key); ok && !end.Before(since) && !end.After(to) {
			all = append(all, name{key, end, backfill})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list digests: %w", err)
	}
	return all, nil
}

// walk is one call of Resume.
type walk struct {
	Trail

	keys  map[string][]byte
	at    Position
	names []name
	f     func(Step) error
}

// before takes the digest at the beginning for the one that the first must follow.
func (w *walk) before(ctx context.Context, n name) error {
	d, err := w.read(ctx, n.key, w.keys)
	if _, bad := errors.AsType[*invalid](err); bad {
		return nil
	}
	if err != nil {
		return err
	}
	w.at.Last = d.link()
	return nil
}

// digest gives the files of an hour's digest.
func (w *walk) digest(ctx context.Context, n name) error {
	done := Position{Through: n.end, Backfill: w.at.Backfill}
	d, err := w.read(ctx, n.key, w.keys)
	if problem, bad := errors.AsType[*invalid](err); bad {
		return w.give(Step{Key: n.key, Problem: problem.Error(), Next: done})
	}
	if err != nil {
		return err
	}
	if err := w.files(ctx, d, d.follows(w.at.Last, w.at.Through)); err != nil {
		return err
	}
	done.Last, done.Backfill = d.link(), w.at.Backfill
	return w.give(Step{Key: n.key, Next: done})
}

// late gives the files of a backfill digest that is new.
func (w *walk) late(ctx context.Context, n name) error {
	if slices.Contains(w.at.Backfill, n.key) {
		return nil
	}
	d, err := w.read(ctx, n.key, w.keys)
	if problem, bad := errors.AsType[*invalid](err); bad {
		return w.give(Step{Key: n.key, Problem: problem.Error(), Next: w.done(n)})
	}
	if err != nil {
		return err
	}
	gap := ""
	if end, _, ok := w.Trail.at(d.PreviousObject); ok && end.After(w.names[0].end) && !w.has(d.PreviousObject) {
		gap = "the digest before it, " + d.PreviousObject + ", is missing"
	}
	if err := w.files(ctx, d, gap); err != nil {
		return err
	}
	return w.give(Step{Key: n.key, Next: w.done(n)})
}

// done is the position once a backfill digest is done too.
func (w *walk) done(n name) Position {
	next := w.at
	next.Open, next.Files = "", 0
	next.Backfill = slices.DeleteFunc(slices.Clone(w.at.Backfill), func(key string) bool {
		end, _, ok := w.Trail.at(key)
		return !ok || end.Before(w.at.Through.Add(-BackfillWindow))
	})
	next.Backfill = append(next.Backfill, n.key)
	return next
}

func (w *walk) has(key string) bool {
	return slices.Contains(w.at.Backfill, key) || slices.ContainsFunc(w.names, func(n name) bool { return n.key == key })
}

// files gives those files of d that are not done, and before them what is wrong with
// its place in the chain.
func (w *walk) files(ctx context.Context, d *document, gap string) error {
	next := w.at
	if next.Open != d.Object {
		next.Open, next.Files = d.Object, 0
		if gap != "" {
			if err := w.give(Step{Key: d.Object, Problem: d.Object + ": " + gap, Next: next}); err != nil {
				return err
			}
		}
	}
	for _, l := range d.Files[min(next.Files, len(d.Files)):] {
		data, why, err := w.file(ctx, l)
		if err != nil {
			return err
		}
		next.Files++
		s := Step{Key: l.Object, Data: data, Next: next}
		if why != "" {
			s.Data, s.Problem = nil, l.Object+": "+why
		}
		if err := w.give(s); err != nil {
			return err
		}
	}
	return nil
}

// file reads a file, and says what is wrong with it.
func (w *walk) file(ctx context.Context, l entry) (data []byte, why string, err error) {
	raw, _, err := w.Objects.Read(ctx, l.Bucket, l.Object)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, "the file is missing", nil
	case err != nil:
		return nil, "", fmt.Errorf("read file: %w", err)
	case l.Algorithm != "SHA-256":
		return nil, "the file's hash is of a kind that is not known", nil
	}
	data, err = inflate(raw)
	if err != nil || digestOf(data) != l.Hash {
		return nil, "the file is another than it was", nil //nolint:nilerr // it says so
	}
	return data, "", nil
}

func (w *walk) give(s Step) error {
	if err := w.f(s); err != nil {
		return err
	}
	w.at = s.Next
	return nil
}

// Package weekly makes one review a week: it keeps the page, has its hash written
// into the ledger, and tells people. Whatever ends it, it can be run again: a week has
// one review, and the one that was told of is the one that is kept.
package weekly

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/review"
)

// What Objects answer.
var (
	ErrExists   = errors.New("object exists")
	ErrNotFound = errors.New("not found")
	ErrTooLarge = errors.New("larger than a review is")
)

// Objects keep what is written once.
type Objects interface {
	// Read returns what is at path, or an error that is ErrNotFound or ErrTooLarge.
	Read(ctx context.Context, path string) ([]byte, error)
	// Create stores data at path, or returns an error that is ErrExists if there is
	// something. After any other error it may have stored data.
	Create(ctx context.Context, path, contentType string, data []byte) error
	// URL is how people are told where the object at path is.
	URL(path string) string
}

// Weekly makes the review of a week. All fields are needed. It is safe for concurrent use.
type Weekly struct {
	Objects      Objects
	Gather       func(context.Context) (review.Input, error)
	Audit        audit.Sink
	Notifier     notify.Notifier
	Installation string
	Now          func() time.Time
}

// Done says what a run did.
type Done struct {
	Week     string `json:"week"` // "2026-W48"
	Report   string `json:"report"`
	SHA256   string `json:"sha256"`  // of the page
	Already  bool   `json:"already"` // it had been done: nobody was told again
	Keys     int    `json:"keys"`
	Findings int    `json:"findings"` // keys with one
}

// Run makes the review of the week that it is now, or finishes it. If it ended between
// the notification and the note that it went out, the next run tells again, with the
// same message ID: somebody told twice is better than nobody.
func (w *Weekly) Run(ctx context.Context) (Done, error) {
	now := w.Now().UTC()
	week := Week(now)
	done := Done{Week: week, Report: w.Objects.URL(path(week, "review.html"))}
	if mark, err := w.Objects.Read(ctx, path(week, "announced")); err == nil {
		done.Already, done.SHA256 = true, string(mark)
		return done, nil
	} else if !errors.Is(err, ErrNotFound) {
		return done, fmt.Errorf("see whether the week's review was told of: %w", err)
	}
	r, data, err := w.made(ctx, now, week)
	if err != nil {
		return done, err
	}
	page, err := w.written(ctx, week, r)
	if err != nil {
		return done, err
	}
	done.SHA256, done.Keys, done.Findings = hashed(page), len(r.Keys), found(r)
	// The page's hash is in the ledger before anybody is told of the page.
	err = w.Audit.Record(ctx, audit.Record{
		ID: "review-" + week, Time: r.At, Act: audit.Review, Phase: audit.Fact, Function: "review", Detail: map[string]string{
			"week": week, "report": done.Report, "sha256": done.SHA256, "json_sha256": hashed(data),
			"keys": strconv.Itoa(done.Keys), "findings": strconv.Itoa(done.Findings),
		},
	})
	if err != nil {
		return done, fmt.Errorf("have the page's hash written into the ledger: %w", err)
	}
	if err := w.Notifier.Notify(ctx, w.message(r, done)); err != nil {
		return done, fmt.Errorf("tell of the review: %w", err)
	}
	if err := w.create(ctx, path(week, "announced"), "text/plain", []byte(done.SHA256)); err != nil {
		return done, fmt.Errorf("note that the review was told of: %w", err)
	}
	return done, nil
}

// Week names the ISO week of t.
func Week(t time.Time) string {
	year, week := t.UTC().ISOWeek()
	return fmt.Sprintf("%d-W%02d", year, week)
}

func path(week, name string) string { return week + "/" + name }

// made returns the week's review: the one that is kept, if a run before got so far.
func (w *Weekly) made(ctx context.Context, now time.Time, week string) (review.Review, []byte, error) {
	at := path(week, "review.json")
	data, err := w.Objects.Read(ctx, at)
	if errors.Is(err, ErrNotFound) {
		if data, err = w.fresh(ctx, now); err == nil {
			data, err = w.keep(ctx, at, "application/json", data)
		}
	}
	if err != nil {
		return review.Review{}, nil, fmt.Errorf("make the review: %w", err)
	}
	var r review.Review
	if err := json.Unmarshal(data, &r); err != nil {
		return r, nil, fmt.Errorf("read the week's review: %w", err)
	}
	if r.Version != review.Version {
		return r, nil, fmt.Errorf("read the week's review: it has version %d, this is for %d", r.Version, review.Version)
	}
	return r, data, nil
}

func (w *Weekly) fresh(ctx context.Context, now time.Time) ([]byte, error) {
	in, err := w.Gather(ctx)
	if err != nil {
		return nil, err
	}
	if in.Unanswered {
		if err := w.again(ctx, now); err != nil {
			return nil, err
		}
	}
	r := review.Make(in)
	before, err := w.before(ctx, now)
	if err != nil {
		return nil, err
	}
	if before != nil {
		r.Since(*before)
	}
	var b bytes.Buffer
	err = r.WriteJSON(&b)
	return b.Bytes(), err
}

// ErrUnanswered says that AWS did not answer all questions: the next run asks again.
var ErrUnanswered = errors.New("not all questions were answered")

// again returns ErrUnanswered for the first runs of the week: a page of which a part is
// not known for a passing reason stays for a week. After them it is made all the same.
func (w *Weekly) again(ctx context.Context, now time.Time) error {
	for n := range patience {
		err := w.Objects.Create(ctx, path(Week(now), "unanswered-"+strconv.Itoa(n+1)), "text/plain", []byte(now.Format(time.RFC3339)))
		if err == nil {
			return ErrUnanswered
		}
		if !errors.Is(err, ErrExists) {
			return fmt.Errorf("note that a question was not answered: %w", err)
		}
	}
	return nil
}

// patience is how many runs are given up: as often as Lambda tries again.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
const patience = 2

// lookback is over how many weeks the review before is looked for.
const lookback = 9

// before returns the last review that is kept; nil if there is none.
func (w *Weekly) before(ctx context.Context, now time.Time) (*review.Review, error) {
	for n := 1; n <= lookback; n++ {
		data, err := w.Objects.Read(ctx, path(Week(now.AddDate(0, 0, -7*n)), "review.json"))
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil && !errors.Is(err, ErrTooLarge) {
			return nil, fmt.Errorf("read the review before: %w", err)
		}
		var r review.Review
		if err == nil && json.Unmarshal(data, &r) == nil && r.Version == review.Version {
			return &r, nil
		}
		// It is none that this version understands: an older one may be.
	}
	return nil, nil //nolint:nilnil // there was none, and the page says so
}

// written keeps the page and the table, and returns the page that is kept.
func (w *Weekly) written(ctx context.Context, week string, r review.Review) ([]byte, error) {
	var page []byte
	for _, f := range []struct {
		name, contentType string
		write             func(io.Writer) error
	}{
		{"review.csv", "text/csv; charset=utf-8", r.WriteCSV},
		{"review.html", "text/html; charset=utf-8", r.WritePage},
	} {
		var b bytes.Buffer
		err := f.write(&b)
		if err == nil {
			page, err = w.keep(ctx, path(week, f.name), f.contentType, b.Bytes())
		}
		if err != nil {
			return nil, fmt.Errorf("keep %s: %w", f.name, err)
		}
	}
	return page, nil
}

// keep stores data, or returns what was there.
func (w *Weekly) keep(ctx context.Context, at, contentType string, data []byte) ([]byte, error) {
	err := w.Objects.Create(ctx, at, contentType, data)
	if errors.Is(err, ErrExists) {
		return w.Objects.Read(ctx, at)
	}
	return data, err
}

func (w *Weekly) create(ctx context.Context, at, contentType string, data []byte) error {
	if err := w.Objects.Create(ctx, at, contentType, data); !errors.Is(err, ErrExists) {
		return err
	}
	return nil
}

func hashed(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func found(r review.Review) int {
	n := 0
	for _, k := range r.Keys {
		if len(k.Findings) > 0 {
			n++
		}
	}
	return n
}

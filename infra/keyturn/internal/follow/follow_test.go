package follow_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/infra/keyturn/internal/follow"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/store"
)

const token = "the-token"

// rotation is a rotation in time: what is to be seen how long after its start.
type rotation struct {
	began  time.Time
	labels []at[string]
	fails  at[string]
	errs   []at[error]
	looks  int
}

type at[T any] struct {
	after time.Duration
	what  T
}

func latest[T any](r *rotation, list []at[T]) (last T) {
	for _, a := range list {
		if time.Since(r.began) >= a.after {
			last = a.what
		}
	}
	return last
}

func (r *rotation) Describe(context.Context, string) (store.Secret, error) {
	r.looks++
	s := store.Secret{Stages: map[string][]string{"old": {store.Current}}}
	if l := latest(r, r.labels); l != "" {
		s.Stages[token] = []string{l}
	}
	return s, latest(r, r.errs)
}

func (r *rotation) Load(context.Context, string) (keyrecord.Book, error) {
	if r.fails.what == "" || time.Since(r.began) < r.fails.after {
		return keyrecord.Book{}, nil
	}
	return keyrecord.Book{Failure: &keyrecord.Failure{Version: r.fails.what, Step: "testSecret", ErrorType: "KeyRejected", Text: "no"}}, nil
}

func TestWait(t *testing.T) {
	t.Parallel()
	lost := &store.Error{Op: "DescribeSecret"}
	denied := &store.Error{Op: "DescribeSecret", Kind: store.KindDenied}
	failed := func(err error) bool { _, ok := errors.AsType[*follow.FailedError](err); return ok }
	is := func(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }
	pending := at[string]{time.Second, store.Pending}
	for _, tt := range []struct {
		name  string
		r     rotation
		want  func(error) bool
		until time.Duration // it may take this long
	}{
		{"done", rotation{labels: []at[string]{pending, {10 * time.Second, store.Current}}}, is(nil), 14 * time.Second},
		{"done before the first look", rotation{labels: []at[string]{{0, store.Current}}}, is(nil), 0},
		{"done, and replaced by the next one", rotation{labels: []at[string]{pending, {10 * time.Second, store.Previous}}}, is(nil), 14 * time.Second},
		{"a failure of an earlier rotation says nothing", rotation{labels: []at[string]{{5 * time.Second, store.Current}}, fails: at[string]{0, "other"}}, is(nil), 9 * time.Second},
		{"a failure that healed before we looked", rotation{labels: []at[string]{{0, store.Current}}, fails: at[string]{0, token}}, is(nil), 0},
		{"failed", rotation{labels: []at[string]{pending}, fails: at[string]{4 * time.Second, token}}, failed, 8 * time.Second},
		{"failed before it was staged", rotation{fails: at[string]{4 * time.Second, token}}, failed, 8 * time.Second},
		{"abandoned", rotation{labels: []at[string]{pending, {4 * time.Second, ""}}}, is(follow.ErrAbandoned), 8 * time.Second},
		{"a look that fails is repeated", rotation{labels: []at[string]{{5 * time.Second, store.Current}}, errs: []at[error]{{0, lost}, {3 * time.Second, nil}}}, is(nil), 9 * time.Second},
		{"no right to look", rotation{errs: []at[error]{{0, denied}}}, is(denied), 0},
		{"no end in time", rotation{labels: []at[string]{pending}}, is(context.DeadlineExceeded), time.Minute},
		{"no end in time, and why", rotation{errs: []at[error]{{0, lost}}}, is(lost), time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				r := tt.r
				r.began = time.Now()
				err := follow.Watcher{Secrets: &r, Records: &r}.Wait(ctx, "s", token)
				if !tt.want(err) {
					t.Errorf("Wait = %v", err)
				}
				if took := time.Since(r.began); took > tt.until {
					t.Errorf("took %s, want at most %s", took, tt.until)
				}
				if r.looks > 30 {
					t.Errorf("%d looks", r.looks)
				}
			})
		})
	}
}

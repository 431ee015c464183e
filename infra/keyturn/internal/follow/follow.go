// Package follow watches one rotation until it has ended.
package follow

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/store"
)

// Watcher watches rotations. Secrets and Records are needed.
type Watcher struct {
	Secrets interface {
		Describe(ctx context.Context, secretID string) (store.Secret, error)
	}
	Records interface {
		Load(ctx context.Context, secret string) (keyrecord.Book, error)
	}
	// Say is told where the rotation is, at every look. Nil: nobody is.
	Say func(what string)
}

// The pause between two looks grows from first to most.
const (
	first = 200 * time.Millisecond
	most  = 3 * time.Second
)

// FailedError is a rotation that has a failure on record. Secrets Manager may
// still restart it.
type FailedError struct{ Failure keyrecord.Failure }

// Error says the step, the type and the recorded text.
func (e *FailedError) Error() string {
	f := e.Failure
	return fmt.Sprintf("failed in %s: %s: %s", f.Step, f.ErrorType, strings.TrimPrefix(f.Text, f.Step+": "))
}

// ErrAbandoned is a rotation whose version lost its label without ever being
// current: somebody else moved AWSCURRENT, or canceled it.
var ErrAbandoned = errors.New("the rotation ended, and its version did not become current")

// Wait returns nil once token has become the current version of the secret. Its
// other ends are a *[FailedError], [ErrAbandoned], a refusal by Secrets Manager
// and ctx's; an unknown outcome of a look is no end.
func (w Watcher) Wait(ctx context.Context, secret, token string) error {
	if w.Say == nil {
		w.Say = func(string) {}
	}
	l := look{Watcher: w, secret: secret, token: token}
	for pause := first; ; pause = min(pause*3/2, most) {
		if done, err := l.once(ctx); done || err != nil {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(ctx.Err(), l.blind)
		}
	}
}

type look struct {
	Watcher

	secret, token string
	staged        bool  // the version has been seen pending
	blind         error // why the last look saw nothing
}

func (l *look) once(ctx context.Context) (done bool, err error) {
	s, err := l.Secrets.Describe(ctx, l.secret)
	switch {
	case err == nil:
	case store.KindOf(err) == store.KindDenied || store.KindOf(err) == store.KindNotFound:
		return false, err
	default:
		l.blind = err
		return false, nil
	}
	// A later rotation may already have replaced ours.
	if s.Has(l.token, store.Current) || s.Has(l.token, store.Previous) {
		return true, nil
	}
	book, err := l.Records.Load(ctx, l.secret)
	l.blind = err // without the record we still see the end, if it is a good one
	if f := book.Failure; f != nil && f.Version == l.token {
		return false, &FailedError{Failure: *f}
	}
	pending := s.Has(l.token, store.Pending)
	if l.staged && !pending {
		return false, ErrAbandoned
	}
	if pending {
		l.staged = true
		l.Say("the new version is pending: minting, testing")
	} else {
		l.Say("waiting for Secrets Manager to begin")
	}
	return false, nil
}

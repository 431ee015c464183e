package rotation_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/rotation"
	"github.com/keyturn/keyturn/shared/store"
)

// unanswered is a Secrets Manager that moves labels and does not say so.
type unanswered struct {
	rotation.Store

	cause error
}

func (u unanswered) Promote(ctx context.Context, id, to, from string) error {
	if err := u.Store.Promote(ctx, id, to, from); err != nil {
		return err
	}
	return u.cause
}

// A rotation whose last answer was lost is done, and nobody is told that it
// failed.
// Promise: killed-anywhere
func TestPromote_unanswered(t *testing.T) {
	t.Parallel()
	for name, cause := range map[string]error{
		"nobody knows":        &store.Error{Op: "UpdateSecretVersionStage"},
		"sent again, refused": &store.Error{Op: "UpdateSecretVersionStage", Kind: store.KindInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, w *world) {
				w.first()
				w.enable()
				w.steps = nil
				w.engine.Store = unanswered{w.engine.Store, cause}
				w.rotate()
				want := []string{"createSecret: minted", "setSecret: nothing", "testSecret: verified", "finishSecret: promoted"}
				if diff := cmp.Diff(want, w.steps); diff != "" || len(w.records.failures)+len(w.inbox.messages) > 0 {
					t.Errorf("failures %+v, told %+v; steps (-want +got):\n%s", w.records.failures, w.inbox.messages, diff)
				}
			})
		})
	}
}

// The hint in a name that another secret's rotation gave proves nothing here:
// such a key, adopted and replaced, is an older one, though its rotation had the
// token of the current one's.
// Promise: two-generations
func TestHeld_byAdoptedFromAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.first()
		w.enable()
		token := w.stuck()
		w.attempt("other", "prod/other", "11111111-1111-4111-8111-111111111111", time.Hour)
		w.records.book.Keys = []keyrecord.Record{{Secret: name, KeyID: "other", State: keyrecord.Grace, Version: "by-hand", Origin: keyrecord.Adopted}}
		if out, err := w.step(rotation.CreateSecret, token); errorType(err) != string(rotation.Held) {
			t.Errorf("%q, %v; want Held", out, err)
		}
	})
}

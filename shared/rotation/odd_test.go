package rotation_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/rotation"
	"github.com/keyturn/keyturn/shared/store"
	"github.com/keyturn/keyturn/test/cloud"
)

// A call that hangs until the function's time is up leaves enough of it to
// record and tell that.
func TestHangs(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.first()
		w.enable()
		w.cloud.Inject(cloud.Fault{Service: "secretsmanager", Operation: "DescribeSecret", Nth: 1, Count: 9, Effect: cloud.Hang})
		_, err := w.step(rotation.CreateSecret, "99999999-9999-4999-8999-999999999999")
		if errorType(err) != "StoreUnavailable" || len(w.records.failures) != 1 || len(w.inbox.messages) != 1 {
			t.Errorf("%v: %d failures recorded, %d told; want 1 and 1", err, len(w.records.failures), len(w.inbox.messages))
		}
	})
}

// A pending key that somebody deleted at the vendor never goes live, is not
// minted again, and the alert says the way out, which works.
func TestPendingDead(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.first()
		w.enable()
		w.vendor.delay = time.Hour
		token := w.rotate()
		w.vendor.delay = 0
		w.vendor.keys = w.vendor.keys[:2] // the third was the pending one
		for range 3 {
			w.cloud.Clock().Advance(31 * 24 * time.Hour)
			<-time.After(time.Minute) // lets what is due begin
			w.idle()
		}
		if w.rotated() || len(w.vendor.creates) != 2 || !slices.Contains(w.stages()[token], "AWSPENDING") {
			t.Fatalf("%d creates; stages %v; steps %v", len(w.vendor.creates), w.stages(), w.steps)
		}
		if next := strings.Join(w.inbox.messages[0].Next, " "); !strings.Contains(next, "--remove-from-version-id "+token) {
			t.Errorf("the alert says %q", next)
		}
		if _, err := w.sm.UpdateSecretVersionStage(t.Context(), &sm.UpdateSecretVersionStageInput{
			SecretId: aws.String(name), VersionStage: aws.String("AWSPENDING"), RemoveFromVersionId: &token,
		}); err != nil {
			t.Fatal(err)
		}
		w.rotate()
		if !w.rotated() || !w.vendor.accepts(w.value("AWSCURRENT")) {
			t.Errorf("not healed: %v", w.steps)
		}
	})
}

// An alert says nothing for certain that is not.
func TestKnown(t *testing.T) {
	t.Parallel()
	const moved, pending = "AWSCURRENT has not moved", "is stored as AWSPENDING"
	for _, tt := range []struct {
		name   string
		do     func(w *world)
		unsaid []string
		said   string
	}{
		{"the answer to a label's move is lost", func(w *world) {
			w.engine.Store = &broken{Store: w.engine.Store, promote: &store.Error{Op: "UpdateSecretVersionStage"}}
			w.rotate()
		}, []string{moved, pending}, "Whether AWSCURRENT has moved is not known"},
		{"the answer to a put is lost", func(w *world) {
			w.engine.Store = &broken{Store: w.engine.Store, put: &store.Error{Op: "PutSecretValue"}}
			w.rotate()
		}, []string{"No new key was stored", pending}, "Whether the new key was stored is not known"},
		{"testSecret alone", func(w *world) { fails("list", provider.KindAuth)(w); w.enable() }, []string{pending}, moved},
		{"testSecret alone, and the current key is dead", func(w *world) { w.vendor.keys = w.vendor.keys[:1]; w.enable() }, []string{pending, "has not gone live"}, moved},
		{"the first mint", func(w *world) {
			w.vendor.delay = time.Hour
			w.create("prod/second", "")
			w.key.Secret = "prod/second"
			w.engine.Keys = func(string) (config.Key, bool) { return w.key, true }
			_ = w.engine.Init(w.t.Context(), "prod/second", "22222222-2222-4222-8222-222222222222")
		}, []string{moved, pending, "restarts"}, "has no value yet"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, w *world) {
				w.first()
				w.enable()
				tt.do(w)
				if len(w.inbox.messages) == 0 {
					t.Fatalf("nothing told: %v", w.steps)
				}
				m := w.inbox.messages[0]
				text := m.Summary + strings.Join(m.Known, " ")
				for _, s := range tt.unsaid {
					if strings.Contains(text, s) {
						t.Errorf("it says %q: %s", s, text)
					}
				}
				if !strings.Contains(text, tt.said) {
					t.Errorf("it does not say %q: %s", tt.said, text)
				}
			})
		})
	}
}

// broken is a Store that loses its answers to writes, and where a label has
// moved, does not answer any more. No Put takes effect.
type broken struct {
	rotation.Store

	put, promote error
	moved        bool
}

func (b *broken) Put(ctx context.Context, p store.Put) ([]string, error) {
	if b.put != nil {
		return nil, b.put
	}
	return b.Store.Put(ctx, p)
}

func (b *broken) Promote(ctx context.Context, id, to, from string) error {
	err := b.Store.Promote(ctx, id, to, from)
	if err == nil && b.promote != nil {
		b.moved = true
		return b.promote
	}
	return err
}

func (b *broken) Describe(ctx context.Context, id string) (store.Secret, error) {
	if b.moved {
		return store.Secret{}, &store.Error{Op: "DescribeSecret"}
	}
	return b.Store.Describe(ctx, id)
}

// Rights are the vendor's own words: an error holds a few of them, and safely.
func TestScopes_vendorsWords(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.first()
		w.enable()
		token := w.stuck()
		for range 300 {
			w.vendor.scopes = append(w.vendor.scopes, strings.Repeat("\n\x1b", 100))
		}
		_, err := w.step(rotation.CreateSecret, token)
		if errorType(err) != "ScopesDiffer" || len(err.Error()) > 2000 || strings.ContainsAny(err.Error(), "\n\x1b") {
			t.Errorf("%d bytes: %.300q", len(err.Error()), err)
		}
	})
}

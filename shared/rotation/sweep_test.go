package rotation_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/rotation"
	"github.com/keyturn/keyturn/shared/store"
	adapter "github.com/keyturn/keyturn/shared/store/secretsmanager"
	"github.com/keyturn/keyturn/test/cloud"
)

// Any step can be killed anywhere, and the next run mends it.
//
// A rotation runs once to count its calls; then once more for each call and
// each way that a call can go wrong, and again until it is done.
// Promise: killed-anywhere
func TestSweep(t *testing.T) {
	t.Parallel()
	aws, vendor := 0, 0
	synctest.Test(t, func(t *testing.T) {
		w := sweepWorld(t)
		s := &killer{Store: w.engine.Store}
		w.engine.Store = s
		mark := len(w.vendor.calls)
		w.rotate()
		aws, vendor = s.n, len(w.vendor.calls)-mark
		w.healthy("no fault")
	})
	if aws < 9 || vendor < 6 {
		t.Fatalf("%d AWS calls and %d vendor calls: the sweep would prove little", aws, vendor)
	}
	for n := 1; n <= aws; n++ {
		for name, effect := range map[string]cloud.Effect{
			"fails before": cloud.FailBefore, "fails after": cloud.FailAfter, "dropped before": cloud.DropBefore,
			"dropped after": cloud.DropAfter, "hangs": cloud.Hang, "hangs after": cloud.HangAfter,
			"throttled": cloud.Throttle, "stale": cloud.Stale,
		} {
			sweep(t, fmt.Sprintf("AWS call %d %s", n, name), func(w *world) {
				w.cloud.Inject(cloud.Fault{Service: "secretsmanager", Nth: n, Effect: effect})
			})
		}
		for _, after := range []bool{false, true} {
			sweep(t, fmt.Sprintf("AWS call %d killed, after=%v", n, after), func(w *world) {
				w.engine.Store = &killer{Store: w.engine.Store, at: n, after: after}
			})
		}
	}
	for n := 1; n <= vendor; n++ {
		for name, err := range map[string]error{
			"unknown": &provider.Error{Op: "call"}, "limited": &provider.Error{Op: "call", Kind: provider.KindRateLimited}, "killed": errKilled,
		} {
			for _, after := range []bool{false, true} {
				sweep(t, fmt.Sprintf("vendor call %d %s, after=%v", n, name, after), func(w *world) {
					seen := 0
					w.vendor.fail = func(string) (before, beyond error) {
						if seen++; seen != n {
							return nil, nil
						}
						if after {
							return nil, err
						}
						return err, nil
					}
				})
			}
		}
	}
}

func sweepWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.first()
	w.enable()
	// Without the SDK's own retries, or they would hide every single fault.
	cfg := w.cloud.Config()
	cfg.RetryMaxAttempts = 1
	w.engine.Store = adapter.New(sm.NewFromConfig(cfg))
	return w
}

func sweep(t *testing.T, name string, fault func(*world)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w := sweepWorld(t)
			old := w.value(store.Current)
			fault(w)
			// The fault may hit the test's own call.
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, _ = w.sm.RotateSecret(ctx, &sm.RotateSecretInput{SecretId: aws.String("prod/mailer")})
			w.idle()
			reruns := 0
			for ; !w.rotated() && reruns < 3; reruns++ {
				w.cloud.Clock().Advance(31 * 24 * time.Hour)
				<-time.After(time.Minute) // lets what is due begin
				w.idle()
			}
			if reruns > 2 {
				t.Errorf("not healed after %d reruns: %v", reruns, w.steps)
			}
			if !w.vendor.accepts(old) {
				t.Error("the old key is dead, and consumers may hold it")
			}
			w.healthy(name)
		})
	})
}

// rotated reports whether AWSCURRENT has moved from the first key.
func (w *world) rotated() bool {
	return !slices.Contains(w.stages()["11111111-1111-4111-8111-111111111111"], store.Current)
}

// healthy checks what must hold whenever nothing is running.
func (w *world) healthy(what string) {
	w.t.Helper()
	if !w.vendor.accepts(w.value(store.Current)) {
		w.t.Errorf("%s: the vendor does not accept AWSCURRENT", what)
	}
	if !w.vendor.accepts("acme-0-aaaaaaaaaaaaaaaaaaaaaaaa") {
		w.t.Errorf("%s: a foreign key is gone", what)
	}
	asked := map[string]bool{}
	for _, n := range w.vendor.creates {
		if asked[n] {
			w.t.Errorf("%s: a create was sent twice: %s", what, n)
		}
		asked[n] = true
	}
	intents := map[string]bool{}
	for _, r := range w.audit.records {
		if r.Act == audit.Create && r.Phase == audit.Intent {
			intents[r.KeyName] = true
		}
	}
	staged := map[string]bool{}
	for v := range w.stages() {
		staged[keyname.Rotation(v)] = true
	}
	spare := 0
	for _, k := range w.vendor.keys {
		n, ok := keyname.Parse(k.Name)
		if !ok {
			continue
		}
		if !intents[k.Name] {
			w.t.Errorf("%s: %s was made without an intent", what, k.Name)
		}
		if !staged[n.Rotation] {
			w.t.Errorf("%s: %s belongs to no version", what, k.Name)
		}
		if v := k.value; v != w.value(store.Current) && v != w.value(store.Previous) && v != w.value(store.Pending) {
			spare++
		}
	}
	if spare > 1 {
		w.t.Errorf("%s: %d keys whose value is lost, want at most 1", what, spare)
	}
	for _, k := range w.vendor.keys {
		if strings.Contains(w.log.String(), k.value) {
			w.t.Errorf("%s: the log holds a key", what)
		}
	}
}

// killer is a Store whose process dies at its at'th call.
type killer struct {
	rotation.Store

	n, at int
	after bool
}

func kill[T any](k *killer, f func() (T, error)) (T, error) {
	k.n++
	if k.n == k.at && !k.after {
		panic(errKilled)
	}
	v, err := f()
	if k.n == k.at {
		panic(errKilled)
	}
	return v, err
}

func (k *killer) Describe(ctx context.Context, id string) (store.Secret, error) {
	return kill(k, func() (store.Secret, error) { return k.Store.Describe(ctx, id) })
}

func (k *killer) Get(ctx context.Context, id, version, stage string) (store.Version, error) {
	return kill(k, func() (store.Version, error) { return k.Store.Get(ctx, id, version, stage) })
}

func (k *killer) Put(ctx context.Context, p store.Put) ([]string, error) {
	return kill(k, func() ([]string, error) { return k.Store.Put(ctx, p) })
}

func (k *killer) Promote(ctx context.Context, id, to, from string) error {
	_, err := kill(k, func() (struct{}, error) { return struct{}{}, k.Store.Promote(ctx, id, to, from) })
	return err
}

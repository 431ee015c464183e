package rotation_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/rotation"
	"github.com/keyturn/keyturn/shared/store"
)

// changed is a Store whose DescribeSecret says something else.
type changed struct {
	rotation.Store

	from int // the first such call, from 1
	n    int
	to   func(*store.Secret)
}

func (c *changed) Describe(ctx context.Context, id string) (store.Secret, error) {
	s, err := c.Store.Describe(ctx, id)
	if c.n++; c.n >= c.from {
		c.to(&s)
	}
	return s, err
}

// What a secret has become stops createSecret before a mint, and finishSecret
// before the label moves.
// Promise: configured-only
func TestRefuse_secret(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		to   func(*store.Secret)
		want rotation.Type
	}{
		"deleted":           {func(s *store.Secret) { s.Deleted = time.Now() }, rotation.NotOurs},
		"another service's": {func(s *store.Secret) { s.OwningService = "rds" }, rotation.NotOurs},
		"another name":      {func(s *store.Secret) { s.Name = "prod/other" }, rotation.NotOurs},
		"rotation is off":   {func(s *store.Secret) { s.RotationEnabled = false }, rotation.RotationDisabled},
		"not staged":        {func(s *store.Secret) { s.Stages = map[string][]string{"x": {store.Current}} }, rotation.NotStaged},
		"no current version": {func(s *store.Secret) {
			for v, labels := range s.Stages {
				s.Stages[v] = slices.DeleteFunc(slices.Clone(labels), func(l string) bool { return l == store.Current })
			}
		}, rotation.NoCurrent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.first()
				w.enable()
				token, untouched := w.stuck(), w.engine.Store
				w.engine.Store = &changed{Store: untouched, to: tt.to}
				creates := len(w.vendor.creates)
				if _, err := w.step(rotation.CreateSecret, token); errorType(err) != string(tt.want) || len(w.vendor.creates) != creates {
					t.Errorf("createSecret: %v, %d creates", err, len(w.vendor.creates)-creates)
				}
				w.engine.Store = untouched
				if _, err := w.step(rotation.CreateSecret, token); err != nil {
					t.Fatal(err)
				}
				w.engine.Store = &changed{Store: untouched, to: tt.to}
				if _, err := w.step(rotation.FinishSecret, token); errorType(err) != string(tt.want) || w.rotated() {
					t.Errorf("finishSecret: %v, moved: %v", err, w.rotated())
				}
			})
		})
	}
}

// The whole of a value has the vendor's shape, not a part of it.
func TestShape_whole(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.first()
		w.enable()
		token := w.stuck()
		w.vendor.odd = "<b>acme-2-cccccccccccccccccccccccc</b>"
		if _, err := w.step(rotation.CreateSecret, token); errorType(err) != "UnexpectedValue" {
			t.Errorf("%v", err)
		}
	})
}

// A key that may be stored is kept at the vendor.
// Promise: put-is-arbiter
func TestPut_unknown(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.first()
		w.enable()
		token := w.stuck()
		w.engine.Store = &broken{Store: w.engine.Store, put: &store.Error{Op: "PutSecretValue"}}
		if _, err := w.step(rotation.CreateSecret, token); errorType(err) != "StoreUnavailable" || !slices.Contains(w.vendor.live(), "id2") {
			t.Errorf("%v; the vendor holds %v", err, w.vendor.live())
		}
	})
}

// Successes count in a row only, and what cannot get better is not tried again.
func TestSettle_row(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.first()
		w.enable()
		w.vendor.settle = provider.Settle{Within: 30 * time.Second, Every: time.Second, Successes: 3}
		w.rotate()
		token := w.stuckToken()
		n := 0
		w.vendor.fail = func(call string) (before, after error) {
			if n++; call == "verify" && n%3 == 0 {
				return provider.ErrRejected, nil
			}
			return nil, nil
		}
		if _, err := w.step(rotation.TestSecret, token); errorType(err) == "" || err == nil {
			t.Error("never three in a row, and accepted")
		}
		n = 0
		w.vendor.fail = func(string) (before, after error) {
			n++
			return &provider.Error{Op: "verify", Kind: provider.KindPermanent}, nil
		}
		if _, err := w.step(rotation.TestSecret, token); errorType(err) != "VendorRefused" || n != 1 {
			t.Errorf("%v after %d tries", err, n)
		}
	})
}

// stuckToken returns a token whose value is stored, and not yet tried.
func (w *world) stuckToken() string {
	w.t.Helper()
	w.vendor.keys = slices.DeleteFunc(w.vendor.keys, func(k *vendorKey) bool { return k.ID == "id1" })
	token := w.stuck()
	if _, err := w.step(rotation.CreateSecret, token); err != nil {
		w.t.Fatal(err)
	}
	return token
}

// The first mint: the secret is ours, there is room, and nobody was faster.
func TestInit_refuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		do   func(*world)
		want rotation.Type
	}{
		"no room": {func(w *world) { w.vendor.max = 1 }, rotation.VendorFull},
		"another secret": {func(w *world) {
			w.engine.Store = &changed{Store: w.engine.Store, to: func(s *store.Secret) { s.Name = "prod/other" }}
		}, rotation.NotOurs},
		"somebody was faster": {func(w *world) {
			w.engine.Store = &changed{Store: w.engine.Store, from: 2, to: func(s *store.Secret) { s.Stages = map[string][]string{"x": {store.Current}} }}
		}, rotation.HasCurrent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				tt.do(w)
				err := w.engine.Init(t.Context(), "prod/mailer", "22222222-2222-4222-8222-222222222222")
				if errorType(err) != string(tt.want) || len(w.vendor.ours()) != 0 || len(w.stages()) != 0 {
					t.Errorf("%v; keys %v; stages %v", err, w.vendor.ours(), w.stages())
				}
				if told := len(w.inbox.messages); told != 0 != (tt.want != rotation.HasCurrent) {
					t.Errorf("%d alerts", told)
				}
				if failed := len(w.vendor.creates); tt.want == rotation.VendorFull && failed != 0 {
					t.Error("asked for a key where there is no room")
				}
			})
		})
	}
}

// A label that did not move is not said to have.
func TestPromote_fails(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.first()
		w.enable()
		token := w.stuck()
		if _, err := w.step(rotation.CreateSecret, token); err != nil {
			t.Fatal(err)
		}
		w.engine.Store = &stays{w.engine.Store}
		if out, err := w.step(rotation.FinishSecret, token); errorType(err) != "Superseded" || len(w.records.failures) == 0 {
			t.Errorf("%q, %v", out, err)
		}
	})
}

type stays struct{ rotation.Store }

func (stays) Promote(context.Context, string, string, string) error {
	return &store.Error{Op: "UpdateSecretVersionStage", Kind: store.KindInvalid}
}

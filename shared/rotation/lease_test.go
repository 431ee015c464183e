package rotation_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/rotation"
)

// timed are records in which what was said is forgotten at its time.
type timed struct {
	*records

	mu    sync.Mutex
	until map[string]time.Time
}

func (r *timed) First(ctx context.Context, s, id string, ttl time.Duration) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Now().After(r.until[id]) {
		_ = r.Forget(ctx, s, id)
	}
	first, err := r.records.First(ctx, s, id, ttl)
	if first {
		r.until[id] = time.Now().Add(ttl)
	}
	return first, err
}

// staged begins a rotation that gets nowhere: its token is staged and empty.
func (w *world) staged(f *few) (token string) {
	w.t.Helper()
	f.fail = func(string) (before, after error) {
		return &provider.Error{Op: "roll", Kind: provider.KindBlocked}, nil
	}
	token = w.rotate()
	f.fail, w.steps = nil, nil
	if w.stages()[token] == nil || w.value("AWSPENDING") != "" {
		w.t.Fatalf("token %q, stages %v", token, w.stages())
	}
	return token
}

// A run that was killed holds the lease until it must have ended. It is waited
// for, so that the rotation goes on by itself.
// Promise: killed-anywhere
func TestLease_waitedFor(t *testing.T) {
	t.Parallel()
	fewBubble(t, "grace", func(t *testing.T, w *world, f *few) {
		w.engine.Records = &timed{records: w.records, until: map[string]time.Time{}}
		w.first()
		w.enable()
		token, before := w.staged(f), f.count("roll")
		if first, err := w.engine.Records.First(t.Context(), name, "lease", 40*time.Second); !first || err != nil {
			t.Fatal(first, err)
		}
		began := time.Now()
		out, err := w.step(rotation.CreateSecret, token)
		if waited := time.Since(began); out != rotation.Minted || f.count("roll") != before+1 || waited < 40*time.Second {
			t.Errorf("%q, %v after %v; %d rolls", out, err, waited, f.count("roll")-before)
		}
	})
}

// hanging is a vendor that takes long to replace a value.
type hanging struct {
	*few

	takes time.Duration
}

func (h *hanging) Open(config.Key, provider.Admin) (provider.Strategy, error) {
	return provider.RollWithGrace{ID: "the-key", Key: h, MinGrace: time.Hour, MaxGrace: 24 * time.Hour}, nil
}

func (h *hanging) Roll(ctx context.Context, id string, grace time.Duration) (provider.Issued, error) {
	select {
	case <-time.After(h.takes):
		return h.few.Roll(ctx, id, grace)
	case <-ctx.Done():
		return provider.Issued{}, &provider.Error{Op: "roll", Err: ctx.Err()}
	}
}

// When its lease is over a run does nothing more: another may have replaced the
// value again, and the one that is stored would be dead.
// Promise: killed-anywhere
func TestLease_isTheEnd(t *testing.T) {
	t.Parallel()
	fewBubble(t, "grace", func(t *testing.T, w *world, f *few) {
		w.engine.Records = &timed{records: w.records, until: map[string]time.Time{}}
		w.first()
		w.enable()
		token := w.staged(f)
		engine := *w.engine
		engine.Vendors = &hanging{few: f, takes: 4 * time.Minute}
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute) // the longest that a function runs
		defer cancel()
		slow := make(chan error)
		go func() {
			_, err := engine.Rotate(ctx, rotation.Event{Step: rotation.CreateSecret, SecretID: name, Token: token})
			slow <- err
		}()
		time.Sleep(2*time.Minute + 3*time.Second) // the lease has ended
		w.again(token)
		if err := <-slow; errorType(err) != string(rotation.CurrentEnds) {
			t.Errorf("the slow run: %v", err)
		}
		if cur := w.value("AWSCURRENT"); cur != f.keys[len(f.keys)-1].value || !slices.Contains(w.stages()[token], "AWSCURRENT") {
			t.Errorf("current %q is not what the vendor made last; stages %v; %q", cur, w.stages(), w.steps)
		}
	})
}

// A read may be older than what another run with this token has stored, so a
// value is looked for again before one is replaced that may be stored.
// Promise: killed-anywhere
func TestRoll_readsAgain(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"grace", "roll"} {
		fewBubble(t, kind, func(t *testing.T, w *world, f *few) {
			w.first()
			w.enable()
			token, before := w.staged(f), f.count("roll")
			if first, err := w.records.First(t.Context(), name, "roll-"+token, time.Hour); !first || err != nil {
				t.Fatal(first, err)
			}
			go func() {
				time.Sleep(8 * time.Second) // until it shows
				w.putPending(token, `{"apiKey":"few-1-`+strings.Repeat("1", 24)+`"}`)
			}()
			if out, err := w.step(rotation.CreateSecret, token); out != rotation.Found || f.count("roll") != before {
				t.Errorf("%s: %q, %v; %d rolls", kind, out, err, f.count("roll")-before)
			}
		})
	}
}

// Whoever comes too late does not end the lease of another, which would let a
// third replace the value while the second does.
// Promise: killed-anywhere
func TestLease_ofAnother(t *testing.T) {
	t.Parallel()
	fewBubble(t, "grace", func(t *testing.T, w *world, f *few) {
		w.engine.Records = &timed{records: w.records, until: map[string]time.Time{}}
		w.first()
		w.enable()
		token := w.staged(f)
		engine := *w.engine
		engine.Vendors = &deaf{few: f, takes: 3 * time.Minute}
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute) // the longest that a function runs
		defer cancel()
		slow := make(chan error)
		go func() {
			_, err := engine.Rotate(ctx, rotation.Event{Step: rotation.CreateSecret, SecretID: name, Token: token})
			slow <- err
		}()
		time.Sleep(2*time.Minute + 3*time.Second) // the lease has ended
		if first, err := w.engine.Records.First(t.Context(), name, "lease", 2*time.Minute); !first || err != nil {
			t.Fatal(first, err)
		}
		<-slow
		if first, err := w.engine.Records.First(t.Context(), name, "lease", 2*time.Minute); first || err != nil {
			t.Errorf("the second run's lease is free: %v, %v", first, err)
		}
	})
}

// deaf is a vendor whose call outlives its context.
type deaf struct {
	*few

	takes time.Duration
}

func (d *deaf) Open(config.Key, provider.Admin) (provider.Strategy, error) {
	return provider.RollWithGrace{ID: "the-key", Key: d, MinGrace: time.Hour, MaxGrace: 24 * time.Hour}, nil
}

func (d *deaf) Roll(ctx context.Context, id string, grace time.Duration) (provider.Issued, error) {
	time.Sleep(d.takes)
	return d.few.Roll(ctx, id, grace)
}

// tardy is a vendor whose answer comes when the lease is over.
type tardy struct{ *deaf }

func (l tardy) Open(config.Key, provider.Admin) (provider.Strategy, error) {
	return provider.RollWithGrace{ID: "the-key", Key: l, MinGrace: time.Hour, MaxGrace: 24 * time.Hour}, nil
}

func (l tardy) Roll(ctx context.Context, id string, grace time.Duration) (provider.Issued, error) {
	is, err := l.few.Roll(ctx, id, grace)
	time.Sleep(l.takes)
	return is, err
}

// A value that another run has replaced since has an end, and does not go live.
// Promise: killed-anywhere
func TestLease_lateAnswer(t *testing.T) {
	t.Parallel()
	fewBubble(t, "grace", func(t *testing.T, w *world, f *few) {
		w.engine.Records = &timed{records: w.records, until: map[string]time.Time{}}
		w.first()
		w.enable()
		token := w.staged(f)
		engine := *w.engine
		engine.Vendors = tardy{&deaf{few: f, takes: 3 * time.Minute}}
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute) // the longest that a function runs
		defer cancel()
		slow := make(chan error)
		go func() {
			_, err := engine.Rotate(ctx, rotation.Event{Step: rotation.CreateSecret, SecretID: name, Token: token})
			slow <- err
		}()
		time.Sleep(2*time.Minute + 3*time.Second) // the lease has ended
		w.again(token)
		err := <-slow
		if cur := w.value("AWSCURRENT"); cur != f.keys[len(f.keys)-1].value {
			t.Errorf("current %q is not what the vendor made last; %v; stages %v; %q", cur, err, w.stages(), w.steps)
		}
	})
}

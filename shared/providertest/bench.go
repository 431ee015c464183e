package providertest

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

const (
	host     = "api.vendor.test"
	base     = "https://" + host
	ours     = "keyturn-0123456789-0123456789abcdef-mf2xk3aa0001"
	deadline = 30 * time.Second
	reserve  = 2 * time.Second // of it, that must be left after an error
	crowd    = 12              // keys of others; a fake's pages should be shorter
)

// bench is one vendor account with its client, inside a bubble.
type bench struct {
	provider.Overlap // watched by spies

	s       Subject
	ctx     context.Context // ends at the deadline
	fake    Fake
	tr      *Transport
	carrier http.RoundTripper // tr, or what is put before it
	start   time.Time
	shape   *regexp.Regexp
	foreign []provider.Key

	mu    sync.Mutex
	found []string
	seen  map[string]bool // texts that were looked at
	made  map[string]secret.Value
}

func newBench(t *testing.T, s Subject) *bench {
	t.Helper()
	f := s.New(time.Now)
	b := &bench{s: s, fake: f, tr: &Transport{Handler: f, Host: host}, start: time.Now(), seen: map[string]bool{}, made: map[string]secret.Value{}}
	b.carrier = b.tr
	b.shape = regexp.MustCompile("^(?:" + s.Definition.Shape + ")$")
	for i := range crowd {
		b.foreign = append(b.foreign, f.Add(fmt.Sprintf("somebody's key %d", i)).Key)
	}
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	b.ctx = ctx
	b.open(f.Admin(host))
	return b
}

// open makes b's client anew, with another admin credential.
func (b *bench) open(admin provider.Admin) {
	st, err := b.s.Definition.Open(b.s.Settings(base), admin, &http.Client{Transport: b.carrier})
	o, ok := st.(provider.Overlap)
	if err != nil || !ok {
		b.breach("Open returned %T and %v, want an Overlap", st, err)
		return
	}
	b.Overlap = watch(b, o)
}

func (b *bench) breach(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.found = append(b.found, fmt.Sprintf(format, args...))
}

// judged reports whether text was looked at before.
func (b *bench) judged(text string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	was := b.seen[text]
	b.seen[text] = true
	return was
}

// lied reports whether an answer may have been made up so well that nobody
// could tell.
func (b *bench) lied() bool { return b.tr.At > 0 && b.tr.Fault.Vendor }

// named returns the keys that there really are with this name.
func (b *bench) named(name string) []provider.Key {
	return slices.DeleteFunc(b.fake.Live(), func(k provider.Key) bool { return k.Name != name })
}

func (b *bench) live(id string) bool {
	return slices.ContainsFunc(b.fake.Live(), func(k provider.Key) bool { return k.ID == id })
}

// issued returns the value with which the key was made.
func (b *bench) issued(id string) secret.Value {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.made[id]
}

// heal does what the engine's sweep does after a rotation that failed: what
// carries our name is found by it and revoked.
func (b *bench) heal() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.ctx), deadline)
	defer cancel()
	keys, err := b.Keys.List(ctx)
	if err != nil {
		b.breach("list after the fault: %v", err)
		return
	}
	for _, k := range keys {
		if k.Name == ours {
			if err := b.Keys.Revoke(ctx, k.ID); err != nil {
				b.breach("revoke after the fault: %v", err)
			}
		}
	}
	if n := len(b.named(ours)); n > 0 {
		b.breach("%d keys cannot be found by their name: lost for ever", n)
	}
}

// untouched checks what must hold whatever happened.
func (b *bench) untouched() {
	for _, k := range b.foreign {
		if !b.live(k.ID) {
			b.breach("a key of somebody else is gone: %s", k.Name)
		}
	}
	for _, s := range b.tr.Strays() {
		b.breach("a request went astray: %s", s)
	}
}

func describe(at int, sticky bool, what string) string {
	if sticky {
		return fmt.Sprintf("from request %d on: %s", at, what)
	}
	return fmt.Sprintf("at request %d: %s", at, what)
}

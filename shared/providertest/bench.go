package providertest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
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
	crowd    = 12              // keys of others at most; a fake's pages should be shorter
)

// bench is one vendor account with its client, inside a bubble. Everything that
// the strategy offers is watched by spies, and nil where it offers nothing.
type bench struct {
	provider.Overlap // DualSlot's slots too, as if they had names

	slots provider.DualSlot // Place and Fill only
	roll  rolling
	tries provider.Verifier // of every strategy

	s       Subject
	suite   suite
	ctx     context.Context // ends at the deadline
	again   func()          // begins another deadline
	fake    Fake
	tr      *Transport
	carrier http.RoundTripper // tr, or what is put before it
	start   time.Time
	known   *known
	foreign []provider.Issued
	faulty  bool // a fault is met; texts is known
	slow    bool // the fake has delays: what works now says little
	busy    bool // many calls at once: what a call did cannot be told

	mu     sync.Mutex
	random *rand.ChaCha8
	found  []string
	leaks  leaks
	made   map[string]secret.Value
	chosen []string // values that the vendor may not know
	texts  int      // that a Roll adds to what the fake hides
}

func newBench(t *testing.T, s Subject) *bench {
	t.Helper()
	return benchWith(t, s, s.New(time.Now))
}

func benchWith(t *testing.T, s Subject, f Fake) *bench {
	t.Helper()
	b := &bench{
		s: s, fake: f, tr: &Transport{Handler: f, Host: host}, start: time.Now(),
		random: rand.NewChaCha8([32]byte{}), made: map[string]secret.Value{},
	}
	b.suite, _ = suiteOf(s)
	b.carrier = b.tr
	if b.known = s.known; b.known == nil {
		b.known = know(s)
	}
	b.again = func() {
		ctx, cancel := context.WithTimeout(t.Context(), deadline)
		t.Cleanup(cancel)
		b.ctx = ctx
	}
	b.again()
	b.open(f.Admin(host))
	for i := range crowd {
		if b.room() > 1 { // one is for the suite
			b.stranger(fmt.Sprintf("somebody's key %d", i))
		}
	}
	return b
}

// known is what the benches of a sweep share, for speed.
type known struct {
	shape *regexp.Regexp
	mu    sync.Mutex
	seen  map[any]bool // texts and keys that were looked at
}

func know(s Subject) *known {
	return &known{shape: regexp.MustCompile("^(?:" + s.Definition.Shape + ")$"), seen: map[any]bool{}}
}

// judged reports whether a text or a key was looked at before.
func (k *known) judged(what any) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	was := k.seen[what]
	k.seen[what] = true
	return was
}

// open makes b's client anew, with another admin credential.
func (b *bench) open(admin provider.Admin) {
	st, err := b.s.Definition.Open(b.s.Settings(base), admin, &http.Client{Transport: b.carrier})
	if err != nil || !b.suite.open(b, st) {
		b.breach("Open returned %T and %v, want %s as the facts say", st, err, b.s.Definition.Strategy)
	}
}

// room returns how many more keys there may be, if that is known.
func (b *bench) room() int {
	if b.Max == 0 {
		return crowd * crowd
	}
	return b.Max - len(b.fake.Live())
}

// stranger makes a key that must never be touched.
func (b *bench) stranger(name string) { b.foreign = append(b.foreign, b.fake.Add(name)) }

func (b *bench) breach(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := fmt.Sprintf(format, args...)
	b.found = append(b.found, strings.ReplaceAll(found, "%!w(<nil>)", "no error")) // where an error was wanted
}

// Read implements [io.Reader] with numbers that are the same each time.
func (b *bench) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.random.Read(p)
}

// lied reports whether an answer may have been made up so well that nobody
// could tell.
func (b *bench) lied() bool { return b.tr.At > 0 && b.tr.Fault.Vendor }

// sure reports whether what the fake does now is what the vendor has said.
func (b *bench) sure() bool { return !b.lied() && !b.slow && !b.busy }

// mine returns the keys that there really are and that the suite made.
func (b *bench) mine() []provider.Key {
	return slices.DeleteFunc(b.fake.Live(), func(k provider.Key) bool { return !b.suite.ours(b, k) })
}

func (b *bench) live(id string) bool {
	return slices.ContainsFunc(b.fake.Live(), func(k provider.Key) bool { return k.ID == id })
}

// issued returns the value that the key was last given.
func (b *bench) issued(id string) secret.Value {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.made[id]
}

func (b *bench) give(id string, v secret.Value) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.made[id] = v
}

// leak returns what text shows of what must never be shown.
func (b *bench) leak(text string) string {
	hidden := b.fake.Values()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.leaks.hide(append(hidden, b.chosen...))
	return b.leaks.in(text)
}

// try verifies v.
func (b *bench) try(v secret.Value) error { return b.tries.Verify(b.ctx, v) }

// untouched checks what must hold whatever happened.
func (b *bench) untouched() {
	if b.roll.graceful { // until then a value of theirs works that was replaced
		<-time.After(b.roll.max + near)
	}
	for _, k := range b.foreign {
		if !b.live(k.ID) {
			b.breach("a key of somebody else is gone: %s", k.Name)
		} else if !b.slow && !b.fake.Works(k.Value) {
			b.breach("a key of somebody else does not work any more: %s", k.Name)
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

// Package providertest is the contract that every vendor's package must keep,
// as tests: the life of a key once for every fault at every call, and the
// questions that a life does not ask (a full account, pages, a canceled
// context, many callers at once).
//
// Everything runs in memory inside testing/synctest bubbles, so a day of
// waiting costs nothing and no socket is opened.
package providertest

import (
	"context"
	"encoding/json"
	"hash/crc32"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// Fake is a stateful stand-in for a vendor's servers.
type Fake interface {
	http.Handler
	// Values returns every text that must never be shown: the admin credential
	// and each value there ever was, without the parts that are public (an id in
	// front of it, say). A Roll adds equally many each time.
	Values() []string
	// Admin returns the admin credential, which may be sent to host.
	Admin(host string) provider.Admin
	// Add makes a key that is not ours; no scopes: some that verify. DualSlot: it
	// takes a slot of the principal. RollInPlace and RollWithGrace: it is another
	// key than the one that the settings name.
	Add(name string, scopes ...string) provider.Issued
	// Live returns the keys that there are, disabled ones too. DualSlot: those of
	// the principal.
	Live() []provider.Key
	// Works reports whether value is accepted now, an old one in its grace too. It
	// is no use of the key.
	Works(value secret.Value) bool
}

// Subject is a vendor's package under test.
type Subject struct {
	Definition provider.Definition
	// Settings returns valid settings for an API at base.
	Settings func(base string) json.RawMessage
	// New returns a Fake without delays and without keys, but for the one that
	// the settings of RollInPlace and RollWithGrace name.
	New func(clock func() time.Time) Fake
	// Slow is New with the delays that the vendor documents; nil: there are none.
	Slow func(clock func() time.Time) Fake
	// Consume returns the request of a consumer that uses a key at base. Nil where
	// the vendor does not say when a key was last used.
	Consume func(base string, value secret.Value) (*http.Request, error)

	known  *known // nil outside a sweep
	sample bool   // a sweep tries a fifth of the calls
	// Signs says that a value is an id and a secret that signs and is not sent. A
	// secret that does not fit cannot be told from a clock that is wrong, so it is
	// no rejection.
	Signs bool
}

// Run runs the suite of the subject's strategy. With -short a fault is tried at
// a fifth of the calls, other ones for each fault.
func Run(t *testing.T, s Subject) {
	t.Helper()
	s.sample = testing.Short()
	checks := checksOf(s)
	if checks == nil {
		t.Fatalf("there is no suite for strategy %q", s.Definition.Strategy)
	}
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, found := range c.run(t, s) {
				t.Error(found)
			}
		})
	}
}

// check is one question to a vendor's package. run returns what is wrong.
type check struct {
	name string
	run  func(*testing.T, Subject) []string
}

// suite is what differs from strategy to strategy.
type suite struct {
	open   func(*bench, provider.Strategy) bool // with spies before it; false: it is another strategy
	ours   func(*bench, provider.Key) bool      // whether the suite made the key
	life   func(*bench) error
	heal   func(*bench)                                           // what comes after a failure
	mint   func(context.Context, *bench) (provider.Issued, error) // a key or a value of ours
	touch  func(*bench, string) error                             // what is done to a key by its id
	calls  func(*bench) map[string]func(context.Context) error    // with the admin credential
	checks []check                                                // besides those of every strategy
}

func suiteOf(s Subject) (suite, bool) {
	switch s.Definition.Strategy {
	case "Overlap":
		return overlapSuite(), true
	case "DualSlot":
		return slotSuite(), true
	case "RollInPlace", "RollWithGrace":
		return rollSuite(), true
	}
	return suite{}, false
}

// checksOf returns every check of the subject's strategy.
func checksOf(s Subject) []check {
	st, ok := suiteOf(s)
	if !ok {
		return nil
	}
	checks := append([]check{
		{"definition", definition},
		{"life without a fault", scenario(lifeOrFail)},
		{"admin credential wrong", scenario(adminWrong)},
		{"admin credential missing", scenario(adminMissing)},
		{"values that are no keys", scenario(noKeys)},
		{"ids that are no keys", scenario(noIDs)},
		{"canceled", scenario(canceled)},
		{"settles", settles},
	}, st.checks...)
	for _, f := range faults() {
		checks = append(checks, check{"fault/" + f.Name, func(t *testing.T, s Subject) []string { return sweep(t, s, f) }})
	}
	return checks
}

// scenario makes a check of a function that is run once, without a fault.
func scenario(f func(*bench) error) func(*testing.T, Subject) []string {
	return func(t *testing.T, s Subject) []string { return once(t, s, f) }
}

// once runs f in a bubble and returns what it and the spies found.
func once(t *testing.T, s Subject, f func(*bench) error) (found []string) {
	t.Helper()
	return onceWith(t, s, s.New, f)
}

func onceWith(t *testing.T, s Subject, fake func(func() time.Time) Fake, f func(*bench) error) (found []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := benchWith(t, s, fake(time.Now))
		if err := f(b); err != nil {
			b.breach("%v", err)
		}
		b.untouched()
		found = b.found
	})
	return found
}

// sweep runs the life of a key with the fault at each of its calls: for one
// request, and from one request on.
func sweep(t *testing.T, s Subject, f Fault) (found []string) {
	t.Helper()
	s.known = know(s)
	var calls, texts int
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, s)
		_ = b.suite.life(b) // judged by a check of its own
		calls, texts = max(1, b.tr.Requests()), b.texts
	})
	first, step := 1, 1
	if s.sample {
		first, step = 1+int(crc32.ChecksumIEEE([]byte(f.Name)))%min(5, calls), 5
	}
	for at := first; at <= calls; at += step {
		for _, sticky := range []bool{false, true} {
			for _, what := range faulted(t, s, f, at, sticky, texts) {
				found = append(found, describe(at, sticky, what))
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func faulted(t *testing.T, s Subject, f Fault, at int, sticky bool, texts int) (found []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, s)
		b.tr.Fault, b.tr.At, b.tr.Sticky, b.texts = f, at, sticky, texts
		b.faulty = true
		err := b.suite.life(b)
		if d := time.Since(b.start); err != nil && d > deadline-reserve {
			b.breach("took %v: less than %v of the deadline left", d, reserve)
		}
		if err != nil && f.Benign && !sticky {
			b.breach("a fault that can be overcome was not: %v", err)
		}
		b.tr.At = 0
		b.again()
		b.suite.heal(b)
		b.untouched()
		found = b.found
	})
	return found
}

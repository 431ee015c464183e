// Package providertest is the contract that every vendor's package must keep,
// as tests: the life of a key once for every fault at every call, and the
// questions that a life does not ask (a full account, pages, a canceled
// context, many callers at once).
//
// Everything runs in memory inside testing/synctest bubbles, so a day of
// waiting costs nothing and no socket is opened.
package providertest

import (
	"encoding/json"
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
	// and each key there ever was, without the parts that are public (an id in
	// front of it, say).
	Values() []string
	// Admin returns the admin credential, which may be sent to host.
	Admin(host string) provider.Admin
	// Add makes a key that is not ours; no scopes: some that verify.
	Add(name string, scopes ...string) provider.Issued
	// Live returns the keys that there are.
	Live() []provider.Key
	// Works reports whether value is accepted now. It is no use of the key.
	Works(value secret.Value) bool
}

// Subject is a vendor's package under test.
type Subject struct {
	Definition provider.Definition
	// Settings returns valid settings for an API at base.
	Settings func(base string) json.RawMessage
	// New returns a Fake without keys and without delays.
	New func(clock func() time.Time) Fake
	// Consume returns the request of a consumer that uses a key at base.
	Consume func(base string, value secret.Value) (*http.Request, error)
}

// Run runs the suite of the subject's strategy.
func Run(t *testing.T, s Subject) {
	t.Helper()
	switch st := s.Definition.Strategy; st {
	case "Overlap":
		Overlap(t, s)
	default:
		t.Fatalf("there is no suite for strategy %q", st)
	}
}

// Overlap runs the suite for vendors that let two keys live side by side.
func Overlap(t *testing.T, s Subject) {
	t.Helper()
	for _, c := range overlapChecks() {
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

func overlapChecks() []check {
	checks := []check{
		{"definition", definition},
		{"life without a fault", func(t *testing.T, s Subject) []string { return once(t, s, lifeOrFail) }},
		{"admin credential wrong", scenario(adminWrong)},
		{"admin credential missing", scenario(adminMissing)},
		{"no room", scenario(noRoom)},
		{"forbidden with room", scenario(forbidden)},
		{"one name twice", scenario(sameName)},
		{"one key revoked", scenario(oneRevoked)},
		{"pages", scenario(pages)},
		{"values that are no keys", scenario(noKeys)},
		{"ids that are no keys", scenario(noIDs)},
		{"last use moves", scenario(usage)},
		{"keys made alike may do the same", scenario(alike)},
		{"disable and enable", scenario(disable)},
		{"expire", scenario(expire)},
		{"canceled", scenario(canceled)},
		{"many at once", scenario(manyAtOnce)},
	}
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
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, s)
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
	calls := 1
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, s)
		_ = life(b) // judged by a check of its own
		calls = b.tr.Requests()
	})
	for at := 1; at <= calls; at++ {
		for _, sticky := range []bool{false, true} {
			for _, what := range faulted(t, s, f, at, sticky) {
				found = append(found, describe(at, sticky, what))
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func faulted(t *testing.T, s Subject, f Fault, at int, sticky bool) (found []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, s)
		b.tr.Fault, b.tr.At, b.tr.Sticky = f, at, sticky
		err := life(b)
		if d := time.Since(b.start); err != nil && d > deadline-reserve {
			b.breach("took %v: less than %v of the deadline left", d, reserve)
		}
		if err != nil && f.Benign && !sticky {
			b.breach("a fault that can be overcome was not: %v", err)
		}
		b.tr.At = 0
		b.heal()
		b.untouched()
		found = b.found
	})
	return found
}

package retire_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/retire"
	"github.com/keyturn/keyturn/shared/store"
)

// A rotation that was left unfinished does not keep anybody from going back: it
// is given up, when it has failed or nothing that it began with can still run,
// and what it made is ended. A rotation that is under way is left alone.
func TestRollback_unfinished(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		stored bool // it has made a key, and stored it
		failed bool // and said that it failed
		after  time.Duration
		want   retire.Type
	}{
		{"under way", true, false, 14 * time.Minute, retire.InProgress},
		{"failed a moment ago", false, true, time.Second, ""},
		{"failed a moment ago, with a key", true, true, time.Second, ""},
		{"said nothing", false, false, 15 * time.Minute, ""},
		{"said nothing, with a key", true, false, 15 * time.Minute, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, old, _ := apart(t)
				third := ""
				if c.stored {
					third = w.mint(token(3))
					w.put(token(3), w.keys[third].value)
				} else {
					w.versions = append(w.versions, store.VersionInfo{ID: token(3), Created: w.now()})
				}
				w.secret.Stages[token(3)] = []string{store.Pending}
				if c.failed {
					w.book.Failure = &keyrecord.Failure{Secret: name, Version: token(3), At: w.now()}
				}
				time.Sleep(c.after)
				a, _, err := w.ask(back)
				if c.want != "" {
					if typeOf(err) != c.want || !w.secret.Has(token(3), store.Pending) || w.secret.VersionAt(store.Current) != token(2) {
						t.Errorf("%+v, %v; labels %v", a, err, w.secret.Stages)
					}
					return
				}
				if err != nil || a.Status != retire.RolledBack || w.secret.Has(token(3), store.Pending) || w.secret.VersionAt(store.Current) != token(1) {
					t.Fatalf("%+v, %v; labels %v", a, err, w.secret.Stages)
				}
				if w.count(audit.Unstage, audit.Intent) != 1 || w.count(audit.Unstage, audit.Outcome) != 1 || w.told(notify.Failed) != 1 {
					t.Errorf("acts %+v; told %+v", w.trail, w.news)
				}
				if third != "" && !w.live(w.engine(), key(), weeks, w.is(third, keyrecord.Dead)) || w.state(old) != keyrecord.Current {
					t.Errorf("%+v; %+v", w.record(third), w.record(old))
				}
				w.check()
			})
		})
	}
}

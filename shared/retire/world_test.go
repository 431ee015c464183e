package retire_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/retire"
	"github.com/keyturn/keyturn/shared/schedule"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/shared/store"
)

const (
	name  = "prod/mailer"
	arn   = "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/mailer-AbCdEf"
	admin = "keyturn/admin/acme"
)

// mode is what a fault does to one call.
type mode int

const (
	errorBefore mode = iota // fails without an effect
	errorAfter              // takes effect, and the answer is lost
	killBefore
	killAfter
	modes
)

func (m mode) String() string {
	return [...]string{"error before", "error after", "killed before", "killed after"}[m]
}

type killed struct{}

// world is everything outside the engine, in memory: Secrets Manager, one
// vendor, the records, the audit trail, the notifications and the schedules.
// Every call goes through do.
type world struct {
	t  *testing.T
	mu sync.Mutex

	calls   []string
	faultAt int // index of the call to disturb, -1: none
	mode    mode
	fail    map[string]error // by operation: every call fails, without an effect
	between func()           // runs once, before the call at faultAt

	secret   store.Secret
	versions []store.VersionInfo
	values   map[string]string // by version
	book     keyrecord.Book
	once     map[string]time.Time

	keys      map[string]*vendorKey
	born      map[string]time.Time // of keys
	ids       int
	limp      time.Time // until then revoked keys are accepted
	usage     bool
	untold    bool // LastUsed is there, and the server does not tell
	disabling bool
	identify  bool
	lag       time.Duration

	trail     []audit.Record
	news      []notify.Message
	schedules map[string]schedule.Once
	broken    []string // promises that were broken
	skew      time.Duration
	onList    func()
	stubborn  int    // so many revocations have no effect
	stubbornK string // of this key only; "": of every key
	lie       string // what Identify answers
	hidden    string // a key that is not listed
	deafFrom  int    // from this Verify
	deafTo    int    // to before this one, every key is refused
	verifies  int
	linked    string // a key that is disabled together with any other
	onRevoke  func()
	kind      string          // Info's strategy; "": Overlap
	settle    provider.Settle // as Info says
	onAudit   func(audit.Record)
	strategy  provider.Strategy // nil: Overlap, as the other fields say
	admin     string            // the admin secret's value
}

type vendorKey struct {
	name, value       string
	used              time.Time
	disabled, revoked bool
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t: t, faultAt: -1, fail: map[string]error{}, values: map[string]string{}, once: map[string]time.Time{}, born: map[string]time.Time{},
		admin: `{"hosts":["api.acme.example"],"token":"admin-token"}`,
		keys:  map[string]*vendorKey{}, schedules: map[string]schedule.Once{}, usage: true,
		secret: store.Secret{ARN: arn, Name: name, RotationEnabled: true, Stages: map[string][]string{}, LastChanged: time.Now()},
	}
	w.foreign("production website")
	return w
}

func (w *world) engine() *retire.Engine {
	return &retire.Engine{
		Store: fakeStore{w}, Records: fakeRecords{w}, Vendors: fakeVendors{w}, Audit: fakeSink{w}, Notifier: fakeNotifier{w},
		Scheduler: fakeScheduler{w}, Now: w.now, Random: rand.Uint32, MaxRotation: time.Hour, Fingerprint: secret.New("k"),
		Log: slog.New(slog.DiscardHandler),
	}
}

func (w *world) now() time.Time { return time.Now().Add(w.skew) }

func key() config.Key {
	return config.Key{
		Secret: name, Vendor: "acme", Admin: admin, Hosts: []string{"api.acme.example"}, Owner: "mailer@example.com",
		Value: config.Value{Field: "apiKey"},
		Grace: config.Grace{
			Min: time.Hour, Quiet: 6 * time.Hour, Max: 72 * time.Hour, Disabled: 24 * time.Hour,
			OnMax: config.Hold, NoUsage: config.Hold,
		},
	}
}

func (w *world) lineage() string {
	l, err := keyname.LineageOf(arn)
	if err != nil {
		w.t.Fatal(err)
	}
	return l
}

func token(n int) string { return fmt.Sprintf("token-%026d", n) }

// mint makes a key of ours at the vendor, as an attempt at a rotation.
func (w *world) mint(token string) string {
	w.ids++
	id := fmt.Sprint("id", w.ids)
	n := keyname.New(w.lineage(), keyname.Rotation(token), w.now(), uint32(w.ids))
	w.keys[id], w.born[id] = &vendorKey{name: n.String(), value: "value of " + id}, w.now()
	return id
}

// foreign makes a key of somebody else's.
func (w *world) foreign(name string) string {
	w.ids++
	id := fmt.Sprint("id", w.ids)
	w.keys[id] = &vendorKey{name: name, value: "value of " + id}
	return id
}

// rotate is a whole rotation: a key is made, stored, tried and promoted.
func (w *world) rotate(token string) string {
	id := w.mint(token)
	w.put(token, w.keys[id].value)
	w.keys[id].used = w.now()
	w.promote(token)
	return id
}

func (w *world) put(version, value string) {
	w.values[version] = fmt.Sprintf(`{"apiKey":%q}`, value)
	w.versions = append(w.versions, store.VersionInfo{ID: version, Created: w.now()})
}

func (w *world) promote(version string) {
	stages := map[string][]string{version: {store.Current}}
	if old := w.secret.VersionAt(store.Current); old != "" {
		stages[old] = []string{store.Previous}
	}
	w.stages(stages)
}

func (w *world) stages(s map[string][]string) {
	w.secret.Stages, w.secret.LastChanged = s, w.now()
}

// run reconciles once and reports whether it was killed.
func (w *world) run(e *retire.Engine) (report retire.Report, dead bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(killed); !ok {
				panic(p)
			}
			dead = true
		}
	}()
	report, err = e.Reconcile(w.t.Context(), key())
	return report, false, err
}

// live lets time pass: each schedule is run at its time, and the sweep every
// hour, until done or the time is over. It reports whether done came true.
func (w *world) live(e *retire.Engine, k config.Key, limit time.Duration, done func() bool) bool {
	w.t.Helper()
	end, sweep := time.Now().Add(limit), time.Now().Add(time.Hour)
	for !done() {
		at := sweep
		var which string
		for n, s := range w.schedules {
			if s.At.Before(at) {
				at, which = s.At, n
			}
		}
		if at.After(end) || !time.Now().Before(end) {
			time.Sleep(time.Until(end))
			return false
		}
		time.Sleep(max(time.Until(at), time.Second))
		if which != "" {
			delete(w.schedules, which)
		} else {
			sweep = sweep.Add(time.Hour)
		}
		func() {
			defer func() {
				if p := recover(); p != nil {
					if _, ok := p.(killed); !ok {
						panic(p)
					}
				}
			}()
			_, _ = e.Reconcile(w.t.Context(), k) // what failed shows in what is left
		}()
	}
	return true
}

func (w *world) record(id string) keyrecord.Record {
	r, _ := w.book.Key(id)
	return r
}

func (w *world) state(id string) keyrecord.State { return w.record(id).State }

func (w *world) is(id string, s keyrecord.State) func() bool {
	return func() bool { return w.state(id) == s }
}

// told counts messages of a kind, the same news once.
func (w *world) told(k notify.Kind) int {
	ids := map[string]bool{}
	for _, m := range w.news {
		if m.Kind == k {
			ids[m.ID] = true
		}
	}
	return len(ids)
}

// check fails the test for every promise that was broken on the way.
func (w *world) check() {
	w.t.Helper()
	for _, b := range w.broken {
		w.t.Error(b)
	}
	for _, s := range w.texts() {
		if strings.Contains(s, "value of") || strings.Contains(s, "admin-token") {
			w.t.Errorf("a secret is in %q", s)
		}
	}
}

func (w *world) texts() []string {
	out := []string{fmt.Sprintf("%+v", w.trail), fmt.Sprintf("%+v", w.news), fmt.Sprintf("%+v", w.book)}
	for _, s := range w.schedules {
		out = append(out, string(s.Payload))
	}
	return out
}

func (w *world) count(act audit.Act, p audit.Phase) int {
	n := 0
	for _, r := range w.trail {
		if r.Act == act && r.Phase == p {
			n++
		}
	}
	return n
}

// do is one call of the engine.
func (w *world) do(op string, lost error, f func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.calls)
	w.calls = append(w.calls, op)
	if f := w.between; f != nil && n == w.faultAt {
		w.between, w.faultAt = nil, -1
		w.mu.Unlock()
		f()
		w.mu.Lock()
	}
	if err := w.fail[op]; err != nil {
		return err
	}
	if n != w.faultAt {
		return f()
	}
	if w.mode == errorAfter || w.mode == killAfter {
		if err := f(); err != nil {
			return err
		}
	}
	if w.mode == killBefore || w.mode == killAfter {
		panic(killed{})
	}
	return lost
}

// ended notes a promise that is broken if the engine stops this key now.
func (w *world) ended(act audit.Act, id string) {
	k := w.keys[id]
	if strings.Contains(w.values[w.secret.VersionAt(store.Current)], `"`+k.value+`"`) {
		w.broken = append(w.broken, fmt.Sprintf("%s of the current key %s", act, id))
	}
	if r := w.record(id); !strings.HasPrefix(k.name, "keyturn-"+w.lineage()) && r.Origin != keyrecord.Adopted {
		w.broken = append(w.broken, fmt.Sprintf("%s of the foreign key %s", act, id))
	}
	intents, outcomes := 0, 0
	for _, r := range w.trail {
		if r.KeyID == id && r.Act == act {
			switch r.Phase {
			case audit.Intent:
				intents++
			case audit.Outcome:
				outcomes++
			case audit.Fact:
			}
		}
	}
	if intents <= outcomes {
		w.broken = append(w.broken, fmt.Sprintf("%s of %s without an intent", act, id))
	}
}

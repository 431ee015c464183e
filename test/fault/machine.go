package fault

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/catalog"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/providertest"
	"github.com/keyturn/keyturn/shared/secret"
)

// Deed is one thing that an operator, AWS, the vendor or bad luck does.
type Deed struct {
	What  string
	Hours int   // how long it lasts, or time goes by
	Fault Fault // At counts from the next call
}

// String shows the deed, to do it again.
func (d Deed) String() string {
	return fmt.Sprintf("%s %dh %s", d.What, d.Hours, d.Fault)
}

// Deeds returns what can be done.
func Deeds() []string {
	return []string{
		"rotate", "pass", "sweep", "fault", "outage", "label back", "rollback", "restore", "adopt", "pause", "resume", "stick",
		"delete by hand", "rename by hand", "unstage",
	}
}

// Machine lives through deeds in any order and holds the world against a model:
//
//   - AWSCURRENT always works at the vendor, and so does a key that somebody
//     holds on to, for as long as the vendor sees it used;
//   - what is not ours is not touched;
//   - when all is calm again, each key of ours is current, staged, held or in use.
func (s Subject) Machine(t *testing.T, deeds []Deed) (broken []string, w *World) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			broken = append(broken, fmt.Sprintf("panic: %v", p))
		}
	}()
	synctest.Test(t, func(*testing.T) {
		w = NewWorld(s)
		defer w.Close()
		m := &machine{World: w}
		synctest.Wait()
		m.started = true
		m.pass(time.Hour)
		for _, d := range deeds {
			m.do(d)
			m.hold(d)
		}
		m.calm()
		broken = w.breaches
	})
	return broken, w
}

type machine struct {
	*World

	stuck []secret.Value // that somebody goes on with
}

func (m *machine) do(d Deed) {
	switch d.What {
	case "rotate":
		// Refused while one is under way or AWSPENDING is stuck: that is AWS's rule.
		_, err := m.World.do(m.cloud.SecretsManager(), "RotateSecret", map[string]any{
			"SecretId": secretName, "ClientRequestToken": m.requestID(),
			"RotationLambdaARN": "arn:aws:lambda:us-east-1:123456789012:function:" + rotating,
			"RotationRules":     map[string]any{"ScheduleExpression": "rate(365 days)"},
		})
		if err == nil {
			check(m.cloud.Rotated(m.ctx, secretName))
			synctest.Wait()
		}
	case "pass":
		m.pass(time.Duration(d.Hours) * time.Hour)
	case "sweep":
		m.sweep()
	case "fault":
		m.mu.Lock()
		m.plan = append(m.plan, Fault{len(m.calls) + d.Fault.At, d.Fault.Effect})
		m.mu.Unlock()
	case "outage":
		m.down = time.Now().Add(time.Duration(d.Hours) * time.Hour)
	case "label back":
		m.labelBack()
	case "rollback":
		m.ask(retiring, map[string]any{"mode": "rollback"})
	case "restore":
		m.ask(retiring, map[string]any{"mode": "restore"})
	case "adopt":
		m.ask(rotating, map[string]any{"mode": "adopt"})
	case "delete by hand":
		m.older(m.deleteByHand)
	case "rename by hand":
		m.older(func(id string) { rename(m.fake, m.subject, id) })
	case "unstage":
		m.unstage()
	case "pause":
		m.ask(demand, map[string]any{"mode": "pause", "owner": "somebody", "until": time.Now().Add(time.Duration(d.Hours) * time.Hour).UTC().Format(time.RFC3339)})
	case "resume":
		m.ask(demand, map[string]any{"mode": "resume"})
	case "stick":
		if key, ok := m.current(); ok && m.fake.Works(key) && m.subject.Usage { // else nobody can know
			m.stuck = append(m.stuck, key)
		}
	}
	m.deliver()
}

func (m *machine) ask(function string, q map[string]any) {
	q["version"], q["secret"], q["reason"] = 1, secretName, "a test"
	m.invoke(function, encode(q), nil)
}

// older does something to a key that was replaced and lives, if there is one.
func (m *machine) older(do func(id string)) {
	if m.subject.rolls() {
		return
	}
	st := m.strategy()
	var kept []string
	for _, label := range []string{"AWSCURRENT", "AWSPENDING"} {
		_, key := m.version(label)
		if d, ok := st.(provider.DualSlot); ok && key.Reveal() != "" {
			id, _ := d.Slots.Identify(m.ctx, key) // no such key: none to keep
			kept = append(kept, id)
		}
	}
	records, staged := m.records(), m.staged()
	for _, k := range m.ours() {
		if slices.Contains(kept, k.ID) || m.subject.Named && staged[k.Name] {
			continue
		}
		switch records[k.ID].State {
		case keyrecord.Grace, keyrecord.Disabled, keyrecord.Held:
			do(k.ID)
			return
		default:
		}
	}
}

// strategy is the vendor's, past all faults.
func (m *machine) strategy() provider.Strategy { return m.strategyBy(byHand{m.fake}) }

// strategyBy is the vendor's, asked by that way.
func (w *World) strategyBy(way http.RoundTripper) provider.Strategy {
	settings := w.subject.Settings(w.base)
	settings["baseURL"] = w.base + w.subject.Path
	st, err := catalog.Open(w.subject.Vendor, encode(settings), w.fake.Admin(w.host), &http.Client{Transport: way}, nil)
	check(err)
	return st
}

// deleteByHand ends a key past all rules. Whoever used it knows.
func (m *machine) deleteByHand(id string) {
	var err error
	switch s := m.strategy().(type) {
	case provider.Overlap:
		err = s.Keys.Revoke(m.ctx, id)
	case provider.DualSlot:
		err = s.Slots.Revoke(m.ctx, id)
	case provider.RollInPlace, provider.RollWithGrace:
	}
	check(err)
	m.stuck = slices.DeleteFunc(m.stuck, func(key secret.Value) bool { return !m.fake.Works(key) })
	m.consumer.held = slices.DeleteFunc(m.consumer.held, func(h fetched) bool { return !m.fake.Works(h.key) })
}

// byHand brings requests to the vendor that are none of ours.
type byHand struct{ http.Handler }

// RoundTrip implements [http.RoundTripper].
func (h byHand) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec.Result(), nil
}

// rename gives a key a name that is not ours, where the vendor lets people do
// so: Cloudflare.
func rename(f providertest.Fake, s Subject, id string) {
	if s.Vendor != "cloudflare" {
		return
	}
	path := s.Path + "/user/tokens/" + id
	token := f.Admin(host).Field("apiToken").Reveal()
	var is struct{ Result map[string]any }
	check(json.Unmarshal(send(f, http.MethodGet, path, token, nil), &is))
	is.Result["name"] = "renamed by hand"
	send(f, http.MethodPut, path, token, encode(is.Result))
}

func send(f http.Handler, method, path, token string, body []byte) []byte {
	r := httptest.NewRequest(method, base+path, bytes.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	f.ServeHTTP(rec, r)
	if rec.Code != http.StatusOK {
		panic(fmt.Sprintf("%s %s: %d", method, path, rec.Code))
	}
	return rec.Body.Bytes()
}

// labelBack moves AWSCURRENT to the previous version by hand, if its key works.
func (m *machine) labelBack() {
	if m.subject.rolls() {
		return // the vendor ends that value, whatever anybody does
	}
	to, key := m.version("AWSPREVIOUS")
	from, _ := m.version("AWSCURRENT")
	if to == "" || !m.fake.Works(key) {
		return
	}
	_, _ = m.World.do(m.cloud.SecretsManager(), "UpdateSecretVersionStage", map[string]any{
		"SecretId": secretName, "VersionStage": "AWSCURRENT", "MoveToVersionId": to, "RemoveFromVersionId": from,
	}) // AWS may refuse it
	synctest.Wait()
}

// unstage is an operator who gives a rotation up.
func (m *machine) unstage() {
	m.takePending()
	synctest.Wait()
}

const (
	startsMost   = 100 // times that something may start the functions while time goes by
	startsHourly = 10  // more for each hour
)

// pass lets time go by as the schedules cut it, with a sweep every so often.
// Whoever is stuck uses his key all the time.
func (m *machine) pass(d time.Duration) {
	end, sweep := time.Now().Add(d), time.Now().Add(sweepEvery)
	for looks := 0; time.Now().Before(end); looks++ {
		if looks > startsMost+int(d/time.Hour)*startsHourly {
			m.breach("in %s somebody was started %d times, and it goes on: %s", d, looks, m.rest())
			return
		}
		m.use()
		next := end
		if sweep.Before(next) {
			next = sweep
		}
		if hour := time.Now().Add(time.Hour); len(m.stuck) > 0 && hour.Before(next) {
			next = hour
		}
		m.passUntil(next)
		if !time.Now().Before(sweep) {
			m.sweep()
			sweep = sweep.Add(sweepEvery)
		}
		m.deliver()
	}
}

// use is what those do who are stuck.
func (m *machine) use() {
	for _, key := range m.stuck {
		r, err := m.subject.Consume(m.base, key)
		check(err)
		rec := httptest.NewRecorder()
		m.fake.ServeHTTP(rec, r)
		if rec.Code/100 != 2 {
			m.breach("a key in use was ended at %s: %s", time.Now().UTC().Format(time.DateTime), m.rest())
			m.stuck = nil
			return
		}
	}
}

// hold looks whether the model holds after a deed.
func (m *machine) hold(d Deed) {
	key, ok := m.current()
	if !ok || !m.fake.Works(key) {
		m.breach("after %q AWSCURRENT does not work at the vendor", d)
	}
	for _, k := range m.foreign {
		if !m.fake.Works(k.Value) {
			m.breach("after %q key %q, which is somebody else's, is dead", d, k.Name)
		}
	}
}

// calm ends all trouble, lets a week go by and looks at what is left.
func (m *machine) calm() {
	m.mu.Lock()
	m.plan = nil
	m.mu.Unlock()
	m.down = time.Time{}
	stuck := m.stuck
	m.pass(8 * 24 * time.Hour)
	m.hold(Deed{What: "calm"})
	if !m.subject.rolls() {
		m.left(len(stuck) > 0)
	}
	m.leaks()
}

// left looks for keys of ours that nobody answers for.
func (m *machine) left(used bool) {
	records := m.records()
	staged := m.staged()
	current, _ := m.version("AWSCURRENT")
	pending, value := m.version("AWSPENDING")
	unnamed := !m.subject.Named && pending != "" && pending != current && m.fake.Works(value)
	for _, k := range m.ours() {
		r, known := records[k.ID]
		switch {
		case r.State == keyrecord.Held, r.State == keyrecord.Current, m.subject.Named && staged[k.Name]:
		case used && r.State == keyrecord.Grace: // in use
		case unnamed && (!known || r.Version == pending):
		default:
			m.breach("a week later key %s (%s) is left: %q %s %s", k.ID, k.Name, r.State, r.Why, r.LastErr)
		}
		if r.State == keyrecord.Lost {
			m.breach("a week later key %s is still lost", k.ID)
		}
	}
}

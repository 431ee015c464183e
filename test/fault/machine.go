package fault

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/keyrecord"
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
	return []string{"rotate", "pass", "sweep", "fault", "outage", "label back", "rollback", "pause", "resume", "stick"}
}

// Machine lives through deeds in any order and holds the world against a model:
//
//   - AWSCURRENT always works at the vendor, and so does a key that somebody
//     holds on to, for as long as the vendor sees it used;
//   - what is not ours is not touched;
//   - when all is calm again, each key of ours is current, staged, held or in use.
func (s Subject) Machine(t *testing.T, deeds []Deed) (broken []string) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			broken = append(broken, fmt.Sprintf("panic: %v", p))
		}
	}()
	synctest.Test(t, func(*testing.T) {
		w := NewWorld(s)
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
	return broken
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
	case "pause":
		m.ask(demand, map[string]any{"mode": "pause", "owner": "somebody", "until": time.Now().Add(time.Duration(d.Hours) * time.Hour).UTC().Format(time.RFC3339)})
	case "resume":
		m.ask(demand, map[string]any{"mode": "resume"})
	case "stick":
		if key, ok := m.current(); ok && m.fake.Works(key) {
			m.stuck = append(m.stuck, key)
		}
	}
	m.deliver()
}

func (m *machine) ask(function string, q map[string]any) {
	q["version"], q["secret"], q["reason"] = 1, secretName, "a test"
	m.invoke(function, encode(q), nil)
}

// labelBack moves AWSCURRENT to the previous version by hand, if its key works.
func (m *machine) labelBack() {
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

// pass lets time go by as the schedules cut it, with a sweep every so often.
// Whoever is stuck uses his key all the time.
func (m *machine) pass(d time.Duration) {
	end, sweep := time.Now().Add(d), time.Now().Add(sweepEvery)
	for time.Now().Before(end) {
		m.use()
		next := end
		if sweep.Before(next) {
			next = sweep
		}
		if hour := time.Now().Add(time.Hour); len(m.stuck) > 0 && hour.Before(next) {
			next = hour
		}
		t := time.NewTimer(time.Until(next))
		select {
		case <-m.woken:
			synctest.Wait()
		case <-t.C:
		}
		t.Stop()
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
		r, err := m.subject.Consume(base, key)
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
	_, current := m.version("AWSCURRENT")
	records := m.records()
	staged := m.staged()
	for _, k := range m.ours() {
		r := records[k.ID]
		switch {
		case r.State == keyrecord.Held, r.State == keyrecord.Current, staged[k.Name]:
		case len(stuck) > 0 && r.State == keyrecord.Grace: // in use
		default:
			m.breach("a week later key %s (%s) is left: %q %s %s", k.ID, k.Name, r.State, r.Why, r.LastErr)
		}
		if r.State == keyrecord.Lost {
			m.breach("a week later key %s is still lost", k.ID)
		}
	}
	_ = current
	m.leaks()
}

package detect

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

var start = time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)

const (
	account = "123456789012"
	alice   = "arn:aws:iam::123456789012:user/alice"
	mailer  = "arn:aws:iam::123456789012:role/mailer"
	rotator = "arn:aws:iam::123456789012:role/keyturn-rotate-mail"
)

// ev is a call that succeeded, made so many seconds after start. Changes are
// made by the functions.
func ev(seconds int, who, name, secret string, changes ...func(*trail.Event)) trail.Event {
	e := trail.Event{
		Time: start.Add(time.Duration(seconds) * time.Second), Type: trail.TypeCall, Source: trail.SecretsManager,
		Name: name, Region: "eu-west-1", Account: account, Address: "203.0.113.7",
		Identity: trail.Identity{Type: "IAMUser", ARN: who, AccountID: account},
	}
	if secret != "" {
		set("secretId", secret)(&e)
	}
	for _, change := range changes {
		change(&e)
	}
	e.ID = strconv.FormatUint(hash(fmt.Sprint(seconds, who, e.Source, e.Name, string(e.Request), e.ErrorCode, e.Address, e.Region)), 16)
	return e
}

// set sets a parameter of the request.
func set(name string, value any) func(*trail.Event) {
	return func(e *trail.Event) {
		all := map[string]any{}
		_ = e.RequestFields(&all) // the tests' own
		all[name] = value
		e.Request, _ = json.Marshal(all)
	}
}

func fails(code string) func(*trail.Event) { return func(e *trail.Event) { e.ErrorCode = code } }

func from(address string) func(*trail.Event) { return func(e *trail.Event) { e.Address = address } }

var denied = fails("AccessDenied")

// many makes n events, one second apart.
func many(n int, f func(i int) trail.Event) []trail.Event {
	out := make([]trail.Event, n)
	for i := range out {
		out[i] = f(i)
	}
	return out
}

// found runs one rule over the events, and then until all has settled.
func found(t *testing.T, s *Site, r Rule, events ...trail.Event) []Finding {
	t.Helper()
	r.Default = true
	return replay(t, New(s, []Rule{r}, &Memory{}), [][]trail.Event{events})
}

func replay(t *testing.T, e *Engine, batches [][]trail.Event) []Finding {
	t.Helper()
	var out []Finding
	now := time.Time{}
	deliver := func(_ context.Context, f []Finding) error {
		out = append(out, f...)
		return nil
	}
	for _, events := range append(batches, nil) {
		for _, one := range events {
			if one.Time.After(now) {
				now = one.Time
			}
		}
		if events == nil {
			now = now.Add(400 * 24 * time.Hour)
		}
		if err := e.Process(t.Context(), now, events, deliver); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// shown is what tests compare: severity and reason.
func shown(found []Finding) []string {
	out := []string{}
	for _, f := range found {
		out = append(out, f.Severity.String()+": "+f.Why)
	}
	slices.Sort(out)
	return out
}

// ours is a site with one secret of each kind.
func ours() *Site {
	return (&Site{
		Account: account, Region: "eu-west-1", Installed: start.Add(-30 * 24 * time.Hour),
		Secrets: []Secret{
			{Name: "prod/mail", Readers: []string{mailer}, Rotators: []string{rotator}},
			{Name: "prod/pay", Tier: 1, Readers: []string{mailer}, Rotators: []string{rotator}},
			{Name: "prod/decoy", HoneyToken: true, Rotators: []string{rotator}},
			{Name: "admin/mail", Admin: true, Rotators: []string{rotator}},
		},
		Roles: []string{rotator},
	}).Prepare(nil)
}

// ruleCase is one row of a rule's table.
type ruleCase struct {
	name   string
	site   *Site // nil: ours()
	events []trail.Event
	want   []string
}

func check(t *testing.T, r Rule, cases []ruleCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.site == nil {
				c.site = ours()
			}
			if got := shown(found(t, c.site, r, c.events...)); !slices.Equal(got, c.want) && len(got)+len(c.want) > 0 {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

package detect

import (
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

// service makes it one of Secrets Manager's own events.
func service(e *trail.Event) {
	e.Type, e.Address = trail.TypeService, trail.SecretsManager
	e.Identity = trail.Identity{AccountID: account, InvokedBy: trail.SecretsManager}
}

func TestRotationFailed(t *testing.T) {
	t.Parallel()
	site := ours()
	rotated := ours()
	rotated.secrets["prod/mail"].Interval = 30 * 24 * time.Hour
	const day = 24 * 3600
	own := func(seconds int, name, secret string) trail.Event { return ev(seconds, "", name, secret, service) }
	read := func(days int) trail.Event { return ev(days*day, mailer, "GetSecretValue", "prod/mail") }
	cases := []ruleCase{
		{name: "failed", events: []trail.Event{own(0, "RotationStarted", "prod/mail"), own(60, "RotationFailed", "prod/mail")}, want: []string{"medium: RotationFailed"}},
		{name: "abandoned, tier 1", events: []trail.Event{own(0, "RotationAbandoned", "prod/pay")}, want: []string{"high: RotationAbandoned"}},
		{name: "test failed", events: []trail.Event{own(0, "TestRotationFailed", "prod/mail")}, want: []string{"medium: TestRotationFailed"}},
		{name: "succeeded", events: []trail.Event{own(0, "RotationStarted", "prod/mail"), own(3000, "RotationSucceeded", "prod/mail")}},
		{name: "did not end", events: []trail.Event{own(0, "RotationStarted", "prod/mail")}, want: []string{"medium: a rotation began and did not end within 1h"}},
		{name: "ended too late", events: []trail.Event{own(0, "RotationStarted", "prod/mail"), own(4000, "RotationSucceeded", "prod/mail")}, want: []string{"medium: a rotation began and did not end within 1h"}},
		{name: "another's end", events: []trail.Event{own(0, "RotationStarted", "prod/mail"), own(60, "RotationSucceeded", "prod/pay")}, want: []string{"medium: a rotation began and did not end within 1h"}},
		{name: "overdue", site: rotated, events: []trail.Event{own(0, "RotationSucceeded", "prod/mail"), read(20), read(34)}, want: []string{"medium: no rotation for more than 30d and a day"}},
		{name: "overdue, not used", site: rotated, events: []trail.Event{own(0, "RotationSucceeded", "prod/mail")}, want: []string{"medium: no rotation for more than 30d and a day"}},
		{name: "overdue twice", site: rotated, events: []trail.Event{own(0, "RotationSucceeded", "prod/mail"), own(40*day, "RotationSucceeded", "prod/mail")}, want: []string{"medium: no rotation for more than 30d and a day", "medium: no rotation for more than 30d and a day"}},
		{name: "in time, then turned off", site: rotated, events: []trail.Event{
			own(0, "RotationSucceeded", "prod/mail"), own(30*day, "RotationSucceeded", "prod/mail"), ev(50*day, alice, "CancelRotateSecret", "prod/mail"),
		}},
		{name: "in time, then deleted", site: rotated, events: []trail.Event{own(0, "RotationSucceeded", "prod/mail"), ev(20*day, alice, "DeleteSecret", "prod/mail")}},
		{name: "no interval known", events: []trail.Event{own(0, "RotationSucceeded", "prod/pay"), ev(90*day, mailer, "GetSecretValue", "prod/pay")}},
		{name: "not ours", events: []trail.Event{own(0, "RotationFailed", "other")}},
	}
	for i := range cases {
		if cases[i].site == nil {
			cases[i].site = site
		}
	}
	check(t, rotationFailed(), cases)
}

package detect

import (
	"testing"

	"github.com/keyturn/keyturn/shared/trail"
)

func TestOtherAccount(t *testing.T) {
	t.Parallel()
	const stranger = "210987654321"
	listed := ours()
	listed.Accounts = []string{stranger}
	other := func(e *trail.Event) {
		e.Identity = trail.Identity{Type: "AWSAccount", AccountID: stranger, PrincipalID: "AROA1:x"}
	}
	read := func(seconds int, secret string, changes ...func(*trail.Event)) trail.Event {
		return ev(seconds, "", "GetSecretValue", secret, append(changes, other)...)
	}
	decrypt := ev(0, "", "Decrypt", "", other, set("encryptionContext", map[string]string{"SecretARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/mail-AbC123"}), func(e *trail.Event) { e.Source = trail.KMS })
	why := `GetSecretValue by account "210987654321", which is not on the list`
	check(t, otherAccount(), []ruleCase{
		{name: "reads", events: []trail.Event{read(0, "prod/mail"), read(9, "prod/mail")}, want: []string{"high: " + why}},
		{name: "denied", events: []trail.Event{read(0, "prod/mail", denied)}, want: []string{"medium: " + why + ", failed"}},
		{name: "denied, then not", events: []trail.Event{read(0, "prod/mail", denied), read(9, "prod/mail")}, want: []string{"high: " + why, "medium: " + why + ", failed"}},
		{name: "by KMS", events: []trail.Event{decrypt}, want: []string{`high: Decrypt by account "210987654321", which is not on the list`}},
		{name: "listed", site: listed, events: []trail.Event{read(0, "prod/mail")}},
		{name: "own account", events: []trail.Event{ev(0, alice, "GetSecretValue", "prod/mail")}},
		{name: "not ours", events: []trail.Event{read(0, "other")}},
		{name: "account not said", events: []trail.Event{ev(0, "", "GetSecretValue", "prod/mail", func(e *trail.Event) { e.Identity = trail.Identity{} })}},
	})
}

package detect

import (
	"testing"

	"github.com/keyturn/keyturn/shared/trail"
)

func TestRoot(t *testing.T) {
	t.Parallel()
	asRoot := func(e *trail.Event) { e.Identity.Type = "Root" }
	check(t, root(), []ruleCase{
		{name: "reads", events: []trail.Event{ev(0, "arn:aws:iam::123456789012:root", "GetSecretValue", "prod/mail", asRoot)}, want: []string{"high: GetSecretValue by the root user"}},
		{name: "lists", events: []trail.Event{ev(0, "arn:aws:iam::123456789012:root", "ListSecrets", "", asRoot)}, want: []string{"high: ListSecrets by the root user"}},
		{name: "through a service", events: []trail.Event{ev(0, "arn:aws:iam::123456789012:root", "ListSecrets", "", asRoot, func(e *trail.Event) { e.Identity.InvokedBy = "config.amazonaws.com" })}},
		{name: "a secret that is not ours", events: []trail.Event{ev(0, "arn:aws:iam::123456789012:root", "GetSecretValue", "other", asRoot)}},
		{name: "another service", events: []trail.Event{ev(0, "arn:aws:iam::123456789012:root", "RunInstances", "", asRoot, func(e *trail.Event) { e.Source = "ec2.amazonaws.com" })}},
		{name: "a user", events: []trail.Event{ev(0, alice, "GetSecretValue", "prod/mail")}},
	})
}

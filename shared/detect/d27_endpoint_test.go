package detect

import (
	"testing"

	"github.com/keyturn/keyturn/shared/trail"
)

func TestEndpointDenial(t *testing.T) {
	t.Parallel()
	call := func(seconds int, endpoint string, changes ...func(*trail.Event)) trail.Event {
		return ev(seconds, alice, "GetSecretValue", "", append(changes, func(e *trail.Event) {
			e.Type, e.Category, e.VPCEndpoint = trail.TypeVPCE, "NetworkActivity", endpoint
		})...)
	}
	refused := fails("VpceAccessDenied")
	check(t, endpointDenial(), []ruleCase{
		{name: "denied, often", events: many(5, func(i int) trail.Event { return call(i, "vpce-1", refused) }), want: []string{`medium: GetSecretValue denied by the policy of "vpce-1"`}},
		{name: "two endpoints", events: []trail.Event{call(0, "vpce-1", refused), call(0, "vpce-2", refused)}, want: []string{
			`medium: GetSecretValue denied by the policy of "vpce-1"`, `medium: GetSecretValue denied by the policy of "vpce-2"`,
		}},
		{name: "denied by IAM", events: []trail.Event{call(0, "vpce-1", denied)}},
		{name: "let through", events: []trail.Event{call(0, "vpce-1")}},
		{name: "another service", events: []trail.Event{call(0, "vpce-1", refused, func(e *trail.Event) { e.Source = "s3.amazonaws.com" })}},
	})
}

package detect

import (
	"fmt"
	"testing"

	"github.com/keyturn/keyturn/shared/trail"
)

func TestDeletion(t *testing.T) {
	t.Parallel()
	call := func(name, secret string, changes ...func(*trail.Event)) []trail.Event {
		return []trail.Event{ev(0, alice, name, secret, changes...)}
	}
	one := "high: deleted, with a time to recover it"
	check(t, deletion(3), []ruleCase{
		{name: "one", events: call("DeleteSecret", "prod/mail", set("recoveryWindowInDays", 30)), want: []string{one}},
		{name: "twice the same event", events: append(call("DeleteSecret", "prod/mail"), call("DeleteSecret", "prod/mail")...), want: []string{one}},
		{name: "forced", events: call("DeleteSecret", "prod/mail", set("forceDeleteWithoutRecovery", true)), want: []string{"critical: deleted without recovery"}},
		{name: "three", site: (&Site{}).Prepare(nil), events: many(3, func(i int) trail.Event { return ev(i, alice, "DeleteSecret", fmt.Sprint("s", i)) }), want: []string{
			"critical: 3 or more secrets deleted within 10m; threshold 3", one, one, one,
		}},
		{name: "a replica", events: call("RemoveRegionsFromReplication", "prod/mail"), want: []string{"high: a replica was removed or cut off by RemoveRegionsFromReplication"}},
		{name: "denied", events: call("DeleteSecret", "prod/mail", denied)},
		{name: "restored", events: call("RestoreSecret", "prod/mail")},
		{name: "not ours", events: call("DeleteSecret", "other")},
		{name: "version ends", events: call("StartSecretVersionDelete", "prod/mail", service)},
	})
}

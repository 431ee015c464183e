package detect

import (
	"fmt"
	"testing"

	"github.com/keyturn/keyturn/shared/trail"
)

func TestBulkRead(t *testing.T) {
	t.Parallel()
	all := (&Site{}).Prepare(nil)
	automatic := (&Site{Automation: []Automation{{Principal: alice, Agent: "backup/"}}}).Prepare(nil)
	read := func(i int) trail.Event { return ev(i, alice, "GetSecretValue", fmt.Sprint("s", i)) }
	version := func(name string, after int) func(int) trail.Event {
		return func(i int) trail.Event {
			field := "versionId"
			if name == "PutSecretValue" {
				field = "clientRequestToken"
			}
			return ev(after+i, alice, name, fmt.Sprint("s", i), set(field, fmt.Sprint("v", i)))
		}
	}
	check(t, bulkRead(20), []ruleCase{
		{name: "19", site: all, events: many(19, read)},
		{name: "20", site: all, events: many(20, read), want: []string{"high: 20 or more distinct secrets read within 6m; threshold 20"}},
		{name: "200", site: all, events: many(200, read), want: []string{"high: 80 or more distinct secrets read within 6m; threshold 20"}},
		{name: "20 in 20 minutes", site: all, events: many(20, func(i int) trail.Event { return ev(60*i, alice, "GetSecretValue", fmt.Sprint("s", i)) })},
		{name: "one, 100 times", site: all, events: many(100, func(i int) trail.Event { return ev(i, alice, "GetSecretValue", "s") })},
		{name: "denied", site: all, events: many(30, func(i int) trail.Event { return ev(i, alice, "GetSecretValue", fmt.Sprint("s", i), denied) })},
		{name: "not ours", events: many(30, read)},
		{name: "versions it wrote", site: all, events: append(many(30, version("PutSecretValue", 0)), many(30, version("GetSecretValue", 60))...)},
		{name: "versions it wrote, known later", site: all, events: append(many(30, version("GetSecretValue", 60)), many(30, version("PutSecretValue", 0))...)},
		{name: "versions of others", site: all, events: many(25, version("GetSecretValue", 0)), want: []string{"high: 25 or more distinct secrets read by version within 6m; threshold 20"}},
		{name: "automation", site: automatic, events: many(30, func(i int) trail.Event {
			return ev(i, alice, "GetSecretValue", fmt.Sprint("s", i), func(e *trail.Event) { e.UserAgent = "backup/1.0" })
		})},
		{name: "automation's user by another agent", site: automatic, events: many(20, read), want: []string{"high: 20 or more distinct secrets read within 6m; threshold 20"}},
	})
}

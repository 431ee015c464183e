package events_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/keyturn/keyturn/shared/providertest"
	"github.com/keyturn/keyturn/shared/rotatenow"
	"github.com/keyturn/keyturn/test/events"
	"github.com/keyturn/keyturn/test/stack"
)

var invocation = regexp.MustCompile(`(?m)^aws lambda invoke --function-name (\S+) --cli-binary-format raw-in-base64-out --payload '([^']*)' \S+$`)

// TestDocument sends each request of docs/deploy.md to the function and alias
// that it names.
func TestDocument(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	status := map[rotatenow.Mode]string{
		rotatenow.Plan: "planned", rotatenow.Rotate: "started", rotatenow.Emergency: "started", rotatenow.Pause: "paused", rotatenow.Resume: "resumed",
		rotatenow.Ack: "none_open",
	}
	var modes []rotatenow.Mode
	found := invocation.FindAllStringSubmatch(string(text), -1)
	if n := strings.Count(string(text), "aws lambda invoke --"); n != len(found) {
		t.Errorf("%d invocations, and %d are understood", n, len(found))
	}
	for _, m := range found {
		function, payload := m[1], m[2]
		q, err := rotatenow.Parse([]byte(payload))
		if err != nil {
			t.Errorf("%s: %v", payload, err)
			continue
		}
		modes = append(modes, q.Mode)
		t.Run(string(q.Mode), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { ask(t, function, payload, q.Mode, `"status":"`+status[q.Mode]+`"`) })
		})
	}
	for mode := range status {
		if !slices.Contains(modes, mode) {
			t.Errorf("mode %s is not documented", mode)
		}
	}
}

// TestAlias: a right to one alias is no right to another's mode.
func TestAlias(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const payload = `{"version":1,"mode":"emergency","secret":"` + events.Secret + `","reason":"a test"}`
		ask(t, stack.RotateNow+":rotate", payload, rotatenow.Emergency, "")
	})
}

func ask(t *testing.T, function, payload string, mode rotatenow.Mode, answer string) {
	t.Helper()
	r := events.Region()
	defer r.Close()
	vendors := events.NewVendors(r.Cloud.Clock().Now)
	o := events.Options(vendors, "https://vendors.test", "vendors.test")
	o.Vendors = &providertest.Transport{Handler: vendors}
	s, err := stack.Deploy(t.Context(), r, o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err = events.Prepare(t.Context(), s, vendors, "rotatenow", string(mode)); err != nil {
		t.Fatal(err)
	}
	out, failure, err := s.Region.Lambda.Invoke(t.Context(), function, []byte(payload))
	if answer == "" {
		if err != nil || failure == "" || !strings.Contains(string(out), "is not for mode") {
			t.Errorf("%s: %s%s, %v; want a refusal", function, failure, out, err)
		}
		return
	}
	if err != nil || failure != "" || !strings.Contains(string(out), answer) {
		t.Errorf("%s: %s%s, %v; want an answer with %s", function, failure, out, err, answer)
	}
}

package review

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestWritePage_long wants a page of a bounded size, which says what it left out, and
// still says what always holds.
func TestWritePage_long(t *testing.T) {
	t.Parallel()
	in := small()
	one := in.Secrets[0]
	one.Owner = ""
	in.Secrets = slices.Repeat([]Secret{one}, maxKeys+7)
	for i := range 3 * maxLimits {
		in.Missing = append(in.Missing, fmt.Sprintf("part %d could not be read.", i))
	}
	for i := range maxReaders + 4 {
		in.Principals = append(in.Principals, Principal{ARN: fmt.Sprint(roles, "more", i), Role: true, Identity: []Policy{{"read", readAll}}})
	}
	r := Make(in)
	for i := range maxChanges + 9 {
		r.Changes = append(r.Changes, fmt.Sprint("change ", i))
	}
	r.Compared = true
	var b strings.Builder
	if err := r.WritePage(&b); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, want := range []string{
		">7 more keys", "9 more are in the JSON", fmt.Sprintf("%d more are in the JSON", len(r.NotCovered)-maxLimits), "8 more are in the CSV",
		"The root user of the account", "Who may take a role on", "part 0 could not be read",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if n := strings.Count(page, "<article"); n != maxKeys {
		t.Errorf("%d keys are shown", n)
	}
}

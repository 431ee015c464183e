package main

import (
	"encoding/json"
	"regexp"
	"strings"

	"github.com/keyturn/keyturn/shared/rotation"
)

// meaning says what a step's outcome means.
func meaning(step, outcome string) string {
	switch rotation.Outcome(outcome) {
	case rotation.Minted:
		return "a new key is minted, and stored as AWSPENDING"
	case rotation.Found:
		return "a value was stored already"
	case rotation.Nothing:
		return "nothing to do: both keys work side by side"
	case rotation.Verified:
		return "the vendor accepts the new key"
	case rotation.Checked:
		return "the current key and the admin credential work"
	case rotation.Promoted:
		return "tried once more, and AWSCURRENT moved to it"
	case rotation.Already:
		return "an earlier run finished it"
	}
	if step == string(rotation.CreateSecret) {
		return "killed: the vendor made a key, and its value is lost"
	}
	return "no outcome"
}

// showSteps shows the steps of a rotation, as the functions logged them.
func (d *demo) showSteps(r turn) {
	log := d.log.String()
	for i, s := range r.Steps {
		if i > 0 && s.Name == r.Steps[0].Name {
			d.screen.say(warn, "  Secrets Manager restarts the whole rotation, with the same token")
		}
		outcome, took := logged(log, s.RequestID)
		as := plain
		if outcome == "" {
			as = bad
		}
		d.screen.say(as, "  %-13s %9s  %s", s.Name, took, meaning(s.Name, outcome))
	}
}

var duration = regexp.MustCompile(`\tDuration: ([0-9.]+ ms)`)

// logged returns what a log says about one invocation: its outcome, "" if it
// had none, and how long it took.
func logged(log, requestID string) (outcome, took string) {
	for line := range strings.SplitSeq(log, "\n") {
		if !strings.Contains(line, requestID) {
			continue
		}
		_, text, _ := strings.Cut(line, ": ")
		if m := duration.FindStringSubmatch(text); strings.HasPrefix(text, "REPORT ") && m != nil {
			took = m[1]
		}
		var e struct{ Msg, Outcome string }
		if json.Unmarshal([]byte(text), &e) == nil && e.Msg == "step done" {
			outcome = e.Outcome
		}
	}
	return outcome, took
}

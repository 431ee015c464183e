package retire

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	diff "github.com/google/go-cmp/cmp"
)

//go:generate go test -run=^TestHeal_docs$ -count=1 . -args -update

var update = flag.Bool("update", false, "write what the tests compare with")

// possible reports whether Secrets Manager can show a state, as stateOf reads
// it: a label is on one version at most.
func (s labelState) possible() bool {
	switch s.pending {
	case pendingCurrent:
		return s.current == there
	case pendingPrevious:
		return s.previous == onPending
	case pendingOther:
		return s.previous != onPending
	case pendingNowhere: // so nothing is beside it
		return s.previous != onPending
	}
	return false
}

// allStates returns every state that is possible.
func allStates() (all []labelState) {
	for _, r := range []reads{agree, differ} {
		for _, c := range []place{there, missing} {
			for _, p := range []pending{pendingNowhere, pendingCurrent, pendingPrevious, pendingOther} {
				for _, v := range []pendingValue{valueNone, valueAccepted, valueRefused, valueUntold} {
					for _, a := range []age{young, old} {
						for _, prev := range []place{elsewhere, missing, onPending} {
							for _, k := range []kind{apart, replaced} {
								if s := (labelState{r, c, p, v, a, prev, k}); s.possible() {
									all = append(all, s)
								}
							}
						}
					}
				}
			}
		}
	}
	return all
}

// Exactly one rule fits each state, and each rule fits one.
func TestHeal_complete(t *testing.T) {
	t.Parallel()
	all, used := allStates(), make([]int, len(heal))
	if len(all) < 200 {
		t.Fatalf("only %d states", len(all))
	}
	for _, s := range all {
		n := 0
		for i, h := range heal {
			if h.fits(s) {
				n++
				used[i]++
			}
		}
		if n != 1 {
			t.Errorf("%d rules fit %+v", n, s)
		}
	}
	for i, n := range used {
		if n == 0 || heal[i].why == "" || heal[i].do == "" {
			t.Errorf("rule %+v fits %d states", heal[i], n)
		}
	}
	if h := ruleFor(labelState{pending: "on the moon"}); h.do != leave {
		t.Errorf("a state that nobody foresaw: %s", h.do)
	}
}

// What must hold in every state, whatever the table says.
func TestHeal_safe(t *testing.T) {
	t.Parallel()
	for _, s := range allStates() {
		switch do := ruleFor(s).do; {
		case do == leave:
		case s.reads == differ:
			t.Errorf("%s on two reads that differ: %+v", do, s)
		case s.age == young:
			t.Errorf("%s of a label that a rotation may still need: %+v", do, s)
		case do == remove && s.current == missing:
			t.Errorf("%s where nothing is current: %+v", do, s)
		case do == remove && s.pending == pendingOther && s.kind == replaced && (s.value == valueAccepted || s.value == valueUntold):
			t.Errorf("%s from what may be the only value that works: %+v", do, s)
		}
	}
}

// TestHeal_docs compares docs/heal.md with the table.
func TestHeal_docs(t *testing.T) {
	t.Parallel()
	const path = "../../docs/heal.md"
	want := healDocs()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := diff.Diff(want, string(got)); d != "" {
		t.Errorf("docs/heal.md is not up to date, run go generate ./shared/retire (-want +got):\n%s", d)
	}
}

func healDocs() string {
	var b strings.Builder
	b.WriteString(`<!-- Code generated from shared/retire/healrule.go by go generate ./shared/retire. DO NOT EDIT. -->

# How a stuck label is mended

Secrets Manager begins no rotation while AWSPENDING is on a version that is not
AWSCURRENT. The retire function mends that, at each look at a secret and at each
sweep, by the line of this table that fits. A test fails unless exactly one line
fits each state there is. "any" fits everything.

`)
	fmt.Fprintf(&b, `- **Reads**: whether DescribeSecret and ListSecretVersionIds show AWSPENDING on
  the same version.
- **Old**: on AWSCURRENT or AWSPREVIOUS, for %s since the last change; on
  another version, for %s since it was made, or twice the longest rotation if
  that is longer.
- **Value**: what the version with AWSPENDING holds, tried at the vendor.
- **A rotation makes**: a key beside the current one (Overlap, DualSlot), or
  another value in place of the current one (RollInPlace, RollWithGrace).

To take the label off is recorded in the audit trail, before and after. Somebody
is told when it is taken off another version, for that gives a rotation up; where
a rotation replaces values this is critical, for the only value that works may be
in question.

Whoever asks for a rotation (rotatenow) does not wait for these times: where nothing can
be lost by it, the rotate function takes AWSPENDING off an unfinished version as soon as
the invocation that it began with must have ended. One without a value goes for any
rotation that is asked for; one with a key beside the current one, or with a value of our
own that never was in place, for an emergency. A rollback gives up one that has failed, or
whose function can no longer run, in the same way.

`, hours(pendingLinger), hours(lostAge))
	b.WriteString("| Reads | AWSCURRENT | AWSPENDING | Its value | Since | AWSPREVIOUS | A rotation makes | What is done | Why |\n")
	b.WriteString(strings.Repeat("| --- ", 9) + "|\n")
	for _, h := range heal {
		for _, cell := range []string{
			string(h.reads), string(h.current), string(h.pending), string(h.value), string(h.age), string(h.previous), string(h.kind), string(h.do), h.why,
		} {
			b.WriteString("| " + cmp.Or(cell, "any") + " ")
		}
		b.WriteString("|\n")
	}
	return b.String()
}

func hours(d interface{ Hours() float64 }) string {
	if d.Hours() == 1 {
		return "an hour"
	}
	return fmt.Sprintf("%.0f hours", d.Hours())
}

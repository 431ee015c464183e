package fault

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever operators, AWS, the vendor and bad luck do, in any order.
func TestMachine(t *testing.T) { //nolint:paralleltest // it uses all processors by itself
	if *only != "" {
		return
	}
	for _, s := range Subjects() { //nolint:paralleltest // the same
		if s.Again {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			began, most, runs, failed := time.Now(), 700*time.Millisecond, 0, false
			if *all {
				most = 2 * time.Minute
			}
			defer func() { // rapid ends the test where it fails
				if failed {
					total.Broken.Add(1)
				}
				if *all {
					fmt.Printf("%-40s %6d runs in %5.1f s\n", s.Name+" state machine", runs, time.Since(began).Seconds())
				}
			}()
			deed := rapid.Custom(func(t *rapid.T) Deed {
				return Deed{
					What:  rapid.SampledFrom(Deeds()).Draw(t, "what"),
					Hours: rapid.IntRange(1, 60).Draw(t, "hours"),
					Fault: Fault{rapid.IntRange(1, 40).Draw(t, "at"), Effect(rapid.IntRange(int(FailBefore), int(effects)-1).Draw(t, "effect"))},
				}
			})
			rapid.Check(t, func(rt *rapid.T) {
				deeds := rapid.SliceOfN(deed, 1, 12).Draw(rt, "deeds")
				if time.Since(began) > most && !failed {
					return
				}
				runs++
				total.Runs.Add(1)
				if broken := s.Machine(t, deeds); len(broken) > 0 {
					failed = true
					rt.Fatalf("%v:\n\t%s", deeds, strings.Join(broken, "\n\t"))
				}
			})
		})
	}
}

package detect

import (
	"fmt"
	"math"
	"strconv"
	"testing"

	"github.com/keyturn/keyturn/shared/trail"
)

func TestVolume(t *testing.T) {
	t.Parallel()
	// One read every hour for ten days, and more in the hour after them.
	days := func(n, more int) []trail.Event {
		events := many(24*n, func(i int) trail.Event { return ev(3600*i, alice, "GetSecretValue", "prod/mail") })
		return append(events, many(more, func(i int) trail.Event { return ev(n*day+i, alice, "GetSecretValue", "prod/mail") })...)
	}
	high := func(reads int) []string {
		why := fmt.Sprintf("medium: %d reads in an hour; usual are 1.0, at most 1.0", reads)
		return []string{why, why}
	}
	check(t, volume(10), []ruleCase{
		{name: "as usual", events: days(10, 1)},
		{name: "nine", events: days(10, 9)},
		{name: "thirty", events: days(10, 30), want: high(30)},
		{name: "thirty, twice", events: append(days(10, 30), days(10, 30)...), want: high(30)},
		{name: "thirty, but few days before", events: days(3, 30)},
		{name: "first of all", events: days(0, 500)},
		{name: "every day", events: many(10*24*12, func(i int) trail.Event { return ev(300*i, alice, "GetSecretValue", "prod/mail") })},
		{name: "denied", events: append(days(10, 0), many(50, func(i int) trail.Event { return ev(10*day+i, alice, "GetSecretValue", "prod/mail", denied) })...)},
	})
}

// TestCounts: the estimate of a bucket, of which 128 values are kept, is within
// 30 %, more than three times its standard error.
func TestCounts(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 127, 128, 1000, 20000} {
		p := &Pattern{Cap: 128, Most: 1000}
		var marks []Mark
		for i := 0; i < n; i += 100 {
			var some []Mark
			for j := i; j < min(n, i+100); j++ {
				some = append(some, Mark{Value: digest(strconv.Itoa(j))})
			}
			marks = merge(p, marks, some)
		}
		got := 0.0
		for _, b := range counts(marks, p.Cap) {
			got += b.n
		}
		if n < 128 && got != float64(n) || math.Abs(got-float64(n)) > 0.3*float64(n) {
			t.Errorf("%d values are counted as %.0f", n, got)
		}
	}
}

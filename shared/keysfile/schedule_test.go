package keysfile_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/keysfile"
	cloud "github.com/keyturn/keyturn/test/cloud/schedule"
)

func TestParseSchedule(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, tt := range []struct {
		expression        string
		longest, shortest time.Duration
	}{
		{"rate(4 hours)", 4 * time.Hour, 4 * time.Hour},
		{"rate(1 day)", day, day},
		{"rate(999 days)", 999 * day, 999 * day},
		{"cron(0 4 ? * MON *)", 7 * day, 7 * day},
		{"cron(0 4 ? * mon,2-4 *)", 5 * day, day},
		{"cron(0 4 ? * FRI#1 *)", 35 * day, 28 * day},
		{"cron(0 4 ? * 6L *)", 35 * day, 28 * day},
		{"cron(0 4 ? * L *)", 7 * day, 7 * day},
		{"cron(0 4 L * ? *)", 31 * day, 28 * day},
		{"cron(0 4 1,15 * ? *)", 17 * day, 14 * day},
		{"cron(0 4 31 * ? *)", 61 * day, 31 * day},
		{"cron(0 4 1 1/3 ? *)", 92 * day, 90 * day},
		{"cron(0 4 1 JAN,JUL ? *)", 184 * day, 181 * day},
		{"cron(0 4 1 6 ? *)", 366 * day, 365 * day},
		{"cron(0 2/10 * * ? *)", 10 * time.Hour, 4 * time.Hour},
		{"cron(0 8-16/8 * * ? *)", 16 * time.Hour, 8 * time.Hour},
		{"cron(0 */4 * * ? *)", 4 * time.Hour, 4 * time.Hour},
	} {
		s, err := keysfile.ParseSchedule(tt.expression)
		if err != nil || s.Longest() != tt.longest || s.Shortest() != tt.shortest {
			t.Errorf("%s: %s, %s, %v; want %s, %s", tt.expression, s.Longest(), s.Shortest(), err, tt.longest, tt.shortest)
		}
		if got := (keysfile.Key{Schedule: tt.expression}).Interval(); got != tt.longest {
			t.Errorf("interval of %s: %s", tt.expression, got)
		}
	}
	if got := (keysfile.Schedule{}).Next(now); !got.IsZero() {
		t.Errorf("no schedule opens at %s", got)
	}
	if got := (keysfile.Key{Schedule: "weekly"}).Interval(); got != 0 {
		t.Errorf("interval of nonsense: %s", got)
	}
}

// What is taken here, the local AWS takes too: it was written apart from this.
func TestParseSchedule_asTheLocalAWS(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(s string) string { f := strings.Fields(s); return f[random.IntN(len(f))] }
	taken := 0
	for range 1500 {
		expression := fmt.Sprintf("cron(%s %s %s %s %s %s)", pick("0 0 0 0 0 5"), pick("4 0/6 1-9/4 23 24 * 3,9 9-3"), pick("? ? 1 31 L 1/7 1,15 * 0"),
			pick("* * 1/3 JAN 2 13 feb-APR"), pick("? ? MON 2-6 sun#2 6L 8 L#1 *"), pick("* * * * 2027"))
		if random.IntN(9) == 0 {
			expression = fmt.Sprintf("rate(%d %s)", random.IntN(1100), pick("hour hours day days week"))
		}
		s, err := keysfile.ParseSchedule(expression)
		if err != nil {
			continue
		}
		taken++
		theirs, err := cloud.Parse(expression, "1h")
		if err != nil {
			t.Errorf("%s is taken here, and not there: %v", expression, err)
			continue
		}
		at, _ := theirs.Next(time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC))
		for range 40 {
			next, _ := theirs.Next(at)
			if ours := s.Next(at); !ours.Equal(next) {
				t.Errorf("%s: after %s it opens at %s, and there at %s", expression, at, ours, next)
				break
			}
			if gap := next.Sub(at); gap > s.Longest() || gap < s.Shortest() {
				t.Errorf("%s: %s from %s, which is not between %s and %s", expression, gap, at, s.Shortest(), s.Longest())
				break
			}
			at = next
		}
	}
	if taken < 100 {
		t.Errorf("only %d were taken", taken)
	}
}

// A key that changed its stack would be deleted and made again.
func TestShard_neverChanges(t *testing.T) {
	t.Parallel()
	got := map[string]int{}
	for _, name := range []string{"prod/mailer/sendgrid", "prod/b", "a", "keyturn/x", ""} {
		got[name] = keysfile.Shard(name, 32)
	}
	want := map[string]int{"": 20, "a": 10, "keyturn/x": 14, "prod/b": 16, "prod/mailer/sendgrid": 23}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("shards (-want +got):\n%s", d)
	}
	count := map[int]int{}
	for i := range 1000 {
		count[keysfile.Shard(fmt.Sprintf("prod/service-%d/key", i), 32)]++
	}
	for shard, n := range count {
		if shard < 0 || shard > 31 || n > 60 {
			t.Errorf("shard %d has %d of 1000 keys", shard, n)
		}
	}
}

func TestFile_Expression(t *testing.T) {
	t.Parallel()
	key := func(name, schedule string) keysfile.Key {
		return keysfile.Key{Name: name, Schedule: schedule, Window: keysfile.Duration(3 * time.Hour), Tier: 2}
	}
	f := &keysfile.File{Policy: keysfile.Policy{MaxAge: map[int]keysfile.Duration{1: keysfile.Duration(30 * 24 * time.Hour)}}}
	for schedule, want := range map[string]string{
		"rate(1 day)":         "cron(0 11 * * ? *)",
		"rate(7 days)":        "cron(0 11 ? * SUN *)",
		"rate(30 days)":       "cron(0 11 1 * ? *)",
		"rate(31 days)":       "cron(0 11 1 * ? *)",
		"rate(90 days)":       "rate(90 days)",
		"rate(8 days)":        "rate(8 days)",
		"rate(12 hours)":      "rate(12 hours)",
		"rate(720 hours)":     "cron(0 11 1 * ? *)",
		"cron(0 4 ? * MON *)": "cron(0 4 ? * MON *)",
	} {
		if got := f.Expression(key("prod/mailer", schedule)); got != want {
			t.Errorf("%s is deployed as %s, want %s", schedule, got, want)
		}
	}
	strict := key("prod/mailer", "rate(30 days)")
	strict.Tier = 1
	if got := f.Expression(strict); !strings.HasPrefix(got, "rate(") {
		t.Errorf("a policy of 30 days admits %s", got)
	}
}

// A thousand keys that are deployed together rotate apart, never later than was
// asked for by more than the 31st day, and within the day.
func TestFile_Expression_spread(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, tt := range []struct {
		schedule       string
		window, most   int // hours; of 1000 keys with one expression
		longer, sooner time.Duration
	}{
		{"rate(1 day)", 3, 90, 0, 0},
		{"rate(1 day)", 24, 1000, 0, 0},
		{"rate(7 days)", 1, 20, 0, 0},
		{"rate(30 days)", 3, 12, day, 2 * day},
		{"rate(90 days)", 3, 250, 0, 6 * day},
		{"rate(365 days)", 3, 80, 0, 24 * day},
	} {
		asked, err := keysfile.ParseSchedule(tt.schedule)
		if err != nil {
			t.Fatal(err)
		}
		same := map[string]int{}
		for i := range 1000 {
			k := keysfile.Key{Name: fmt.Sprintf("prod/service-%d", i), Schedule: tt.schedule, Window: keysfile.Duration(time.Duration(tt.window) * time.Hour)}
			expression := (&keysfile.File{}).Expression(k)
			if same[expression]++; same[expression] > 1 {
				continue
			}
			s, err := keysfile.ParseSchedule(expression)
			if err != nil {
				t.Fatalf("%s: %v", expression, err)
			}
			if s.Longest() > asked.Longest()+tt.longer || s.Shortest() < asked.Shortest()-tt.sooner {
				t.Errorf("%s is deployed as %s: %s to %s", tt.schedule, expression, s.Shortest(), s.Longest())
			}
			if _, err := cloud.Parse(expression, fmt.Sprintf("%dh", tt.window)); err != nil {
				t.Errorf("%s with a window of %d hours: %v", expression, tt.window, err)
			}
		}
		for expression, n := range same {
			if n > tt.most {
				t.Errorf("%d of 1000 keys with %s are deployed as %s", n, tt.schedule, expression)
			}
		}
	}
}

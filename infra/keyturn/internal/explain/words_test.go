package explain

import "testing"

func TestWords(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"rate(30 days)":            "every 30 days",
		"rate(1 day)":              "every day",
		"cron(0 4 ? * MON *)":      "every Monday at 04:00 UTC",
		"cron(0 14 ? * MON,THU *)": "every Monday and Thursday at 14:00 UTC",
		"cron(0 4 * * ? *)":        "every day at 04:00 UTC",
		"cron(0 4 12 * ? *)":       "on day 12 of every month at 04:00 UTC",
		"cron(0 4 L * ? *)":        "on the last day of every month at 04:00 UTC",
		"cron(0 4 ? * MON#1 *)":    "whenever cron(0 4 ? * MON#1 *) says, in UTC",
		"cron(0 4,16 ? * MON *)":   "whenever cron(0 4,16 ? * MON *) says, in UTC",
		"cron(0 4 1 JAN,JUL ? *)":  "whenever cron(0 4 1 JAN,JUL ? *) says, in UTC",
		"cron(0 4 1-5 * ? *)":      "whenever cron(0 4 1-5 * ? *) says, in UTC",
		"something(else)":          "whenever something(else) says, in UTC",
	} {
		if got := words(in); got != want {
			t.Errorf("words(%q) = %q, want %q", in, got, want)
		}
	}
}

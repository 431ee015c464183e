package explain

import (
	"fmt"
	"strconv"
	"strings"
)

// words says in words when an expression's windows open: "every Monday at 04:00
// UTC". A cron that is more than that is named as it is.
func words(expression string) string {
	kind, body, _ := strings.Cut(strings.TrimSuffix(expression, ")"), "(")
	if kind == "rate" {
		return "every " + strings.TrimPrefix(body, "1 ")
	}
	asItIs := "whenever " + expression + " says, in UTC"
	f := strings.Fields(body)
	if kind != "cron" || len(f) != 6 || f[0] != "0" || f[3] != "*" || f[5] != "*" {
		return asItIs
	}
	hour, err := strconv.Atoi(f[1])
	if err != nil {
		return asItIs
	}
	at := fmt.Sprintf(" at %02d:00 UTC", hour)
	every := func(s string) bool { return s == "*" || s == "?" }
	switch day, names := f[2], weekdays(f[4]); {
	case every(day) && every(f[4]):
		return "every day" + at
	case every(day) && names != "":
		return "every " + names + at
	case every(f[4]) && day == "L":
		return "on the last day of every month" + at
	case every(f[4]):
		if n, err := strconv.Atoi(day); err == nil {
			return fmt.Sprintf("on day %d of every month%s", n, at)
		}
	}
	return asItIs
}

// weekdays returns the names in a list such as MON,THU; "" if it is no such list.
func weekdays(field string) string {
	full := map[string]string{
		"SUN": "Sunday", "MON": "Monday", "TUE": "Tuesday", "WED": "Wednesday", "THU": "Thursday", "FRI": "Friday", "SAT": "Saturday",
		"1": "Sunday", "2": "Monday", "3": "Tuesday", "4": "Wednesday", "5": "Thursday", "6": "Friday", "7": "Saturday",
	}
	var out []string
	for name := range strings.SplitSeq(strings.ToUpper(field), ",") {
		if full[name] == "" {
			return ""
		}
		out = append(out, full[name])
	}
	return strings.Join(out, " and ")
}

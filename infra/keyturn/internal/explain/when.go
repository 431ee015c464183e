package explain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/infra/reach"
	"github.com/keyturn/keyturn/shared/keysfile"
)

const (
	shown = 3 // windows
	clock = "15:04"
)

func (s Source) when(k keysfile.Key, deployed string) ([]string, []Window, error) {
	schedule, err := keysfile.ParseSchedule(deployed)
	if err != nil {
		return nil, nil, fmt.Errorf("read the schedule %s: %w", deployed, err)
	}
	window := reach.Span(time.Duration(k.Window))
	lines := []string{fmt.Sprintf("%s; it begins within %s after that.", sentence(words(deployed)), window)}
	if deployed != k.Schedule {
		lines = append(lines, fmt.Sprintf("The file says %s. The hash of the name spreads keys with one rate over days and hours: %s.", k.Schedule, deployed))
	}
	var next []Window
	if strings.HasPrefix(deployed, "rate(") {
		lines = append(lines, "It is counted from the last rotation: keyturn status "+k.Name+" knows the next one.")
	} else {
		var times []string
		for at := s.Now; len(next) < shown; {
			at = schedule.Next(at)
			w := Window{at, at.Add(time.Duration(k.Window))}
			next = append(next, w)
			times = append(times, w.Start.Format("Mon 2006-01-02 "+clock)+" to "+w.End.Format(clock))
		}
		lines = append(lines, "Next, in UTC: "+strings.Join(times, "; ")+".")
	}
	lines = append(lines, fmt.Sprintf("At most %s lie between two rotations.", reach.Span(schedule.Longest())))
	if bound, ok := s.File.Policy.MaxAge[k.Tier]; ok {
		lines = append(lines, fmt.Sprintf("The policy allows %s for tier %d%s.", reach.Span(time.Duration(bound)), k.Tier, excepted(k.Exception)))
	}
	for _, f := range s.File.Freeze {
		over := f.To.AddDate(0, 0, 1)
		if (len(f.Tiers) == 0 || slices.Contains(f.Tiers, k.Tier)) && s.Now.Before(over) {
			lines = append(lines, fmt.Sprintf("Not from %s to %s, but in an emergency: %s.", f.From.Format(time.DateOnly), f.To.Format(time.DateOnly), f.Reason))
		}
	}
	if k.RotateNow {
		lines = append(lines, "A deployment that changes the schedule rotates it at once.")
	}
	return lines, next, nil
}

func excepted(e *keysfile.Exception) string {
	if e == nil {
		return ""
	}
	return fmt.Sprintf("; this key is excepted until %s: %s", e.Until.Format(time.DateOnly), e.Reason)
}

func sentence(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

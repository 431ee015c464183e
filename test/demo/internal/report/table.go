package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// short is how many digits of a fingerprint a terminal has room for; the page
// has them all.
const short = 8

// Row is one secret's line in the table.
type Row struct {
	Secret, Old, New   string
	Calls, Time        string
	Requests, Failed   int
	Alive, Dead, Orphs int
}

// Rows returns the lines of the table.
func (r Run) Rows() []Row {
	var out []Row
	for _, k := range r.Keys {
		row := Row{Secret: k.Secret, Alive: len(k.Live), Orphs: len(k.Orphans())}
		row.Requests, row.Failed = k.Requests()
		for _, l := range k.Lives {
			switch {
			case l.Is(Current):
				row.New = l.Fingerprint
			case !l.In(Lost):
				row.Old = l.Fingerprint
			}
			if l.End != "" {
				row.Dead++
			}
		}
		for _, t := range k.Rotations {
			row.Calls = strconv.Itoa(t.Calls)
			if t.Crashes > 0 {
				row.Calls += "*"
			}
			row.Time = fmt.Sprintf("%.2f s", t.Promoted.Sub(t.Started).Seconds())
			if t.Promoted.IsZero() {
				row.Time = "never"
			}
		}
		out = append(out, row)
	}
	return out
}

// Table returns the result for a terminal.
func (r Run) Table() string {
	cells := [][]string{{"KEY", "OLD", "NEW", "CALLS", "TIME", "REQUESTS", "FAILED", "ALIVE", "ORPHANS"}}
	crashed := false
	for _, w := range r.Rows() {
		crashed = crashed || strings.HasSuffix(w.Calls, "*")
		cells = append(cells, []string{
			w.Secret, clip(w.Old), clip(w.New), w.Calls, w.Time, strconv.Itoa(w.Requests), strconv.Itoa(w.Failed), strconv.Itoa(w.Alive), strconv.Itoa(w.Orphs),
		})
	}
	var b strings.Builder
	b.WriteString(columns(cells, 3))
	b.WriteString("OLD, NEW: fingerprints (HMAC). CALLS: Secrets Manager's, of the rotation.\nTIME: from its start until the new key was current.")
	if crashed {
		b.WriteString(" *: with a crash in it.")
	}
	return b.String() + "\n"
}

func clip(fingerprint string) string {
	if fingerprint == "" {
		return "-"
	}
	return fingerprint[:min(short, len(fingerprint))]
}

// columns lays cells out two spaces apart; those from column right on are
// numbers, and stand on the right.
func columns(cells [][]string, right int) string {
	var widths []int
	for _, row := range cells {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	var b strings.Builder
	for _, row := range cells {
		padded := make([]string, len(row))
		for i, c := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c))
			if padded[i] = c + pad; i >= right {
				padded[i] = pad + c
			}
		}
		b.WriteString(strings.TrimRight(strings.Join(padded, "  "), " ") + "\n")
	}
	return b.String()
}

// Short returns a duration in one unit and a symbol: "30 d", "25 h", "90 s".
func Short(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0f h", d.Hours())
	}
	return fmt.Sprintf("%.0f d", d.Hours()/24)
}

// Long returns a duration in words: "30 days", "25 hours".
func Long(d time.Duration) string {
	number, unit, _ := strings.Cut(Short(d), " ")
	name := map[string]string{"s": "second", "min": "minute", "h": "hour", "d": "day"}[unit]
	if number != "1" {
		name += "s"
	}
	return number + " " + name
}

// Upper returns s with a capital at its beginning.
func Upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// Package console renders what the operator's command prints for people:
// times, tables, colors and one line of progress.
package console

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Style is how a piece of text looks where colors are on.
type Style string

// The styles, as the parameters of ANSI's SGR. The zero Style changes nothing.
const (
	Plain Style = ""
	Bold  Style = "1"
	Dim   Style = "2"
	Good  Style = "32"
	Warn  Style = "33"
	Bad   Style = "31"
)

// Palette paints text. The zero Palette paints nothing.
type Palette struct{ On bool }

// Paint returns text in a style.
func (p Palette) Paint(s Style, text string) string {
	if !p.On || s == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// Clean makes foreign text safe to show: one line, without control characters
// that would command the terminal, and at most 600 characters.
func Clean(s string) string {
	const most = 600
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == utf8.RuneError:
			return '?'
		}
		return r
	}, s)
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "..."
	}
	return s
}

// Duration returns d in one unit, rounded down: "45s", "90m", "36h", "12d".
// The unit changes where the number would be less than two of the next one.
func Duration(d time.Duration) string {
	d = d.Abs()
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dd", d/(24*time.Hour))
}

// Relative returns when t is as seen from now: "in 18d", "3h ago", "now", and
// "never" for the zero time.
func Relative(t, now time.Time) string {
	switch d := t.Sub(now); {
	case t.IsZero():
		return "never"
	case d.Abs() < time.Second:
		return "now"
	case d > 0:
		return "in " + Duration(d)
	default:
		return Duration(d) + " ago"
	}
}

// Instant returns t for people, to the second in UTC, and how far it is.
func Instant(t, now time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z") + " (" + Relative(t, now) + ")"
}

// Progress is one line that is written over. The zero Progress, and one without
// a terminal, says nothing. It is not safe for concurrent use.
type Progress struct {
	W        io.Writer
	Terminal bool
	shown    bool
}

// Say shows text in place of what was shown before.
func (p *Progress) Say(text string) {
	if p.Terminal {
		p.shown = true
		_, _ = fmt.Fprintf(p.W, "\r\x1b[K%s", text)
	}
}

// End takes the line away.
func (p *Progress) End() {
	if p.shown {
		p.shown = false
		_, _ = fmt.Fprint(p.W, "\r\x1b[K")
	}
}

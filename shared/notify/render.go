package notify

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Subject returns the subject line of an e-mail: printable ASCII, fewer than
// 100 characters, as SNS wants it.
// https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
func Subject(m Message) string {
	const most = 99
	s := "Keyturn " + string(m.Severity) + ": " + strings.ReplaceAll(string(m.Kind), "_", " ")
	if m.Secret != "" {
		s += ": " + m.Secret
	}
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	if len(s) > most {
		s = s[:most-3] + "..."
	}
	return s
}

// Text returns m for people, as plain text.
func Text(m Message) string {
	var b strings.Builder
	b.WriteString(line(m.Summary) + "\n")
	section(&b, "What is known", m.Known)
	section(&b, "What to do", m.Next)
	if m.Alert != "" {
		fmt.Fprintf(&b, "\nTo say that you are at it, so that nobody else is called\n  keyturn ack %s --id %s --reason TEXT\n", cmp.Or(line(m.Secret), "--installation"), line(m.Alert))
	}
	b.WriteString("\nDetails\n")
	for _, d := range details(m) {
		fmt.Fprintf(&b, "  %-11s %s\n", d[0]+":", d[1])
	}
	if m.Checkpoint != "" {
		b.WriteString("\nThe ledger's checkpoint, as keyturn ledger verify --against takes it\n\n" + m.Checkpoint)
	}
	b.WriteString("\nTo receive fewer of these messages, give your subscription to this topic a\n" +
		"filter policy on the attributes kind, severity, vendor, key or owner.\n")
	return b.String()
}

// JSON returns m for machines.
func JSON(m Message) ([]byte, error) { return json.Marshal(m) } //nolint:gosec // Secret is its name

func section(b *strings.Builder, title string, sentences []string) {
	if len(sentences) == 0 {
		return
	}
	b.WriteString("\n" + title + "\n")
	for _, s := range sentences {
		b.WriteString("  - " + line(s) + "\n")
	}
}

// details returns what is set, as name and value.
func details(m Message) [][2]string {
	all := [][2]string{
		{"severity", string(m.Severity)},
		{"key", m.Secret},
		{"vendor", m.Vendor},
		{"owner", m.Owner},
		{"step", m.Step},
		{"error type", m.ErrorType},
		{"time", m.Time.UTC().Format(time.RFC3339)},
	}
	for _, name := range slices.Sorted(maps.Keys(m.Detail)) {
		all = append(all, [2]string{line(strings.ReplaceAll(name, "_", " ")), m.Detail[name]})
	}
	all = append(all, [2]string{"message id", m.ID})
	out := all[:0]
	for _, d := range all {
		if d[1] = line(d[1]); d[1] != "" {
			out = append(out, d)
		}
	}
	return out
}

// line keeps a text on its line: what a vendor says must not add lines of its
// own to ours.
func line(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Cf) {
			return ' '
		}
		return r
	}, s))
}

// Duration writes a duration for people: "6h", not "6h0m0s".
func Duration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

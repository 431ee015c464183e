package explain

import (
	"strings"
	"unicode/utf8"

	"github.com/keyturn/keyturn/infra/keyturn/internal/console"
)

const (
	columns = 80
	indent  = "  "
)

// Text returns the explanation for people.
func Text(k Key, p console.Palette) string {
	var b strings.Builder
	b.WriteString(p.Paint(console.Bold, console.Clean(k.Name)) + "\n")
	for _, s := range k.Sections {
		b.WriteString("\n" + p.Paint(console.Bold, s.Title) + "\n")
		for _, line := range s.Lines {
			deeper := line[:len(line)-len(strings.TrimLeft(line, " "))]
			b.WriteString(wrap(console.Clean(strings.TrimSpace(line)), indent+deeper))
		}
	}
	return b.String()
}

// wrap breaks a line between words.
func wrap(text, indent string) string {
	var b strings.Builder
	width := 0
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
			b.WriteString(indent)
			width = len(indent)
		case width+1+n > columns:
			b.WriteString("\n" + indent + "  ")
			width = len(indent) + 2
		default:
			b.WriteByte(' ')
			width++
		}
		b.WriteString(word)
		width += n
	}
	return b.String() + "\n"
}

package console

import (
	"strings"
	"unicode/utf8"
)

// Cell is one field of a table.
type Cell struct {
	Text  string
	Style Style
}

// Table has rows of cells; the first is the head. Rows may differ in length.
type Table [][]Cell

// Row adds a row of plain cells.
func (t *Table) Row(texts ...string) {
	row := make([]Cell, len(texts))
	for i, s := range texts {
		row[i].Text = s
	}
	*t = append(*t, row)
}

// Render returns the table with columns two spaces apart, without spaces at the
// end of a line. An empty cell shows as "-".
func (t Table) Render(p Palette) string {
	var widths []int
	for _, row := range t {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(c.shown()))
		}
	}
	var b strings.Builder
	for r, row := range t {
		for i, c := range row {
			text, style := c.shown(), c.Style
			if r == 0 {
				style = Bold
			}
			b.WriteString(p.Paint(style, text))
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(text)+2))
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (c Cell) shown() string {
	if c.Text == "" {
		return "-"
	}
	return Clean(c.Text)
}

// Fields is a list of names with what they hold, for a look at one thing.
type Fields []Field

// Field is one line of [Fields].
type Field struct {
	Name string
	Cell
}

// Add adds a field, unless it is empty.
func (f *Fields) Add(name, text string) { f.Paint(name, Plain, text) }

// Paint adds a field in a style, unless it is empty.
func (f *Fields) Paint(name string, s Style, text string) {
	if text != "" {
		*f = append(*f, Field{name, Cell{text, s}})
	}
}

// Render returns one line for each field. A field with the name of the one
// before shows it once.
func (f Fields) Render(p Palette) string {
	width := 0
	for _, l := range f {
		width = max(width, utf8.RuneCountInString(l.Name))
	}
	var b strings.Builder
	before := ""
	for _, l := range f {
		name := l.Name
		if name == before {
			name = ""
		}
		before = l.Name
		pad := strings.Repeat(" ", width-utf8.RuneCountInString(name)+2)
		b.WriteString(p.Paint(Dim, name) + pad + p.Paint(l.Style, l.shown()) + "\n")
	}
	return b.String()
}

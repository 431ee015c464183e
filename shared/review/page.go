package review

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-analyze/charts"
)

//go:embed page.html
var pageText string

// Most that a page shows; all is in the JSON and the CSV.
const (
	maxKeys    = 500
	maxReaders = 25
	maxChanges = 200
	maxLimits  = 200
)

// KindCount is how many keys have a finding of a kind.
type KindCount struct {
	Kind string
	Keys int
}

// Kinds counts keys by kind of finding, most first.
func (r Review) Kinds() []KindCount {
	n := map[string]int{}
	for _, k := range r.Keys {
		seen := map[string]bool{}
		for _, f := range k.Findings {
			if !seen[f.Kind] {
				seen[f.Kind] = true
				n[f.Kind]++
			}
		}
	}
	out := make([]KindCount, 0, len(n))
	for kind, keys := range n {
		out = append(out, KindCount{kind, keys})
	}
	slices.SortFunc(out, func(a, b KindCount) int {
		if a.Keys != b.Keys {
			return b.Keys - a.Keys
		}
		return strings.Compare(a.Kind, b.Kind)
	})
	return out
}

type pageData struct {
	Review
	Kinds       []KindCount
	Chart       template.HTML
	Shown       []Key
	Hidden      int // keys
	HiddenFound int // of them with findings
	Compared    bool
	MoreChanges int
	MoreLimits  int
}

// WritePage writes the review as one HTML file that needs no other.
func (r Review) WritePage(w io.Writer) error {
	p := pageData{Review: r, Kinds: r.Kinds(), Compared: r.Compared}
	svg, err := chart(p.Kinds)
	if err != nil {
		return err
	}
	p.Chart = template.HTML(svg) //nolint:gosec // made of our own kinds and of counts only
	for _, k := range r.Keys {
		if len(p.Shown) == maxKeys {
			p.Hidden++
			if len(k.Findings) > 0 {
				p.HiddenFound++
			}
			continue
		}
		p.Shown = append(p.Shown, k)
	}
	if n := len(p.Changes); n > maxChanges {
		p.Changes, p.MoreChanges = p.Changes[:maxChanges], n-maxChanges
	}
	if n := len(p.NotCovered); n > maxLimits {
		const last = 10 // those that always hold are at the end
		p.NotCovered, p.MoreLimits = slices.Concat(p.NotCovered[:maxLimits-last], p.NotCovered[n-last:]), n-maxLimits
	}
	t, err := template.New("page").Funcs(template.FuncMap{
		"date": func(t time.Time) string {
			if t.IsZero() {
				return "never, or unknown"
			}
			return t.UTC().Format(time.DateOnly)
		},
		"first": first,
		"more":  func(all []Reader) int { return max(0, len(all)-maxReaders) },
	}).Parse(pageText)
	if err != nil {
		return fmt.Errorf("read the page's template: %w", err)
	}
	if err := t.Execute(w, p); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

// first are the readers that the page shows: those that need a decision first.
func first(all []Reader) []Reader {
	if len(all) <= maxReaders {
		return all
	}
	out := slices.Clone(all)
	slices.SortStableFunc(out, func(a, b Reader) int { return urgency(a) - urgency(b) })
	return out[:maxReaders]
}

func urgency(r Reader) int {
	switch {
	case r.Can == denied:
		return 0
	case len(r.TakenOn) > 0:
		return 1
	case r.Can == Unknown:
		return 2
	case r.Person:
		return 3
	case r.Remove:
		return 4
	}
	return 5
}

func chart(kinds []KindCount) (string, error) {
	if len(kinds) == 0 {
		return "", nil
	}
	values, names := make([]float64, len(kinds)), make([]string, len(kinds))
	for i, k := range kinds { // the chart begins at the bottom
		values[len(kinds)-1-i], names[len(kinds)-1-i] = float64(k.Keys), k.Kind
	}
	o := charts.NewBarChartOptionWithData([][]float64{values})
	o.Horizontal, o.CategoryAxis.Labels = true, names
	o.SeriesList[0].Label.Show = new(true)
	// From zero, else the smallest bars have no length. The labels say the values.
	o.ValueAxis = []charts.ValueAxisOption{{Show: new(false), Min: new(0.0)}}
	p := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: 800, Height: 90 + 30*len(kinds)})
	if err := p.BarChart(o); err != nil {
		return "", fmt.Errorf("draw the chart: %w", err)
	}
	svg, err := p.Bytes()
	if err != nil {
		return "", fmt.Errorf("draw the chart: %w", err)
	}
	return string(bytes.TrimSpace(svg)), nil
}

// WriteJSON writes all of the review.
func (r Review) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(r); err != nil {
		return fmt.Errorf("write the review as JSON: %w", err)
	}
	return nil
}

// WriteCSV writes a line for each reader of each key. Cells that a spreadsheet would
// take for a formula begin with a quote: https://owasp.org/www-community/attacks/CSV_Injection
func (r Review) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	if err := c.Write([]string{"key", "owner", "findings", "principal", "can_read", "if", "by", "reads", "last_read", "remove"}); err != nil {
		return fmt.Errorf("write the review as CSV: %w", err)
	}
	for _, k := range r.Keys {
		for _, line := range k.lines() {
			if err := c.Write(line); err != nil {
				return fmt.Errorf("write the review as CSV: %w", err)
			}
		}
	}
	c.Flush()
	if err := c.Error(); err != nil {
		return fmt.Errorf("write the review as CSV: %w", err)
	}
	return nil
}

// lines are those of the key in the CSV: one at least.
func (k Key) lines() [][]string {
	kinds := make([]string, len(k.Findings))
	for i, f := range k.Findings {
		kinds[i] = f.Kind
	}
	head := []string{k.Name, k.Owner, strings.Join(kinds, " ")}
	lines := make([][]string, 0, len(k.Readers)+len(k.Outside)+1)
	for _, o := range k.Outside {
		lines = append(lines, []string{o.Principal, "outside", "what its own account allows", o.Sid, "", "", ""})
	}
	for _, p := range k.Readers {
		last := ""
		if !p.Last.IsZero() {
			last = p.Last.UTC().Format(time.RFC3339)
		}
		lines = append(lines, []string{p.ARN, string(p.Can), p.If, p.By, strconv.FormatInt(p.Reads, 10), last, strconv.FormatBool(p.Remove)})
	}
	if len(lines) == 0 {
		lines = append(lines, make([]string, 7))
	}
	for i := range lines {
		lines[i] = slices.Concat(head, lines[i])
		for j := range lines[i] {
			lines[i][j] = harmless(lines[i][j])
		}
	}
	return lines
}

// harmless keeps a cell from being a formula, also where a spreadsheet parts cells by
// other signs than commas. The text as it is, is in the JSON.
func harmless(cell string) string {
	cell = strings.NewReplacer(";", " ", "\t", " ", "\r", " ", "\n", " ").Replace(cell)
	start := strings.TrimLeft(cell, ` "`)
	if r, n := utf8.DecodeRuneInString(start); n > 0 && strings.ContainsRune("=+-@＝＋－＠", r) {
		return "'" + cell
	}
	return cell
}

package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"time"
)

//go:embed page.html
var source string

// page is what the template shows.
type page struct {
	Run

	Rows     []Row
	Promises []Promise
	Broken   int
	Events   []eventRow
	Timeline timeline
	States   []State
	Made     int
	Failed   int
	Orphans  int
	Passed   string // of the local AWS's time
}

type eventRow struct {
	Note

	Number int
	Day    string
	Clock  string
	Who    string
}

// HTML writes the page: self-contained, without scripts.
func (r Run) HTML(w io.Writer) error {
	t, err := template.New("page").Funcs(template.FuncMap{
		"px":      func(f float64) string { return fmt.Sprintf("%.1f", f) },
		"seconds": func(d time.Duration) string { return fmt.Sprintf("%.0f s", d.Seconds()) },
		"stamp":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
	}).Parse(source)
	if err != nil {
		return fmt.Errorf("parse the page: %w", err)
	}
	events := r.Events()
	p := page{
		Run: r, Rows: r.Rows(), Promises: r.Promises(), Timeline: r.timeline(events),
		States: []State{Pending, Current, Grace, Held, Lost, Revoked}, Passed: Long(r.To.Sub(r.From)),
	}
	p.Broken = len(Broken(p.Promises))
	p.Made, p.Failed = r.Requests()
	for _, row := range p.Rows {
		p.Orphans += row.Orphs
	}
	for i, n := range events {
		e := eventRow{Note: n, Number: i + 1, Day: n.At.UTC().Format("2006-01-02"), Clock: n.At.UTC().Format("15:04:05.0"), Who: n.Secret}
		if n.Number > 0 {
			e.Who = fmt.Sprintf("%s, key %d", n.Secret, n.Number)
		}
		p.Events = append(p.Events, e)
	}
	if err := t.Execute(w, p); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

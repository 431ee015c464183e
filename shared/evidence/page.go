package evidence

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/history"
)

//go:embed page.html
var page string

// Page writes p as one HTML document that needs nothing else.
func (p Pack) Page(w io.Writer) error {
	t, err := template.New("page").Funcs(template.FuncMap{"time": stamp, "when": when, "what": what}).Parse(page)
	if err != nil {
		return fmt.Errorf("make the page: %w", err)
	}
	if err := t.Execute(w, p); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

func when(t time.Time) string {
	if t.IsZero() {
		return "not in this time"
	}
	return stamp(t)
}

// what says what an entry says, in one line.
func what(f history.Fact) string {
	switch {
	case f.Act != nil:
		return sentence(f.Act)
	case f.Call != nil:
		c := f.Call
		out := fmt.Sprintf("%s by %s", c.Name, c.Principal)
		if c.Source != "" {
			out += " from " + c.Source
		}
		if c.Error != "" {
			out += ": " + c.Error
		}
		return out
	case f.Reads != nil:
		return fmt.Sprintf("%d reads by %s from %s in the hour from %s", f.Reads.Count, f.Reads.Principal, f.Reads.Network, stamp(f.Reads.Hour))
	case f.Alert != nil:
		return strings.Join([]string{f.Alert.Rule, f.Alert.Severity, f.Alert.Why}, ", ")
	case f.Change != nil:
		return fmt.Sprintf("%s: from %q to %q", f.Change.What, f.Change.Before, f.Change.After)
	case f.SignOff != nil:
		return fmt.Sprintf("the review of %s was %s: %s; %s", f.SignOff.Report, f.SignOff.Decision, f.SignOff.Note, strings.Join(f.SignOff.Each, "; "))
	default:
		return string(f.Kind)
	}
}

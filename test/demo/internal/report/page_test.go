package report

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func render(t *testing.T, r Run) string {
	t.Helper()
	var b strings.Builder
	if err := r.HTML(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPageIsSelfContained(t *testing.T) {
	t.Parallel()
	html := render(t, sample())
	for _, bad := range []string{"<script", "<link", "<img", "@import", "http:", "https:", "javascript:", "ZgotmplZ"} {
		if strings.Contains(html, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	for _, m := range regexp.MustCompile(`url\(([^)]*)\)`).FindAllStringSubmatch(html, -1) {
		if !strings.HasPrefix(m[1], "#") {
			t.Errorf("the page loads %s", m[1])
		}
	}
}

func TestPageSays(t *testing.T) {
	t.Parallel()
	html := render(t, sample())
	for _, want := range []string{
		`<html lang="en">`, "prefers-color-scheme: dark", "@media print", "Synthetic: simulated vendors, a local AWS",
		`<title id="tl-title">Timeline of 1 secrets and their keys</title>`, `<desc id="tl-desc">`, "All 10 promises kept",
		"aaaaaaaa11111111", "cccccccc33333333", "app: 100 requests, 0 failed; app-legacy: 99 requests, 0 failed",
		"prod/app/vendor, key 1: held (time is up, but somebody still uses it), from 1 Mar 12:00:20 until 1 Mar 12:00:31",
		"prod/app/vendor, key 3: current (AWSCURRENT: what consumers fetch), from 1 Mar 12:00:14 and still is",
		"It is gone. The vendor does not list it.", "The clock is moved by 6 seconds: it is due.", "dist/demo/audit.jsonl",
	} {
		if !strings.Contains(html, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	r := sample()
	r.Leaks = []string{"a<b>.log"}
	html = render(t, r)
	if !strings.Contains(html, "1 of 10 promises broken") || !strings.Contains(html, "✗ broken") || !strings.Contains(html, "a&lt;b&gt;.log") {
		t.Error("the page does not say what was broken")
	}
}

// What the timeline leads to is there, and every bar leads somewhere.
func TestPageLinks(t *testing.T) {
	t.Parallel()
	html := render(t, sample())
	ids := map[string]int{}
	for _, m := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(html, -1) {
		ids[m[1]]++
	}
	links := regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(html, -1)
	if len(links) < 10 {
		t.Errorf("only %d links", len(links))
	}
	for _, m := range links {
		if ids[m[1]] == 0 {
			t.Errorf("nothing is called %q", m[1])
		}
	}
	for id, n := range ids {
		if n > 1 {
			t.Errorf("%d things are called %q", n, id)
		}
	}
	if open := strings.Count(html, "aria-label="); open < len(links)-1 {
		t.Errorf("%d links and %d labels", len(links), open)
	}
}

func TestPictureIsXML(t *testing.T) {
	t.Parallel()
	html := render(t, sample())
	from, to := strings.Index(html, "<svg viewBox=\"0 0 1"), strings.Index(html, "</svg>")
	d := xml.NewDecoder(strings.NewReader(html[from : to+len("</svg>")]))
	for {
		if _, err := d.Token(); err != nil {
			if !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			return
		}
	}
}

// Time never runs backwards, nothing is on top of something else, and clock
// moves with nothing between them are one.
func TestAxis(t *testing.T) {
	t.Parallel()
	r := sample()
	a := newAxis(r.From, r.To, r.Jumps, r.points())
	last := -1.0
	for s := -1.0; s <= 40; s += 0.25 {
		x := a.of(at(s))
		if x < last || x < gutter || x > a.width-margin {
			t.Fatalf("%.2f s is at %.1f, after %.1f", s, x, last)
		}
		last = x
	}
	points := r.points()
	for i, p := range points {
		for _, q := range points[i+1:] {
			if d := a.of(q) - a.of(p); !p.Equal(q) && d > -leastGap && d < leastGap {
				t.Errorf("%s and %s are only %.1f apart", p, q, d)
			}
		}
	}
	var jumps []string
	for _, p := range a.parts {
		jumps = append(jumps, fmt.Sprint(p.jump))
	}
	if diff := cmp.Diff([]string{"6s", "4s", "0s"}, jumps); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if a.of(at(-100)) != a.of(at(-1)) || a.of(at(100)) != a.of(at(40)) {
		t.Error("what is outside is not at the edges")
	}
}

func TestTimelineOfNothing(t *testing.T) {
	t.Parallel()
	html := render(t, Run{Began: began, From: began, To: began.Add(time.Second)})
	if !strings.Contains(html, "promises broken") {
		t.Error("a run in which nothing happened keeps its promises")
	}
}

func TestMarksDoNotCover(t *testing.T) {
	t.Parallel()
	m := []mark{{X: 100, Text: "held"}, {X: 115, Text: "restart"}, {X: 300, Text: "crash"}}
	beside(m)
	if !m[0].OnLeft || m[0].TextX >= 100 || m[1].OnLeft || m[1].TextX <= 115 || m[2].OnLeft {
		t.Errorf("%+v", m)
	}
}

package report

import (
	"fmt"
	"slices"
	"time"
)

// Heights of the timeline.
const (
	headHeight = 56.0
	laneTitle  = 24.0
	laneMarks  = 20.0
	laneGap    = 16.0
	rowHeight  = 25.0
	barHeight  = 17.0
	letter     = 6.4 // the width of one, about
)

// timeline is the picture: everything has its place.
type timeline struct {
	Width, Height float64
	Bands         []band
	Ticks         []tick
	Lanes         []lane
}

// band is where the clock was moved.
type band struct {
	X, Width, Center float64
	Label            string
}

type tick struct {
	X          float64
	Day, Clock string
}

// lane is one secret.
type lane struct {
	Y, TitleY, Bottom float64
	Title, Detail     string
	Marks             []mark
	Rows              []row
}

// row is one key.
type row struct {
	Y, LabelY  float64
	Label      string
	Bars       []bar
	Dead       *mark
	DeadTextX  float64
	DeadRemark string
}

type bar struct {
	X, Y, Width, Height, TextX, TextY float64
	State                             State
	Text, Title                       string
	Event                             int // in the table of events, from 1; 0: none
}

type mark struct {
	X, Y   float64
	Kind   Kind
	Text   string // beside it
	OnLeft bool   // the text
	TextX  float64
	Title  string
	Event  int
}

func (r Run) timeline(events []Note) timeline {
	a := newAxis(r.From, r.To, r.Jumps, r.points())
	t := timeline{Width: a.width}
	y := headHeight
	for _, k := range r.Keys {
		l := r.lane(a, k, events, y)
		t.Lanes = append(t.Lanes, l)
		y = l.Bottom + laneGap
	}
	t.Height = y
	for _, p := range a.parts {
		from := a.of(p.from)
		t.Ticks = append(t.Ticks, tick{X: from, Day: p.from.UTC().Format("2 Jan"), Clock: p.from.UTC().Format("15:04:05")})
		if p.jump > 0 {
			x := a.of(p.to)
			width := a.of(p.to.Add(p.jump)) - x
			t.Bands = append(t.Bands, band{X: x, Width: width, Center: x + width/2, Label: "+" + Short(p.jump)})
		}
	}
	return t
}

// points are the times that the timeline shows.
func (r Run) points() (out []time.Time) {
	for _, k := range r.Keys {
		for _, l := range k.Lives {
			for _, s := range l.Spans {
				out = append(out, s.From, s.To)
			}
		}
	}
	for _, n := range r.Notes {
		if marked(n.Kind) {
			out = append(out, n.At)
		}
	}
	return out
}

func marked(k Kind) bool { return slices.Contains([]Kind{Crash, Asked, Restart, OnHold, Theft}, k) }

func (r Run) lane(a *axis, k Key, events []Note, y float64) lane {
	l := lane{Y: y, TitleY: y + 16, Title: k.Secret}
	for i, c := range k.Consumers {
		if i > 0 {
			l.Detail += "; "
		}
		l.Detail += fmt.Sprintf("%s: %d requests, %d failed", c.Name, c.Requests, c.Failed)
	}
	y += laneTitle
	for i, n := range events {
		if n.Secret == k.Secret && marked(n.Kind) {
			l.Marks = append(l.Marks, mark{X: a.of(n.At), Y: y + 9, Kind: n.Kind, Text: string(n.Kind), Title: n.Text, Event: i + 1})
		}
	}
	if len(l.Marks) > 0 {
		beside(l.Marks)
		y += laneMarks
	}
	for _, life := range k.Lives {
		l.Rows = append(l.Rows, life.row(a, k, events, y))
		y += rowHeight
	}
	l.Bottom = y
	return l
}

// beside places the marks' texts on their right, or on their left where the
// next mark is too near.
func beside(marks []mark) {
	const room = 11
	for i := range marks {
		m := &marks[i]
		m.TextX = m.X + room
		if i+1 < len(marks) && m.TextX+letter*float64(len(m.Text)) > marks[i+1].X-room {
			m.TextX, m.OnLeft = m.X-room, true
		}
	}
}

func (l Life) row(a *axis, k Key, events []Note, y float64) row {
	w := row{Y: y, LabelY: y + barHeight - 4, Label: fmt.Sprintf("key %d", l.Number)}
	for _, s := range l.Spans {
		b := bar{X: a.of(s.From), Y: y, Height: barHeight, TextY: y + barHeight - 4, State: s.State}
		b.Width = max(a.of(s.To)-b.X, 1)
		b.TextX = b.X + b.Width/2
		if b.Width > letter*float64(len(s.State))+6 {
			b.Text = string(s.State)
		}
		until := "until " + stamp(s.To)
		if s.To.Equal(l.Spans[len(l.Spans)-1].To) && l.End == "" {
			until = "and still is"
		}
		b.Title = fmt.Sprintf("%s, key %d: %s (%s), from %s %s", k.Secret, l.Number, s.State, s.State.Meaning(), stamp(s.From), until)
		b.Event = find(events, k.Secret, l.Number, s)
		w.Bars = append(w.Bars, b)
	}
	if l.End != "" {
		x := a.of(l.Ended)
		w.Dead = &mark{X: x + 8, Y: y + barHeight/2, Kind: Dead, Title: fmt.Sprintf("%s, key %d: %s at %s", k.Secret, l.Number, l.End, stamp(l.Ended))}
		w.Dead.Event = slices.IndexFunc(events, func(n Note) bool { return n.Secret == k.Secret && n.Number == l.Number && n.Kind == Dead }) + 1
		if w.DeadTextX = x + 18; w.DeadTextX < a.width-40 {
			w.DeadRemark = l.End
		}
	}
	return w
}

// find returns the event with which a span begins.
func find(events []Note, secret string, number int, s Span) int {
	kind := map[State]Kind{Pending: Minted, Lost: Minted, Current: Live, Held: OnHold, Revoked: Ended}[s.State]
	return slices.IndexFunc(events, func(n Note) bool {
		if s.State == Grace { // it begins when another key becomes current
			return n.Secret == secret && n.Kind == Live && n.At.Equal(s.From)
		}
		return n.Secret == secret && n.Number == number && n.Kind == kind
	}) + 1
}

func stamp(t time.Time) string { return t.UTC().Format("2 Jan 15:04:05") }

package report

import (
	"math"
	"slices"
	"time"
)

// Widths of the timeline, in the units of its picture.
const (
	pageWidth = 1180.0
	gutter    = 62.0 // for the names of rows
	margin    = 20.0 // at the right
	bandWidth = 44.0 // where the clock was moved
	leastGap  = 13.0 // between two things that are not at the same time
	leastPart = 84.0 // between two moves: room for the time under it
)

// axis places times. It is not linear: between two moves of the clock it gives
// things room to be told apart, and a move takes the same room however far it
// went.
type axis struct {
	at    []time.Time // increasing
	x     []float64   // where they are
	parts []part
	width float64
}

// part is what lies between two moves of the clock.
type part struct {
	from, to time.Time
	jump     time.Duration // after it; 0: it is the last
}

// newAxis makes an axis from one time to another with room for points. Moves
// with nothing between them are shown as one.
func newAxis(from, to time.Time, jumps []Jump, points []time.Time) *axis {
	points = slices.Clone(points)
	slices.SortFunc(points, time.Time.Compare)
	a := &axis{}
	start := from
	for _, j := range jumps {
		n := len(a.parts)
		if n > 0 && len(within(points, start, j.From)) == 0 {
			a.parts[n-1].jump = j.To.Sub(a.parts[n-1].to)
		} else {
			a.parts = append(a.parts, part{start, j.From, j.To.Sub(j.From)})
		}
		start = j.To
	}
	a.parts = append(a.parts, part{from: start, to: to})
	a.place(points)
	return a
}

func within(points []time.Time, from, to time.Time) (out []time.Time) {
	for _, p := range points {
		if !p.Before(from) && !p.After(to) {
			out = append(out, p)
		}
	}
	return out
}

// place lays out the parts, and stretches them to the page's width.
func (a *axis) place(points []time.Time) {
	x := gutter
	for _, p := range a.parts {
		first := x
		a.add(p.from, x)
		last := p.from
		for _, t := range within(points, p.from, p.to) {
			x += gap(t.Sub(last))
			a.add(t, x)
			last = t
		}
		x = max(x+gap(max(p.to.Sub(last), time.Millisecond)), first+leastPart)
		a.add(p.to, x)
		if p.jump > 0 {
			x += bandWidth
		}
	}
	a.width = max(pageWidth, x+margin)
	stretch := (a.width - margin - gutter) / (x - gutter)
	for i := range a.x {
		a.x[i] = gutter + (a.x[i]-gutter)*stretch
	}
}

func (a *axis) add(t time.Time, x float64) {
	if n := len(a.at); n > 0 && !t.After(a.at[n-1]) {
		return
	}
	a.at, a.x = append(a.at, t), append(a.x, x)
}

// gap is the room between two things that are d apart.
func gap(d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return leastGap + 5*math.Log10(1+10*d.Seconds())
}

// of returns where t is; a time between two known ones is between them.
func (a *axis) of(t time.Time) float64 {
	i, found := slices.BinarySearchFunc(a.at, t, time.Time.Compare)
	switch {
	case found:
		return a.x[i]
	case i == 0:
		return a.x[0]
	case i == len(a.at):
		return a.x[i-1]
	}
	share := float64(t.Sub(a.at[i-1])) / float64(a.at[i].Sub(a.at[i-1]))
	return a.x[i-1] + share*(a.x[i]-a.x[i-1])
}

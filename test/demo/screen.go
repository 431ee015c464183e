package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// style is how a piece of text looks where colors are on, as the parameter of
// ANSI's SGR.
type style string

const (
	plain style = ""
	bold  style = "1"
	dim   style = "2"
	good  style = "32"
	warn  style = "33"
	bad   style = "31"
	act   style = "1;36"
)

// screen shows what happens, and keeps it. It is safe for concurrent use.
type screen struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool
	color    bool
	now      func() time.Time
	began    time.Time
	pending  bool         // a line that will be written over is shown
	said     bytes.Buffer // without colors
}

func newScreen(w io.Writer, now func() time.Time, terminal, color bool) *screen {
	return &screen{w: w, terminal: terminal, color: color, now: now, began: now()}
}

// start makes the times on the left begin now.
func (s *screen) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.began = s.now()
}

// head begins a part of the story.
func (s *screen) head(title string) { s.print(act, "\n"+title+"\n") }

// say tells something, with the time since the start.
func (s *screen) say(as style, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.mu.Lock()
	at := fmt.Sprintf("%6.1fs  ", s.now().Sub(s.began).Seconds())
	s.mu.Unlock()
	for i, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		if i > 0 {
			at = strings.Repeat(" ", len(at))
		}
		s.line(at, as, line)
	}
}

// block shows text as it is, such as another program's.
func (s *screen) block(text string) {
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		s.line("         │ ", plain, line)
	}
}

func (s *screen) line(left string, as style, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	s.said.WriteString(left + text + "\n")
	_, _ = io.WriteString(s.w, s.paint(dim, left)+s.paint(as, text)+"\n")
}

func (s *screen) print(as style, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	s.said.WriteString(text)
	lead := text[:len(text)-len(strings.TrimLeft(text, "\n"))]
	rest := strings.TrimRight(text[len(lead):], "\n")
	_, _ = io.WriteString(s.w, lead+s.paint(as, rest)+text[len(lead)+len(rest):])
}

// wait shows what is waited for, on a terminal, until something else is said.
func (s *screen) wait(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.terminal {
		s.pending = true
		_, _ = fmt.Fprintf(s.w, "\r\x1b[K%s", s.paint(dim, fmt.Sprintf("%6.1fs  %s", s.now().Sub(s.began).Seconds(), text)))
	}
}

// working keeps the line that says what is waited for up to date until the
// returned function is called.
func (s *screen) working(on string) (stop func()) {
	s.wait(on)
	tick, done := time.NewTicker(100*time.Millisecond), make(chan struct{})
	go func() {
		for {
			select {
			case <-tick.C:
				s.wait(on)
			case <-done:
				return
			}
		}
	}()
	return func() { tick.Stop(); close(done) }
}

func (s *screen) clear() {
	if s.pending {
		s.pending = false
		_, _ = io.WriteString(s.w, "\r\x1b[K")
	}
}

func (s *screen) paint(as style, text string) string {
	if !s.color || as == plain || text == "" {
		return text
	}
	return "\x1b[" + string(as) + "m" + text + "\x1b[0m"
}

// text returns everything that was said.
func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said.String()
}

package lambda

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Function is a function to register. Exactly one of Path and Handler is set.
type Function struct {
	Name string
	// Path is a binary, or a folder with one named bootstrap.
	Path string
	// Handler runs in this process. It must return when its context ends; an
	// error's type becomes the errorType, its text the errorMessage.
	Handler func(ctx context.Context, payload []byte) ([]byte, error)
	Env     map[string]string
	Timeout time.Duration // zero: 3 s
	// MemoryMB is only told to the process. Zero: 128.
	MemoryMB int
	// ReservedConcurrency is how many invocations may run at once; more are
	// throttled. Zero: not reserved.
	ReservedConcurrency int
	// Aliases are the qualifiers besides $LATEST; all mean the same code.
	Aliases []string
}

// Stats is what happened to a function. Times are real.
type Stats struct {
	Invocations int
	Errors      int // function errors
	Throttles   int
	ColdStarts  int
	Starts      []time.Duration // process start until it asked for work
	Durations   []time.Duration // invocations
	PeakRSS     int64           // bytes, the largest of any process; 0 where the system does not tell
}

// function is a registered function. The Service's lock guards it.
type function struct {
	Function

	created   time.Time
	code      []byte // of CreateFunction; nil: registered
	role      string
	layers    []string // shown only
	warm      []*environment
	busy      int
	stats     Stats
	logs      *logs
	policy    []statement
	invokedAs int // numbers invocations
}

func (f *function) has(qualifier string) bool {
	return qualifier == "" || qualifier == "$LATEST" || slices.Contains(f.Aliases, qualifier)
}

// limit is how many invocations may run at once.
func (f *function) limit(most int) int {
	if f.ReservedConcurrency > 0 {
		return f.ReservedConcurrency
	}
	return most
}

// entry returns the program of a function with a Path.
func (f *function) entry() (string, error) {
	info, err := os.Stat(f.Path)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return f.Path, nil
	}
	program := filepath.Join(f.Path, "bootstrap")
	_, err = os.Stat(program)
	return program, err
}

// Register adds a function, or replaces the one of that name, whose warm
// processes end.
func (s *Service) Register(f Function) error {
	if name, qualifier, ok := parse(f.Name); !ok || name != f.Name || qualifier != "" {
		return fmt.Errorf("register function: %w", invalidName(f.Name))
	}
	if (f.Path == "") == (f.Handler == nil) {
		return fmt.Errorf("register function %s: want a path or a handler", f.Name)
	}
	if name := reserved(f.Env); name != "" {
		return fmt.Errorf("register function %s: the environment variable %s is Lambda's own", f.Name, name)
	}
	if f.Timeout == 0 {
		f.Timeout = 3 * time.Second
	}
	if f.MemoryMB == 0 {
		f.MemoryMB = 128
	}
	f.Env, f.Aliases = maps.Clone(f.Env), slices.Clone(f.Aliases)
	next := &function{Function: f, created: s.options.Clock.Now(), logs: &logs{name: f.Name, tee: s.options.Log}}
	if f.Path != "" {
		if _, err := next.entry(); err != nil {
			return fmt.Errorf("register function %s: %w", f.Name, err)
		}
	}
	s.Recycle(f.Name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	s.functions[f.Name] = next
	return nil
}

// Recycle ends the warm processes of a function; the next invocation is a cold
// start. Busy ones go on.
func (s *Service) Recycle(name string) {
	s.mu.Lock()
	var warm []*environment
	if f := s.functions[name]; f != nil {
		warm, f.warm = f.warm, nil
	}
	s.mu.Unlock()
	for _, e := range warm {
		e.end()
	}
}

// goCall is a running Go function.
type goCall struct {
	function string
	cancel   context.CancelFunc
}

// Kill kills (SIGKILL) every process of a function with its children, busy or
// warm, cancels its Go functions, and waits until the processes are gone. Their
// callers get a Runtime.ExitError.
func (s *Service) Kill(name string) {
	s.kill(func(e *environment) bool { return e.function.Name == name }, func(_ string, c goCall) bool { return c.function == name })
}

// KillRequest is Kill for whatever serves the invocation of that request ID. It
// reports whether there was something.
func (s *Service) KillRequest(requestID string) bool {
	return s.kill(func(e *environment) bool { return e.serves(requestID) }, func(id string, _ goCall) bool { return id == requestID })
}

// KillCaller is Kill for the process that has that access key, such as the one
// that made a call which the local AWS is answering. It reports whether there
// was one.
func (s *Service) KillCaller(accessKey string) bool {
	return s.kill(func(e *environment) bool { return e.accessKey == accessKey }, func(string, goCall) bool { return false })
}

func (s *Service) kill(process func(*environment) bool, here func(requestID string, c goCall) bool) (found bool) {
	var ends []*environment
	s.mu.Lock()
	for e := range s.alive {
		if process(e) {
			ends = append(ends, e)
		}
	}
	for id, c := range s.here {
		if here(id, c) {
			c.cancel()
			found = true
		}
	}
	s.mu.Unlock()
	for _, e := range ends {
		e.end()
	}
	return found || len(ends) > 0
}

// Caller returns the name of the function whose process has that access key.
func (s *Service) Caller(accessKey string) (function string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := range s.alive {
		if e.accessKey == accessKey {
			return e.function.Name, true
		}
	}
	return "", false
}

// Stats returns what happened to a function since it was registered.
func (s *Service) Stats(name string) Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.functions[name]
	if f == nil {
		return Stats{}
	}
	out := f.stats
	out.Starts, out.Durations = slices.Clone(out.Starts), slices.Clone(out.Durations)
	return out
}

// Logs returns the last lines of a function's log group, oldest first: what it
// wrote, and Lambda's own START, END and REPORT lines.
func (s *Service) Logs(name string) []string {
	s.mu.Lock()
	f := s.functions[name]
	s.mu.Unlock()
	if f == nil {
		return nil
	}
	lines, _ := f.logs.since(0)
	return lines
}

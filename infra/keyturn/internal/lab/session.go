// Package lab is a training: exercises on a local AWS with the real functions, a
// simulated vendor and programs that use their keys. What a trainee has reached is
// judged from the state of these, never from what was typed.
package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/sns"
	"github.com/keyturn/keyturn/test/cloud/wire"
	"github.com/keyturn/keyturn/test/stack"
)

// noteName is the file by which commands find a session.
const noteName = "lab.json"

// envName is the file that a shell reads.
const envName = "env.sh"

// Options say how an exercise is held.
type Options struct {
	Dir     string                // its folder, which must be empty or not there
	Vendors []provider.Definition // that the keys' file may name
	Now     func() time.Time      // real time, for the score; nil: time.Now
	Every   time.Duration         // a program uses its key; 0: half a second
}

// Session is an exercise that is held. Use [Start], and Close it; it is safe for
// concurrent use.
type Session struct {
	Exercise *Exercise
	Dir      string // absolute
	Endpoint string // of the local AWS

	world  *world
	now    func() time.Time
	began  time.Time
	stop   context.CancelFunc
	served chan error
	works  sync.WaitGroup // programs and the stranger
	asked  chan struct{}  // is closed when somebody asks for the end
	keep   bool           // the folder, then

	mu    sync.Mutex
	hints map[string]int // taken, by goal
	done  time.Time      // when all goals were done first
	once  sync.Once
}

// ErrTaken says that the folder is not empty.
var ErrTaken = errors.New("the folder is not empty")

// Start brings about what an exercise is about, and serves it.
func Start(ctx context.Context, e *Exercise, o Options) (*Session, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Every == 0 {
		o.Every = 500 * time.Millisecond
	}
	dir, err := folder(o.Dir)
	if err != nil {
		return nil, err
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &Session{Exercise: e, Dir: dir, now: o.Now, stop: stop, served: make(chan error, 1), asked: make(chan struct{}), hints: map[string]int{}}
	if err := s.start(ctx, life, o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Session) start(ctx, life context.Context, o Options) error {
	w, err := build(life, s.Dir, s.Exercise.keys, quiet+s.Exercise.since, o.Vendors)
	if err != nil {
		return fmt.Errorf("build the local AWS: %w", err)
	}
	s.world = w
	l, err := w.region.Listen(life, "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.Endpoint = w.region.Endpoint()
	w.region.Cloud.Mount(prefix, s.handler())
	go func() { s.served <- w.region.Serve(life, l) }()
	for _, p := range w.programs {
		s.works.Go(func() { p.run(life, o.Every) })
	}
	if err := s.begin(ctx); err != nil {
		return fmt.Errorf("bring about what the exercise is about: %w", err)
	}
	if t := w.stranger; t != nil {
		s.works.Go(func() { t.run(life, 4*o.Every) })
	}
	s.began = s.now()
	return s.notes()
}

// begin waits until the programs work, and lets go wrong what the exercise is about.
func (s *Session) begin(ctx context.Context) error {
	w := s.world
	for _, p := range w.programs {
		p.step(ctx)
	}
	for _, p := range w.programs {
		if missing := w.works(p.secret); missing != "" {
			return errors.New(missing)
		}
	}
	if err := w.tick(ctx, quiet); err != nil {
		return err
	}
	if err := s.Exercise.begin(ctx, w); err != nil {
		return err
	}
	if err := w.tick(ctx, s.Exercise.since); err != nil {
		return err
	}
	for _, p := range w.programs {
		p.begin(ctx)
	}
	w.mark()
	return nil
}

// folder makes the folder, which must not have anything in it.
func folder(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	switch all, err := os.ReadDir(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return dir, os.MkdirAll(dir, 0o700)
	case err != nil:
		return "", err
	case len(all) > 0:
		return "", fmt.Errorf("%s: %w", dir, ErrTaken)
	}
	return dir, nil
}

// notes writes the files by which commands and shells find the session.
func (s *Session) notes() error {
	if err := s.world.record(); err != nil {
		return err
	}
	if err := s.world.write("scenario.txt", s.Scenario()+"\n"); err != nil {
		return err
	}
	var b strings.Builder
	for _, v := range s.Variables() {
		fmt.Fprintf(&b, "export %s='%s'\n", v[0], strings.ReplaceAll(v[1], "'", `'\''`))
	}
	if err := s.world.write(envName, b.String()); err != nil {
		return err
	}
	return writeJSON(filepath.Join(s.Dir, noteName), note{Exercise: s.Exercise.Name, Endpoint: s.Endpoint, PID: os.Getpid()})
}

// Scenario is what the trainee is told.
func (s *Session) Scenario() string {
	return strings.NewReplacer("HOST", s.world.host, "LEAKED", s.world.leaked).Replace(s.Exercise.Scenario)
}

// Variables are those of the environment with which commands use the local AWS, by
// name and value.
func (s *Session) Variables() [][2]string {
	return [][2]string{
		{"AWS_ENDPOINT_URL", s.Endpoint},
		{"AWS_REGION", wire.Region},
		{"AWS_DEFAULT_REGION", wire.Region},
		{"AWS_ACCESS_KEY_ID", cloud.AccessKey},
		{"AWS_SECRET_ACCESS_KEY", cloud.SecretKey},
		{"AWS_EC2_METADATA_DISABLED", "true"},
		{"KEYTURN_LAB", s.Dir},
	}
}

// Asked is closed when somebody asks for the end.
func (s *Session) Asked() <-chan struct{} { return s.asked }

// Check judges how the exercise stands.
func (s *Session) Check(ctx context.Context) Report {
	r := s.world.judge(ctx, s.Exercise)
	s.mu.Lock()
	defer s.mu.Unlock()
	until := s.now()
	if r.Done && s.done.IsZero() {
		s.done = until
	}
	if !s.done.IsZero() {
		until = s.done
	}
	for _, n := range s.hints {
		r.Hints += n
	}
	r.score(until.Sub(s.began))
	return r
}

// Hint is help with a goal.
type Hint struct {
	Goal string `json:"goal"`
	Text string `json:"text"`
	Cost int    `json:"cost"`
	Left int    `json:"left"` // of this goal
}

// Hint returns the next hint for the first goal that is not done and has one left; it
// costs points. There may be none.
func (s *Session) Hint(ctx context.Context) (Hint, bool) {
	r := s.Check(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, g := range s.Exercise.goals {
		if n := s.hints[g.id]; !r.Goals[i].Done && n < len(g.hints) {
			s.hints[g.id]++
			return Hint{g.id, g.hints[n], costHint, len(g.hints) - n - 1}, true
		}
	}
	return Hint{}, false
}

// Wait lets time pass on the local AWS's clock, at most 30 days.
func (s *Session) Wait(ctx context.Context, d time.Duration) error {
	if err := s.world.pass(ctx, d); err != nil {
		return err
	}
	return s.world.record()
}

// Now is the local AWS's time.
func (s *Session) Now() time.Time { return s.world.now() }

// Mail is what was sent to the people who are told.
func (s *Session) Mail() []sns.Message { return s.world.region.SNS.Inbox(stack.Topic) }

// VendorKey is a key in the vendor's console.
type VendorKey struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Uses int    `json:"uses"`
}

// VendorKeys are those that the vendor has.
func (s *Session) VendorKeys() []VendorKey {
	out := []VendorKey{}
	for _, k := range s.world.vendor.Live() {
		out = append(out, VendorKey{k.ID, k.Name, s.world.vendor.Uses(k.ID)})
	}
	return out
}

// Revoke ends a key in the vendor's console, and reports whether there is such a key.
func (s *Session) Revoke(ctx context.Context, id string) (bool, error) {
	if !slices.ContainsFunc(s.world.vendor.Live(), func(k provider.Key) bool { return k.ID == id }) {
		return false, nil
	}
	return true, s.world.revoke(ctx, id)
}

// NewAdmin makes an admin credential in the vendor's console. The one before is ended.
func (s *Session) NewAdmin() secret.Value { return s.world.vendor.renew() }

// Block ends a role's sessions, as those do who look after the account, or with undo
// lets it begin others. False: there is no such role.
func (s *Session) Block(name string, undo bool) bool { return s.world.block(reader(name), undo) }

// Deploy deploys the keys' file as it is in the folder. It is an error of
// [keysfile.LoadFiles] if it cannot be.
func (s *Session) Deploy(ctx context.Context) error {
	if err := s.world.redeploy(ctx); err != nil {
		return err
	}
	s.world.missed()
	return nil
}

// end asks for the end.
func (s *Session) end(keep bool) {
	s.once.Do(func() {
		s.keep = keep
		close(s.asked)
	})
}

// Close ends the exercise, and removes its folder unless the end was asked for with the
// wish to keep it.
func (s *Session) Close() error {
	s.stop()
	s.works.Wait()
	var all []error
	if s.world != nil {
		if s.Endpoint != "" {
			all = append(all, <-s.served)
		}
		all = append(all, s.world.close())
	}
	if s.keep {
		return errors.Join(append(all, os.Remove(filepath.Join(s.Dir, noteName)))...)
	}
	return errors.Join(append(all, os.RemoveAll(s.Dir))...)
}

func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	next := path + ".new" // who reads it meanwhile reads a whole one
	if err := os.WriteFile(next, append(b, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(next, path)
}

var _ io.Closer = (*Session)(nil)

package main

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/lambda"
	"github.com/keyturn/keyturn/test/demo/internal/report"
)

// turn is one rotation as Secrets Manager drives it.
type turn struct {
	Secret, Token  string
	Started, Ended time.Time // the local AWS's time; zero: not yet
	Event          string    // with which it ended: "RotationSucceeded"
	Promoted       time.Time
	Steps          []step
	Crashes        int
}

// step is one invocation of the rotate function.
type step struct{ Name, RequestID string }

// watch sees what the local AWS does. It is safe for concurrent use.
type watch struct {
	mu        sync.Mutex
	rotations []*turn
	moves     []report.Move
	tokens    []string          // RotationTokens, which must not be seen anywhere
	callers   map[string]string // function by access key
}

func newWatch() *watch { return &watch{callers: map[string]string{}} }

// invoked is lambda's OnInvoke.
func (w *watch) invoked(i lambda.Invocation) {
	var e struct{ Step, SecretID, ClientRequestToken, RotationToken string }
	w.mu.Lock()
	defer w.mu.Unlock()
	w.callers[i.AccessKey] = i.Function
	if json.Unmarshal(i.Payload, &e) != nil || e.RotationToken == "" {
		return
	}
	w.tokens = append(w.tokens, e.RotationToken)
	if r := w.find(e.ClientRequestToken); r != nil {
		r.Steps = append(r.Steps, step{e.Step, i.RequestID})
	}
}

// event sees an event on the bus; it takes none.
func (w *watch) event(e cloud.Event) bool {
	var d struct {
		Name, LabelUpdated, VersionID string
		EventName, RequestID          string
		AdditionalEventData           struct{ SecretID string }
	}
	if json.Unmarshal(e.Detail, &d) != nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case d.LabelUpdated == "AWSCURRENT":
		w.moves = append(w.moves, report.Move{Secret: d.Name, Version: d.VersionID, At: e.Time})
		if r := w.find(d.VersionID); r != nil && r.Promoted.IsZero() {
			r.Promoted = e.Time
		}
	case d.EventName == "RotationStarted":
		arn := d.AdditionalEventData.SecretID
		token := strings.TrimPrefix(d.RequestID, "Rotation-"+arn+"-")
		w.rotations = append(w.rotations, &turn{Secret: config.Name(arn), Token: token, Started: e.Time})
	case d.EventName == "RotationSucceeded" || d.EventName == "RotationFailed" || d.EventName == "RotationAbandoned":
		if r := w.find(d.RequestID[max(0, len(d.RequestID)-36):]); r != nil {
			r.Event, r.Ended = d.EventName, e.Time
		}
	}
	return false
}

func (w *watch) find(token string) *turn {
	for _, r := range w.rotations {
		if r.Token == token {
			return r
		}
	}
	return nil
}

// last returns the newest rotation of a secret, and whether there is one.
func (w *watch) last(secret string) (turn, bool) {
	all := w.of(secret)
	if len(all) == 0 {
		return turn{}, false
	}
	return all[len(all)-1], true
}

func (w *watch) of(secret string) (out []turn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.rotations {
		if r.Secret == secret {
			c := *r
			c.Steps = slices.Clone(r.Steps)
			out = append(out, c)
		}
	}
	return out
}

// crashed counts a crash of the newest rotation of a secret.
func (w *watch) crashed(secret string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range slices.Backward(w.rotations) {
		if r.Secret == secret {
			r.Crashes++
			return
		}
	}
}

// current returns the version that AWSCURRENT moved to last, and the one before.
func (w *watch) current(secret string) (version, previous string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.moves {
		if m.Secret == secret {
			version, previous = m.Version, version
		}
	}
	return version, previous
}

// moved returns every move of AWSCURRENT.
func (w *watch) moved() []report.Move {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.moves)
}

// caller returns the function whose process had an access key, "" for others.
func (w *watch) caller(accessKey string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.callers[accessKey]
}

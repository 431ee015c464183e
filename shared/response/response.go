// Package response turns findings into requests for emergency rotations: at most one
// for a secret in a while, at most so many in an hour, and each sent at most once,
// wherever the process ends.
//
// What is known is stored by conditional writes before anything is sent, in this
// order: the request takes its place among those of the last hour; it is claimed,
// once and for all; it is sent; what came of it is stored. A crash before the claim
// lets the next attempt go on. After the claim nobody sends it again: whether it
// began is then not known, which is what the ledger and the alert say.
package response

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/keyturn/keyturn/shared/cell"
	"github.com/keyturn/keyturn/shared/detect"
)

// Requester asks for an emergency rotation of a secret. It sends the request at most
// once.
type Requester interface {
	// Request returns the ID of the version that the rotation makes, or why nothing
	// began. After an error it may have begun.
	Request(ctx context.Context, secret, reason string) (version, refused string, err error)
}

// Responder answers findings. All fields are needed. It is safe for concurrent use,
// and by several processes.
type Responder struct {
	Cells     cell.Store
	Requester Requester
	Rules     detect.Respond
	Now       func() time.Time
	NewID     func() string // of an attempt; never the same twice
	Log       *slog.Logger
}

// The parts of the cells: the places of the last hour, and each request.
const (
	partRecent  = "response-recent"
	partRequest = "response"
)

const (
	defaultCooldown = time.Hour
	defaultHourly   = 10
	keep            = 30 * 24 * time.Hour // a request is known again, at a dead letter's redrive too
	attempts        = 5

	// A finding in records that came so late starts nothing: the key may have been
	// replaced since. What was read up to a day before a honey token is found with it.
	tooOld = 36 * time.Hour
)

// Respond asks for the rotations that a finding calls for, and returns what became of
// them, "" if the finding calls for none. Called again with the same finding it asks
// for nothing again. An error says that nothing was sent, nor will be until the
// next call.
func (r *Responder) Respond(ctx context.Context, f detect.Finding) (string, error) {
	if !slices.Contains(r.Rules.Rules, f.Rule) {
		return "", nil
	}
	var told []string
	var wrong error
	for _, secret := range f.Rotate {
		what, err := r.one(ctx, f, secret)
		if err != nil {
			wrong = errors.Join(wrong, fmt.Errorf("ask for a rotation of %q: %w", secret, err))
			what = "not started: its state could not be stored"
		}
		told = append(told, secret+": "+what)
	}
	return strings.Join(told, "; "), wrong
}

// request is what is stored of a request. Without an outcome nobody knows it.
type request struct {
	Attempt string    `json:"attempt"` // who claimed it
	Secret  string    `json:"secret"`
	Finding string    `json:"finding"`
	At      time.Time `json:"at"`
	Outcome string    `json:"outcome,omitempty"`
}

func (r *Responder) one(ctx context.Context, f detect.Finding, secret string) (string, error) {
	name := f.ID + "/" + secret
	switch q, _, found, err := r.load(ctx, name); {
	case err != nil:
		return "", err
	case found:
		return q.told(), nil
	}
	if age := r.Now().Sub(f.Time); age > tooOld {
		return "not started: it was " + age.Round(time.Hour).String() + " ago", nil
	}
	if r.Rules.Off {
		return "not started: the response is switched off", nil
	}
	why, err := r.place(ctx, name, secret)
	if why != "" || err != nil {
		return why, err
	}
	q, at, err := r.claim(ctx, name, request{Attempt: r.NewID(), Secret: secret, Finding: f.ID, At: r.Now()})
	if err != nil || at.Revision == 0 {
		return q.told(), err
	}
	version, refused, err := r.Requester.Request(ctx, secret, reason(f))
	switch {
	case err != nil:
		q.Outcome = unknown
		r.Log.LogAttrs(ctx, slog.LevelError, "whether an emergency rotation began is not known", slog.String("secret", secret),
			slog.String("finding", f.ID), slog.String("error", err.Error()))
	case refused != "":
		q.Outcome = "not started: " + refused
		r.giveBack(ctx, name)
	default:
		q.Outcome = "started, version " + version
	}
	r.Log.LogAttrs(ctx, slog.LevelWarn, "a finding asked for an emergency rotation", slog.String("secret", secret), slog.String("finding", f.ID),
		slog.String("outcome", q.Outcome))
	if err := r.put(ctx, at, q); err != nil { // the answer is in this finding's alert; later it is not known
		r.Log.LogAttrs(ctx, slog.LevelError, "what came of an emergency rotation was not stored", slog.String("secret", secret), slog.String("error", err.Error()))
	}
	return q.Outcome, nil
}

const unknown = "asked for, and whether it began is not known"

func (q request) told() string {
	if q.Outcome == "" {
		return unknown
	}
	return q.Outcome
}

// claim makes the request this attempt's. The revision of at is 0 if it is another's.
func (r *Responder) claim(ctx context.Context, name string, q request) (request, cell.Cell, error) {
	first := r.put(ctx, cell.Cell{Part: partRequest, Name: name}, q)
	// The answer to a write may be lost: what is stored decides.
	now, at, found, err := r.load(ctx, name)
	switch {
	case err != nil:
		return q, cell.Cell{}, err
	case !found:
		return q, cell.Cell{}, errors.Join(first, errors.New("the claim is not there"))
	case now.Attempt != q.Attempt:
		return now, cell.Cell{}, nil
	}
	return now, at, nil
}

func (r *Responder) load(ctx context.Context, name string) (q request, at cell.Cell, found bool, err error) {
	cells, err := r.Cells.Load(ctx, partRequest, []string{name})
	if err != nil {
		return q, at, false, fmt.Errorf("load the request: %w", err)
	}
	if len(cells) == 0 {
		return q, at, false, nil
	}
	if json.Unmarshal(cells[0].Data, &q) != nil { // it was claimed, by whomever
		q = request{}
	}
	return q, cells[0], true, nil
}

func (r *Responder) put(ctx context.Context, at cell.Cell, q request) error {
	data, err := json.Marshal(q) //nolint:gosec // Secret is its name
	if err != nil {
		return errors.New("store the request: a time that JSON does not know")
	}
	at.Data, at.Expires = data, q.At.Add(keep)
	if err := r.Cells.Put(ctx, at); err != nil {
		return fmt.Errorf("store the request: %w", err)
	}
	return nil
}

// reason is what rotatenow records: at most 500 characters, none of them a control
// character. What callers choose is in it.
func reason(f detect.Finding) string {
	text := []rune(strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, "finding "+f.ID+": "+f.Why))
	return string(text[:min(len(text), 500)])
}

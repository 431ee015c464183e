// Package rotatenow asks Secrets Manager for a rotation on demand, says what one
// would do, and stops rotations for a while.
//
// It holds no vendor credential: it calls RotateSecret, and the rotate function
// for a plan, or to give up an unfinished rotation that stands in the way.
package rotatenow

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/rotation"
	"github.com/keyturn/keyturn/shared/store"
)

const step rotation.Step = "rotate-now"

// Version is the version of the request's and the answer's format.
const Version = 1

// Mode is what is asked for.
type Mode string

// The modes.
const (
	Rotate Mode = "rotate" // start a rotation, if nothing stands against it
	Plan   Mode = "plan"   // say what a rotation would do, and start none
	Pause  Mode = "pause"  // refuse rotations for a while
	Resume Mode = "resume" // end a pause
	Ack    Mode = "ack"    // say that somebody is at what an alert asks for

	// Emergency starts a rotation of a key that may be in the wrong hands. A
	// pause, an older key that is held and a deaf audit trail do not stop it, and
	// the replaced key has the least grace.
	Emergency Mode = keyrecord.Emergency
)

// Request is what a person, an alarm or a fleet run sends.
type Request struct {
	Version   int    `json:"version"`
	Mode      Mode   `json:"mode"`
	Secret    string `json:"secret"`              // name or ARN; to acknowledge what is about no key: [keyrecord.Installation]
	Reason    string `json:"reason"`              // needed to rotate, also in an emergency, to pause and to acknowledge; at most 500 characters
	Requester string `json:"requester,omitempty"` // as the caller says; Lambda vouches for nobody

	// Of a pause:
	Until   string `json:"until,omitempty"`   // when it ends, in RFC 3339, or how long it lasts: "72h"
	Owner   string `json:"owner,omitempty"`   // who answers for it; empty: the key's owner
	Replace bool   `json:"replace,omitempty"` // put it in the place of one that is in force

	// Of an acknowledgement:
	Alert string `json:"alert,omitempty"` // its ID; empty: all that are open
}

// Answer is what the function returns.
type Answer struct {
	Version int            `json:"version"`
	Mode    Mode           `json:"mode"`
	Secret  string         `json:"secret"` // name
	Status  string         `json:"status"` // "started", "planned", "paused", "resumed", "not_paused", "acknowledged", "already_acknowledged" or "none_open"
	Token   string         `json:"token,omitempty"`
	GaveUp  string         `json:"gaveUp,omitempty"` // the version of an unfinished rotation that stood in the way, and was given up
	Plan    *rotation.Plan `json:"plan,omitempty"`
	Pause   *Paused        `json:"pause,omitempty"`
	Alerts  []Alert        `json:"alerts,omitempty"` // that are acknowledged now, or were
}

// Paused is a pause as it is shown.
type Paused struct {
	Until  time.Time `json:"until"`
	Reason string    `json:"reason"`
	Owner  string    `json:"owner,omitempty"`
	By     string    `json:"by,omitempty"`
	At     time.Time `json:"at"`
}

// Engine answers requests. All fields are needed; it is safe for concurrent
// use.
type Engine struct {
	Keys  func(secretID string) (config.Key, bool)
	Store interface {
		Describe(ctx context.Context, secretID string) (store.Secret, error)
		// Rotate starts a rotation whose new version has the ID token.
		Rotate(ctx context.Context, secretID, token string) (version string, err error)
	}
	Records interface {
		PutRequest(ctx context.Context, q keyrecord.Request) error
		Load(ctx context.Context, secret string) (keyrecord.Book, error)
		// PutPause stores over the one with p's Revision only.
		PutPause(ctx context.Context, p keyrecord.Pause) (keyrecord.Pause, error)
		// PutAlert stores over the one with a's Revision only.
		PutAlert(ctx context.Context, a keyrecord.Alert) (keyrecord.Alert, error)
	}
	Audit    audit.Sink
	Notifier notify.Notifier
	// Plan asks the rotate function with this ARN.
	Plan func(ctx context.Context, function, secret string) (rotation.Plan, error)
	// Free asks it to give up an unfinished rotation for the one with token.
	Free     func(ctx context.Context, function, secret, token string) (rotation.Freed, error)
	Now      func() time.Time
	NewToken func() string // a UUID
	Log      *slog.Logger
}

// Parse decodes a request strictly, and tells everything that is wrong with it
// at once.
func Parse(raw []byte) (Request, error) {
	var q Request
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.DisallowUnknownFields()
	if err := d.Decode(&q); err != nil {
		return q, fail(rotation.BadEvent, "the request is not a JSON object with version, mode, secret and reason, and nothing else that is not known", nil, example)
	}
	if wrong := q.wrong(); len(wrong) > 0 {
		return q, fail(rotation.BadEvent, "the request is wrong: "+strings.Join(wrong, "; "), nil, example)
	}
	return q, nil
}

const example = `send {"version":1,"mode":"rotate","secret":"NAME","reason":"WHY"}, or a pause: {"version":1,"mode":"pause","secret":"NAME","reason":"WHY","until":"72h"}`

func (q Request) wrong() (wrong []string) {
	if q.Version != Version {
		wrong = append(wrong, "version is not 1")
	}
	if !slices.Contains([]Mode{Rotate, Plan, Pause, Resume, Ack, Emergency}, q.Mode) {
		wrong = append(wrong, `mode is not "rotate", "emergency", "plan", "pause", "resume" or "ack"`)
	}
	if q.Secret == "" {
		wrong = append(wrong, "secret is missing")
	}
	if (q.Mode == Rotate || q.Mode == Emergency || q.Mode == Pause || q.Mode == Ack) && strings.TrimSpace(q.Reason) == "" {
		wrong = append(wrong, "reason is missing")
	}
	if !short(q.Reason) || !short(q.Requester) || !short(q.Owner) || !short(q.Alert) {
		wrong = append(wrong, "reason, requester, owner or alert is over 500 characters, or has control characters in it")
	}
	switch {
	case q.Mode == Pause && q.Until == "":
		wrong = append(wrong, "until is missing")
	case q.Mode != Pause && (q.Until != "" || q.Owner != "" || q.Replace):
		wrong = append(wrong, "until, owner and replace are for a pause")
	}
	if q.Mode != Ack && q.Alert != "" {
		wrong = append(wrong, "alert is for ack")
	}
	return wrong
}

func short(s string) bool {
	const most = 500
	return len([]rune(s)) <= most && !strings.ContainsFunc(s, unicode.IsControl)
}

// Do answers a request. Its errors are *[rotation.Error].
func (e *Engine) Do(ctx context.Context, q Request) (Answer, error) {
	k, ok := e.Keys(q.Secret)
	if q.Mode == Ack && q.Secret == keyrecord.Installation {
		k, ok = config.Key{Secret: q.Secret}, true
	}
	if !ok {
		return Answer{}, fail(rotation.NotOurs, fmt.Sprintf("%q is not in the configuration", clip(q.Secret)), nil, "list what is: keyturn status")
	}
	a := Answer{Version: Version, Mode: q.Mode, Secret: k.Secret}
	var err error
	switch q.Mode {
	case Plan:
		a.Status, a.Plan = "planned", new(rotation.Plan)
		*a.Plan, err = e.plan(ctx, k)
	case Pause:
		a.Status = "paused"
		a.Pause, err = e.pause(ctx, k, q)
	case Resume:
		a.Status, a.Pause, err = e.resume(ctx, k, q)
	case Ack:
		a.Status, a.Alerts, err = e.ack(ctx, k, q)
	case Rotate, Emergency:
		a.Status = "started"
		err = e.start(ctx, k, q, &a)
	}
	return a, err
}

func (e *Engine) plan(ctx context.Context, k config.Key) (rotation.Plan, error) {
	s, err := e.Store.Describe(ctx, k.Secret)
	if err != nil {
		return rotation.Plan{}, stored("describe the secret", err)
	}
	if s.RotationLambda == "" {
		return rotation.Plan{}, fail(rotation.RotationDisabled, "the secret has no rotation function", nil, "deploy it, or turn rotation on")
	}
	p, err := e.Plan(ctx, s.RotationLambda, k.Secret)
	if err != nil {
		return p, fail(rotation.StoreUnavailable, "the rotate function did not answer with a plan", err, "look at its log")
	}
	return p, nil
}

func (e *Engine) start(ctx context.Context, k config.Key, q Request, a *Answer) error {
	s, err := e.Store.Describe(ctx, k.Secret)
	if err != nil {
		return stored("describe the secret", err)
	}
	urgent := q.Mode == Emergency
	if err = ready(k, s); err != nil {
		return err
	}
	if !urgent {
		if err = e.unpaused(ctx, k); err != nil {
			return err
		}
	}
	token := e.NewToken()
	recorded, err := e.request(ctx, k, q, token)
	if err != nil {
		return err
	}
	if stuck(s) {
		if a.GaveUp, err = e.giveUp(ctx, k, s, q.Mode, token); err != nil {
			return err
		}
	}
	if _, err = e.Store.Rotate(ctx, k.Secret, token); err != nil {
		return stored("start the rotation", err)
	}
	a.Token = token
	if urgent {
		e.announce(ctx, k, q, *a, recorded)
	}
	e.Log.LogAttrs(ctx, slog.LevelInfo, "rotation requested", slog.String("secret", k.Secret), slog.String("vendor", k.Vendor),
		slog.String("version", token), slog.String("reason", q.Reason))
	return nil
}

// request records who asks for the rotation with token, and why. recorded says
// whether the audit trail took it; an emergency goes on without.
func (e *Engine) request(ctx context.Context, k config.Key, q Request, token string) (recorded bool, err error) {
	now := e.Now()
	if err = e.Records.PutRequest(ctx, keyrecord.Request{
		Secret: k.Secret, Rotation: keyname.Rotation(token), Mode: string(q.Mode), Reason: q.Reason, Requester: q.Requester, At: now,
	}); err != nil {
		return false, fail(rotation.StoreUnavailable, "the request could not be recorded, so no rotation was started", err, "try again")
	}
	rec := audit.Record{
		ID: "request-" + token, Time: now, Act: audit.Request, Phase: audit.Intent, Secret: k.Secret, Vendor: k.Vendor, Version: token,
		Detail: map[string]string{"mode": string(q.Mode), "reason": q.Reason, "requester_says": q.Requester},
	}
	switch err = e.Audit.Record(ctx, rec); {
	case err == nil:
		return true, nil
	case q.Mode == Emergency:
		e.unrecorded(ctx, rec, err)
		return false, nil
	}
	return false, fail(rotation.AuditUnavailable, "the audit trail did not accept the request, so no rotation was started", err, "check the audit queue, and try again")
}

// unpaused refuses a rotation that a pause would refuse in createSecret, where
// it would leave AWSPENDING behind.
func (e *Engine) unpaused(ctx context.Context, k config.Key) error {
	book, err := e.Records.Load(ctx, k.Secret)
	if err != nil {
		return stored("read the keys' records", err)
	}
	if book.Pause.InForce(e.Now()) {
		return rotation.PausedBy(step, *book.Pause)
	}
	if f, ok := k.Frozen(e.Now()); ok {
		return rotation.FrozenBy(step, k, f)
	}
	return nil
}

func ready(k config.Key, s store.Secret) error {
	switch {
	case s.Name != k.Secret:
		return fail(rotation.NotOurs, "the secret's name is not the configuration's", nil, "correct the configuration")
	case !s.Deleted.IsZero():
		return fail(rotation.NotOurs, "the secret is scheduled for deletion", nil, "restore it first: aws secretsmanager restore-secret")
	case !s.RotationEnabled:
		return fail(rotation.RotationDisabled, "rotation is not enabled for the secret", nil, "deploy it, or turn rotation on")
	case s.VersionAt(store.Current) == "":
		return fail(rotation.NoCurrent, "the secret has no value yet", nil, "make its first key: keyturn init "+k.Secret)
	}
	return nil
}

func stored(doing string, err error) error {
	switch store.KindOf(err) {
	case store.KindDenied:
		return fail(rotation.StoreDenied, doing, err, "compare the function's role with the deployment; RotateSecret needs lambda:InvokeFunction too")
	case store.KindNotFound:
		return fail(rotation.NotOurs, doing, err, "check that the secret exists in this account and Region")
	case store.KindInvalid:
		return fail(rotation.InProgress, doing, err, "a rotation may be in progress already: keyturn status")
	case store.KindUnknown, store.KindThrottled, store.KindExists:
	}
	return fail(rotation.StoreUnavailable, doing, err, "see whether it began (keyturn status), then try again")
}

func fail(t rotation.Type, what string, cause error, next ...string) error {
	return &rotation.Error{Step: step, Type: t, What: what, Next: next, Err: cause}
}

func clip(s string) string { return s[:min(len(s), 100)] }

package retire

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/store"
)

// ErrEvent is returned for an event that this function does not know.
var ErrEvent = errors.New("unknown event: neither a label event nor a failed rotation, nor a batch of them, nor a schedule of ours, nor a request")

const (
	payloadVersion = 1
	detailType     = "Secret Label Updated"
	serviceEvent   = "AWS Service Event via CloudTrail"
	source         = "aws.secretsmanager"
)

// event is every form of event that we know, in one.
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/monitoring-eventbridge.html
type event struct {
	Records []message `json:"Records"` // from a queue

	// Our own. An EventBridge event has a version too, as a string.
	Version json.RawMessage `json:"version"`
	Secret  string          `json:"secret"`
	Sweep   bool            `json:"sweep"`

	// What a person asks for; see [Request].
	Mode      Mode   `json:"mode"`
	KeyID     string `json:"keyId"`
	Reason    string `json:"reason"`
	Requester string `json:"requester"`

	// From EventBridge.
	DetailType string   `json:"detail-type"`
	Source     string   `json:"source"`
	Resources  []string `json:"resources"`
	Detail     detail   `json:"detail"`
}

type detail struct {
	Name         string `json:"name"`
	LabelUpdated string `json:"labelUpdated"`
	VersionID    string `json:"versionId"`

	// Of a service event:
	EventName    string            `json:"eventName"`
	EventTime    string            `json:"eventTime"`
	ErrorMessage string            `json:"errorMessage"`
	RequestID    string            `json:"requestID"` // "Rotation-<ARN>-<ClientRequestToken>"
	Additional   map[string]string `json:"additionalEventData"`
}

// overRotation reports whether an event says that a rotation did not succeed.
func (ev event) overRotation() bool {
	return ev.Source == source && ev.DetailType == serviceEvent && (ev.Detail.EventName == rotationFailed || ev.Detail.EventName == rotationAbandoned)
}

// arn returns the ARN of the secret that a service event is about. Records of
// before 2024 write aRN, in some only the request names it.
func (ev event) arn() string {
	for _, name := range [...]string{"SecretId", "arn", "aRN", "ARN"} {
		if v := ev.Detail.Additional[name]; v != "" {
			return v
		}
	}
	if len(ev.Resources) > 0 {
		return ev.Resources[0]
	}
	if parts := requestID.FindStringSubmatch(ev.Detail.RequestID); parts != nil {
		return parts[1]
	}
	return ""
}

// requestID is Rotation, the secret's ARN, and the ID of the version that was to
// be made.
var requestID = regexp.MustCompile(`^Rotation-(arn:.*-[A-Za-z0-9]{6})-([A-Za-z0-9-]{32,64})$`)

// ended returns what a service event says of a rotation.
func (ev event) ended(now time.Time) ended {
	out := ended{event: ev.Detail.EventName, step: stepIn(ev.Detail.ErrorMessage), at: now}
	if parts := requestID.FindStringSubmatch(ev.Detail.RequestID); parts != nil && parts[1] == ev.arn() {
		out.version = parts[2]
	}
	if at, err := time.Parse(time.RFC3339, ev.Detail.EventTime); err == nil && at.Before(now) {
		out.at = at
	}
	return out
}

type message struct {
	ID   string `json:"messageId"`
	Body string `json:"body"`
}

// Response is what the function returns to whoever started it.
type Response struct {
	// Failures are the messages of a batch that must come again.
	// https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
	Failures []Failure `json:"batchItemFailures,omitempty"`
	Answer   *Answer   `json:"answer,omitempty"` // to a [Request]
	Asked    bool      `json:"-"`                // it was a [Request]
	Sweep    bool      `json:"-"`                // it was the sweep
	Reports  []Report  `json:"-"`
}

// Failure names one message.
type Failure struct {
	ID string `json:"itemIdentifier"`
}

// Handler starts what an event asks for.
type Handler struct {
	Engine *Engine
	Keys   []config.Key // the function's configuration; other secrets are not ours
	Log    *slog.Logger
}

// Handle takes a batch from a queue, a label event, a failed rotation, one of our schedules, the
// sweep's, or a [Request]. The event is a hint at what to look at, and nothing
// else in it is believed. Of a batch, what failed is in the response, and there
// is no error.
func (h *Handler) Handle(ctx context.Context, raw json.RawMessage) (Response, error) {
	var ev event
	if err := json.Unmarshal(raw, &ev); err != nil {
		return Response{}, ErrEvent // the decoder's text may quote the event
	}
	switch {
	case ev.Records != nil:
		return h.batch(ctx, ev.Records), nil
	case ev.Sweep && ours(ev.Version):
		reports, err := h.Engine.Sweep(ctx, h.Keys)
		return Response{Reports: reports, Sweep: true}, err
	case ev.Mode != "":
		return h.asked(ctx, ev)
	}
	k, ok, err := h.target(ctx, ev)
	if err != nil || !ok {
		return Response{}, err
	}
	if ev.overRotation() {
		return Response{}, h.Engine.rotationOver(ctx, k, ev.ended(h.Engine.Now()))
	}
	report, err := h.Engine.Reconcile(ctx, k)
	return Response{Reports: []Report{report}}, err
}

// asked does what a person asks for. It never comes from a queue.
func (h *Handler) asked(ctx context.Context, ev event) (Response, error) {
	q := Request{Mode: ev.Mode, KeyID: ev.KeyID, Reason: strings.TrimSpace(ev.Reason), Requester: ev.Requester}
	if !ours(ev.Version) || q.Mode != Rollback && q.Mode != Restore || ev.Secret == "" || q.Reason == "" || !short(q.Reason) || !short(q.Requester) || !short(q.KeyID) {
		return Response{Asked: true}, ErrEvent
	}
	k, ok := h.key(ev.Secret)
	if !ok {
		return Response{Asked: true}, refuse(NotOurs, "the secret is not in the function's configuration", nil)
	}
	a, report, err := h.Engine.Do(ctx, k, q)
	if err != nil {
		return Response{Asked: true}, err
	}
	return Response{Asked: true, Answer: &a, Reports: []Report{report}}, nil
}

func short(s string) bool {
	const most = 500
	return utf8.RuneCountInString(s) <= most && !strings.ContainsFunc(s, unicode.IsControl)
}

func (h *Handler) key(name string) (config.Key, bool) {
	for _, k := range h.Keys {
		if k.Secret == name {
			return k, true
		}
	}
	return config.Key{}, false
}

// batch looks at each secret once, however many messages name it.
func (h *Handler) batch(ctx context.Context, messages []message) Response {
	var out Response
	done := map[string]error{}
	for _, m := range messages {
		var ev event
		err := ErrEvent
		if json.Unmarshal([]byte(m.Body), &ev) == nil {
			err = h.one(ctx, ev, done, &out)
		}
		if err != nil {
			h.Log.LogAttrs(ctx, slog.LevelError, "message failed", slog.String("message_id", m.ID), slog.String("error", err.Error()))
			out.Failures = append(out.Failures, Failure{m.ID})
		}
	}
	return out
}

func (h *Handler) one(ctx context.Context, ev event, done map[string]error, out *Response) error {
	k, ok, err := h.target(ctx, ev)
	if err != nil || !ok {
		return err
	}
	if ev.overRotation() {
		return h.Engine.rotationOver(ctx, k, ev.ended(h.Engine.Now()))
	}
	if err, ok := done[k.Secret]; ok {
		return err
	}
	report, err := h.Engine.Reconcile(ctx, k)
	done[k.Secret] = err
	out.Reports = append(out.Reports, report)
	return err
}

// target returns the key that an event is about, and false if it is none of
// our business.
func (h *Handler) target(ctx context.Context, ev event) (config.Key, bool, error) {
	name := ev.Secret
	switch {
	case ours(ev.Version) && name != "" && ev.Mode == "":
	case ev.Source == source && ev.DetailType == detailType:
		name = ev.Detail.Name
		if name == "" && len(ev.Resources) > 0 {
			name = nameIn(ev.Resources[0])
		}
		if ev.Detail.LabelUpdated != store.Current {
			h.ignore(ctx, name, "another label")
			return config.Key{}, false, nil
		}
	case ev.overRotation():
		name = nameIn(ev.arn())
	default:
		return config.Key{}, false, ErrEvent
	}
	if k, ok := h.key(name); ok {
		return k, true, nil
	}
	h.ignore(ctx, name, "the secret is not in the configuration")
	return config.Key{}, false, nil
}

func (h *Handler) ignore(ctx context.Context, name, why string) {
	const longest = 512 // of a secret's name
	h.Log.LogAttrs(ctx, slog.LevelInfo, "event ignored", slog.String("secret", name[:min(len(name), longest)]), slog.String("why", why))
}

// ours reports whether a version is that of our own events.
func ours(version json.RawMessage) bool { return string(version) == strconv.Itoa(payloadVersion) }

// nameIn returns the name in a secret's ARN, "" if it is none.
func nameIn(arn string) string {
	_, name, ok := strings.Cut(arn, ":secret:")
	const suffix = 7 // a dash and six random characters
	if !ok || len(name) <= suffix {
		return ""
	}
	return name[:len(name)-suffix]
}

// wakeup is the event of our own schedules.
func wakeup(secret string) []byte {
	b, err := json.Marshal(map[string]any{"version": payloadVersion, "secret": secret})
	if err != nil { // a number and a string
		panic(err)
	}
	return b
}

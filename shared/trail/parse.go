package trail

import (
	stdjson "encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxRecord is the size in bytes above which a record is refused. CloudTrail's
// records have at most 256 KB, an entry of EventBridge at most 1 MB.
const MaxRecord = 1 << 20

// Errors that a caller may tell apart. None quotes the record.
var (
	ErrTooLarge = errors.New("larger than the limit")
	// ErrForged is an envelope whose source cannot be AWS.
	ErrForged = errors.New("envelope's source is not AWS")
)

// Years of records: 0001, 1970 and 9999 are what broken clocks and fields say. One such
// record would be the begin of all learning.
const firstYear, lastYear = 2000, 2200

// wire is a record, an envelope, or a file with one big object, decoded once.
type wire struct {
	Event
	EventTime  string         `json:"eventTime"`
	Console    jsontext.Value `json:"sessionCredentialFromConsole"`
	ReadOnly   jsontext.Value `json:"readOnly"`
	Request    jsontext.Value `json:"requestParameters"`
	Response   jsontext.Value `json:"responseElements"`
	Additional jsontext.Value `json:"additionalEventData"`
	Details    jsontext.Value `json:"serviceEventDetails"`
	Resources  jsontext.Value `json:"resources"`

	EnvelopeID      string         `json:"id"`
	EnvelopeSource  string         `json:"source"`
	EnvelopeAccount string         `json:"account"`
	EnvelopeRegion  string         `json:"region"`
	EnvelopeTime    string         `json:"time"`
	DetailType      string         `json:"detail-type"`
	Detail          jsontext.Value `json:"detail"`

	Records []jsontext.Value `json:"Records"`
	Wrapped jsontext.Value   `json:"event"`
	// What LookupEvents returns: the record is a string.
	Events []jsontext.Value `json:"Events"`
	Looked string           `json:"CloudTrailEvent"`
}

// options accept what AWS may send: a field twice, bytes that are not UTF-8.
var options = json.JoinOptions( //nolint:gochecknoglobals // never changed
	jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true),
)

// Parse reads one record, or the record inside an EventBridge envelope.
// It refuses a record without an id or a time, a major version other than 1,
// and an envelope that AWS did not send. Unknown fields are no error.
// Its errors do not quote the record.
func Parse(data []byte) (Event, error) { return parse(data, dialect{}) }

func parse(data []byte, d dialect) (Event, error) {
	if len(data) > MaxRecord {
		return Event{}, fmt.Errorf("read record: %w", ErrTooLarge)
	}
	var w wire
	if err := json.Unmarshal(data, &w, options); err != nil {
		return Event{}, unreadable(err)
	}
	return w.event(data, d)
}

func unreadable(err error) error {
	if _, ok := errors.AsType[*json.SemanticError](err); ok {
		return errors.New("read record: a field has another type")
	}
	return errors.New("read record: not a JSON object")
}

func (w *wire) event(raw []byte, d dialect) (Event, error) {
	switch {
	case w.DetailType != "":
		return w.unwrap(d)
	case d.wrapped && w.ID == "" && w.Wrapped.Kind() == '{':
		d.wrapped = false
		return parse(w.Wrapped, d)
	case d.wrapped && w.ID == "" && w.Looked != "":
		d.wrapped = false
		return parse([]byte(w.Looked), d)
	}
	e := w.Event
	e.Console, e.ReadOnly = truth(w.Console), truth(w.ReadOnly)
	e.Request, e.Response, e.Additional = part(w.Request), part(w.Response), part(w.Additional)
	e.Details, e.Resources = part(w.Details), part(w.Resources)
	e.Raw = raw
	var err error
	if e.Time, err = d.time(w.EventTime); err != nil || !d.fixture && (e.Time.Year() < firstYear || e.Time.Year() > lastYear) {
		return Event{}, errors.New("read record: eventTime is not a time")
	}
	d.complete(&e)
	if e.ID == "" {
		return Event{}, errors.New("read record: no eventID")
	}
	if major, _, _ := strings.Cut(e.Version, "."); major != "1" {
		return Event{}, fmt.Errorf("read record: eventVersion %.16q is not 1.x", e.Version)
	}
	return e, nil
}

// unwrap reads an envelope. One inside another is refused.
func (w *wire) unwrap(d dialect) (Event, error) {
	if !strings.HasPrefix(w.EnvelopeSource, "aws.") {
		return Event{}, fmt.Errorf("read record: %w", ErrForged)
	}
	envelope := Envelope{ID: w.EnvelopeID, Source: w.EnvelopeSource, Account: w.EnvelopeAccount, DetailType: w.DetailType}
	if w.DetailType == "Secret Label Updated" {
		return w.label(envelope)
	}
	var inner wire
	if err := json.Unmarshal(w.Detail, &inner, options); err != nil {
		return Event{}, unreadable(err)
	}
	if inner.DetailType != "" {
		return Event{}, errors.New("read record: an envelope in an envelope")
	}
	e, err := inner.event(w.Detail, d)
	e.Envelope = envelope
	return e, err
}

func (w *wire) label(envelope Envelope) (Event, error) {
	at, err := time.Parse(time.RFC3339, w.EnvelopeTime)
	if err != nil || w.EnvelopeID == "" || w.EnvelopeSource != "aws.secretsmanager" || w.Detail.Kind() != '{' {
		return Event{}, errors.New("read record: a label's event without id, time, detail or the right source")
	}
	return Event{
		ID: w.EnvelopeID, Time: at.UTC(), Type: TypeLabel, Name: TypeLabel, Source: SecretsManager,
		Region: w.EnvelopeRegion, Account: w.EnvelopeAccount, Envelope: envelope,
		Identity: Identity{InvokedBy: SecretsManager, AccountID: w.EnvelopeAccount}, Address: SecretsManager,
		Request: part(w.Detail), Resources: part(w.Resources), Raw: part(w.Detail),
	}, nil
}

// truth reads true and "true": records have both.
func truth(v jsontext.Value) bool {
	s := string(v)
	return s == "true" || s == `"true"`
}

func part(v jsontext.Value) stdjson.RawMessage {
	if len(v) == 0 || v.Kind() == 'n' {
		return nil
	}
	return stdjson.RawMessage(v)
}

func decode(raw stdjson.RawMessage, v any) error {
	if len(raw) == 0 {
		return nil
	}
	if json.Unmarshal(raw, v, options) != nil {
		return errors.New("read record: a part has another shape")
	}
	return nil
}

// Package cloudtrail is the local AWS's CloudTrail: it looks up the management
// events that were recorded, shows the trails that a test sets, and writes a trail's
// files and signed digests into a bucket.
//
// Operations: LookupEvents, ListPublicKeys, DescribeTrails, GetTrailStatus,
// GetEventSelectors, StopLogging, StartLogging, DeleteTrail. Anything else answers
// NotImplemented: tests make trails from Go.
//
// Assumed, not recorded: an event is there at once and calls are not throttled, but
// where [Service.SetLookup] says otherwise; the resources of Secrets Manager's events
// are the secret as the request named it and its ARN where the record has one. Those
// of other services' are what their records have, functions and buckets by name.
package cloudtrail

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/clock"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// Options configure a [Service]. Now and Trail are required, the others to write files.
type Options struct {
	Now   func() time.Time
	Trail func() []cloud.Record // oldest first

	Clock   *clock.Clock
	Objects Objects
	// Observe calls its argument with each record from now on.
	Observe func(func(cloud.Record)) (cancel func())
}

// Service is a [wire.Service]. Use [New]; a Service is safe for concurrent use.
//
// API: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/
type Service struct {
	options  Options
	handlers map[string]wire.Handler
	trails   trails
	signing  signing
	limits   limits
}

// New returns a CloudTrail over a trail's records. The account has no trails:
// see [Service.SetTrails].
func New(o Options) *Service {
	s := &Service{options: o}
	s.handlers = map[string]wire.Handler{
		"LookupEvents":      wire.Typed(s.lookup),
		"ListPublicKeys":    wire.Typed(s.listPublicKeys),
		"DescribeTrails":    wire.Typed(s.describeTrails),
		"GetTrailStatus":    wire.Typed(s.getTrailStatus),
		"GetEventSelectors": wire.Typed(s.getEventSelectors),
		"StopLogging":       wire.Typed(s.stopLogging),
		"StartLogging":      wire.Typed(s.startLogging),
		"DeleteTrail":       wire.Typed(s.deleteTrail),
	}
	return s
}

// Operation implements [wire.Service].
func (*Service) Operation(r *http.Request, _ []byte) string {
	target := r.Header.Get("X-Amz-Target")
	i := strings.LastIndex(target, ".")
	if i < 0 || !strings.HasSuffix(target[:i], "CloudTrail_20131101") {
		return ""
	}
	return target[i+1:]
}

// Serve implements [wire.Service].
func (s *Service) Serve(ctx context.Context, c *wire.Call) (*wire.Reply, error) {
	h, ok := s.handlers[c.Operation]
	if !ok {
		return nil, wire.NotImplemented(c)
	}
	return h(ctx, c)
}

// Fail implements [wire.Service].
func (*Service) Fail(_ *wire.Call, err *wire.Error) *wire.Reply { return wire.FailJSON(err) }

type attribute struct{ AttributeKey, AttributeValue string }

type lookupInput struct {
	LookupAttributes []attribute
	StartTime        *float64
	EndTime          *float64
	EventCategory    string
	MaxResults       *int
	NextToken        string
}

type resource struct{ ResourceType, ResourceName string }

// event is one of the answer.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_Event.html
type event struct {
	EventID         string `json:"EventId"`
	EventName       string
	ReadOnly        string
	AccessKeyID     string `json:"AccessKeyId,omitempty"`
	EventTime       float64
	EventSource     string
	Username        string `json:",omitempty"`
	Resources       []resource
	CloudTrailEvent string
}

type lookupOutput struct {
	Events    []*event
	NextToken string `json:",omitempty"`
}

// history is how far back events can be looked up.
const history = 90 * 24 * time.Hour

func (s *Service) lookup(_ context.Context, _ *wire.Call, in *lookupInput) (*lookupOutput, error) {
	if err := s.limits.allow(s.options.Now()); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	out := &lookupOutput{Events: []*event{}}
	if in.EventCategory != "" { // insights: nothing here makes any
		return out, nil
	}
	most := 50
	if in.MaxResults != nil {
		most = *in.MaxResults
	}
	after, err := in.page()
	if err != nil {
		return nil, err
	}
	oldest := s.options.Now().Add(-history).Unix()
	for _, r := range slices.Backward(s.options.Trail()) {
		if after != "" {
			if r.EventID == after {
				after = ""
			}
			continue
		}
		e := describe(r)
		if int64(e.EventTime) < oldest || !in.accepts(e) || !s.limits.shown(e, s.options.Now()) {
			continue
		}
		if len(out.Events) == most {
			out.NextToken = in.token(out.Events[most-1].EventID)
			break
		}
		out.Events = append(out.Events, e)
	}
	return out, nil
}

func describe(r cloud.Record) *event {
	raw, _ := json.Marshal(r) //nolint:errchkjson // a record holds JSON values only
	at, _ := time.Parse(time.RFC3339, r.EventTime)
	key, _ := r.UserIdentity["accessKeyId"].(string)
	return &event{
		EventID: r.EventID, EventName: r.EventName, ReadOnly: strconv.FormatBool(r.ReadOnly), AccessKeyID: key,
		EventTime: float64(at.Unix()), EventSource: r.EventSource, Username: username(r.UserIdentity),
		Resources: resources(r), CloudTrailEvent: string(raw),
	}
}

// username is the user's name, or the name of a role's session.
func username(identity map[string]any) string {
	if name, ok := identity["userName"].(string); ok {
		return name
	}
	arn, _ := identity["arn"].(string)
	return arn[strings.LastIndex(arn, "/")+1:]
}

// resources are what an event can be looked up by.
func resources(r cloud.Record) []resource {
	out := []resource{}
	add := func(kind string, name any) {
		if text, ok := name.(string); ok && text != "" && !slices.Contains(out, resource{kind, text}) {
			out = append(out, resource{kind, text})
		}
	}
	switch r.EventSource {
	case "secretsmanager.amazonaws.com":
		const secret = "AWS::SecretsManager::Secret"
		add(secret, r.ResponseElements["arn"])
		add(secret, r.RequestParameters["secretId"])
		if r.EventName == "CreateSecret" {
			add(secret, r.RequestParameters["name"])
		}
		add(secret, r.AdditionalEventData["SecretId"])
		add(secret, r.AdditionalEventData["ARN"])
	case "lambda.amazonaws.com":
		add("AWS::Lambda::Function", r.RequestParameters["functionName"])
	case "s3.amazonaws.com":
		add("AWS::S3::Bucket", r.RequestParameters["bucketName"])
	}
	if r.Resources != nil {
		for _, of := range *r.Resources {
			if m, ok := of.(map[string]any); ok {
				kind, _ := m["type"].(string)
				add(kind, m["ARN"])
			}
		}
	}
	return out
}

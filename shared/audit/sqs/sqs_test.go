package sqs_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/audit/sqs"
	"github.com/keyturn/keyturn/test/cloud"
	localsqs "github.com/keyturn/keyturn/test/cloud/sqs"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

const url = "http://127.0.0.1/123456789012/audit"

func record() audit.Record {
	return audit.Record{
		ID: "create-keyturn-x", Time: time.Date(2026, 11, 23, 4, 5, 6, 7e6, time.UTC), Act: audit.Create, Phase: audit.Intent,
		Secret: "prod/mailer", Vendor: "acme", KeyName: "keyturn-x", Detail: map[string]string{"why": "odd \ufffe\uffff\x01 <&>"},
	}
}

func setup(t *testing.T) (*sqs.Queue, *cloud.Cloud, *localsqs.Service) {
	t.Helper()
	c := cloud.New(cloud.Options{})
	t.Cleanup(c.Close)
	s := localsqs.New(c.Clock())
	if _, err := s.Create("audit", nil); err != nil {
		t.Fatal(err)
	}
	c.Register("sqs", s)
	return sqs.Open(c.Config(), url), c, s
}

func TestRecord(t *testing.T) {
	t.Parallel()
	q, _, s := setup(t)
	want := record()
	bare := audit.Record{ID: "x", Act: audit.Notified, Phase: audit.Fact}
	for _, r := range []audit.Record{want, bare} {
		if err := q.Record(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	got := s.Messages("audit")
	if len(got) != 2 {
		t.Fatalf("%d messages, want 2", len(got))
	}
	var r audit.Record
	if err := json.Unmarshal([]byte(got[0].Body), &r); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	attributes := map[string]string{}
	for name, a := range got[0].Attributes {
		attributes[name] = a.StringValue
	}
	if diff := cmp.Diff(map[string]string{"act": "create", "phase": "intent", "secret": "prod/mailer"}, attributes); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	if _, ok := got[1].Attributes["secret"]; ok {
		t.Error("an empty attribute was sent")
	}
}

// What is not certainly accepted is an error, and then nothing is done.
// Promise: audited-first
func TestRecord_notAccepted(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		fault cloud.Fault
		want  string
	}{
		{"no answer", cloud.Fault{Effect: cloud.DropBefore}, "no answer"},
		{"reply lost", cloud.Fault{Effect: cloud.DropAfter}, "no answer"},
		{"server error", cloud.Fault{}, "(InternalServiceError)"},
		{"denied", cloud.Fault{Error: &wire.Error{Code: "AccessDenied", Status: 403, Message: "you sent prod/mailer"}}, "(AccessDenied)"},
		{"hangs", cloud.Fault{Effect: cloud.Hang}, "no answer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				q, c, _ := setup(t)
				c.Inject(tt.fault)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				err := q.Record(ctx, record())
				if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "you sent") {
					t.Errorf("Record = %v, want an error with %q", err, tt.want)
				}
			})
		})
	}
}

func TestRecord_foreignAnswer(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"HTML":             "<html>welcome</html>",
		"an empty answer":  "{}",
		"another checksum": `{"MessageId":"m","MD5OfMessageBody":"00000000000000000000000000000000"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cfg := cloud.New(cloud.Options{}).Config()
				cfg.HTTPClient = &http.Client{Transport: answer(body)}
				if err := sqs.Open(cfg, url).Record(t.Context(), record()); err == nil {
					t.Error("accepted")
				}
			})
		})
	}
}

type answer string

func (a answer) RoundTrip(r *http.Request) (*http.Response, error) {
	w := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, Request: r}
	w.Body = http.NoBody
	if a != "" {
		w.Body = readCloser{strings.NewReader(string(a))}
	}
	return w, nil
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

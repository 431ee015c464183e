// Package customresource reads CloudFormation's requests about custom resources,
// and answers them.
package customresource

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/keyturn/keyturn/shared/secret"
)

// Request is CloudFormation's request about our custom resource.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html
type Request struct {
	RequestType        string       // Create, Update or Delete
	ResponseURL        secret.Value // whoever has it can answer: it is signed
	StackID            string       `json:"StackId"`
	RequestID          string       `json:"RequestId"`
	LogicalResourceID  string       `json:"LogicalResourceId"`
	PhysicalResourceID string       `json:"PhysicalResourceId"`
	ResourceProperties struct {
		Version, Secret, Existing string
	}
}

// In returns the request in an event; false if it is none.
func In(event json.RawMessage) (Request, bool) {
	var q Request
	err := json.Unmarshal(event, &q)
	return q, err == nil && q.RequestType != "" && !q.ResponseURL.Empty()
}

// Answer is what CloudFormation is told.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
type Answer struct {
	Status             string
	Reason             string `json:",omitempty"`
	PhysicalResourceID string `json:"PhysicalResourceId"`
	StackID            string `json:"StackId"`
	RequestID          string `json:"RequestId"`
	LogicalResourceID  string `json:"LogicalResourceId"`
}

// MaxReason is how long a reason may be, in bytes. The whole answer may have
// 4,096; ARNs and names take the rest.
const MaxReason = 2000

// Succeeded is the answer that it is done.
func (q Request) Succeeded() Answer {
	a := Answer{
		Status: "SUCCESS", PhysicalResourceID: q.PhysicalResourceID, StackID: q.StackID, RequestID: q.RequestID, LogicalResourceID: q.LogicalResourceID,
	}
	if a.PhysicalResourceID == "" { // it never changes after, or CloudFormation would take it for another resource
		a.PhysicalResourceID = "keyturn-first-value-" + q.LogicalResourceID
	}
	return a
}

// Failed is the answer that it is not done, and why.
func (q Request) Failed(reason string) Answer {
	a := q.Succeeded()
	a.Status, a.Reason = "FAILED", clip(reason)
	return a
}

func clip(s string) string {
	if len(s) <= MaxReason {
		return s
	}
	s = s[:MaxReason]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s
}

// Sender answers CloudFormation. It is safe for concurrent use.
type Sender struct {
	client *http.Client
	region string
	wait   func(context.Context, time.Duration) error
}

// NewSender returns a sender of the function's own Region, the only one whose
// CloudFormation it answers. It follows no redirect, and knows no proxy. base carries
// the answers; nil: the network.
func NewSender(base http.RoundTripper, region string) Sender {
	if base == nil {
		base = &http.Transport{TLSHandshakeTimeout: 5 * time.Second, ForceAttemptHTTP2: true}
	}
	return Sender{
		client: &http.Client{
			Transport:     base,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Timeout:       10 * time.Second,
		},
		region: region, wait: Sleep,
	}
}

// Sleep waits; its error is the context's.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// bucket is where CloudFormation waits for answers: one of AWS's in each Region,
// at the Region's endpoint, or, in us-east-1 alone, at the global one.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/vpc-interface-endpoints.html
var bucket = regexp.MustCompile(`^cloudformation-custom-resource-response-([a-z0-9]+)\.s3(?:[.-]([a-z0-9-]+))?\.amazonaws\.com(\.cn)?$`)

// waits says whether CloudFormation may wait at an address. Without this whoever
// may invoke the function could make it send requests to places of their
// choosing: names of buckets are free for all, so the bucket's Region must be the
// function's.
func waits(u *url.URL, region string) bool {
	m := bucket.FindStringSubmatch(u.Host)
	if m == nil || u.Scheme != "https" || u.User != nil {
		return false
	}
	q := u.Query()
	if !q.Has("X-Amz-Signature") && !q.Has("Signature") {
		return false
	}
	at := m[2]
	if at == "" {
		at = "us-east-1"
	}
	return at == region && m[1] == strings.ReplaceAll(region, "-", "") && strings.HasPrefix(region, "cn-") == (m[3] != "")
}

// tries and their pause: a lost answer makes CloudFormation wait for an hour.
const (
	answerTries = 3
	answerPause = time.Second
)

// Send puts the answer where CloudFormation waits for it. Its error says
// nothing of the URL.
func (s Sender) Send(ctx context.Context, to secret.Value, a Answer) error {
	u, err := url.Parse(to.Reveal())
	if err != nil || !waits(u, s.region) {
		return undelivered("its address is not one of CloudFormation's")
	}
	body, err := json.Marshal(a)
	if err != nil {
		return undelivered("it cannot be encoded")
	}
	var last error
	for try := range answerTries {
		if try > 0 && s.wait(ctx, answerPause<<try) != nil {
			return last
		}
		var again bool
		if again, last = s.put(ctx, u, body); !again {
			return last
		}
	}
	return last
}

func (s Sender) put(ctx context.Context, u *url.URL, body []byte) (again bool, err error) {
	// No content type: the signature is for none.
	q, err := http.NewRequestWithContext(ctx, http.MethodPut, u.String(), bytes.NewReader(body))
	if err != nil {
		return false, undelivered("its address is not one of CloudFormation's")
	}
	r, err := s.client.Do(q)
	if err != nil {
		return true, undelivered("there was no response") // the error's text has the URL in it
	}
	defer r.Body.Close()                       //nolint:errcheck // nothing to do about it
	_, _ = io.CopyN(io.Discard, r.Body, 4<<10) // for the connection's sake; S3's text may repeat the URL
	if r.StatusCode != http.StatusOK {
		return r.StatusCode >= http.StatusInternalServerError, undelivered(fmt.Sprintf("the status was %d", r.StatusCode))
	}
	return false, nil
}

// undelivered is why CloudFormation was not answered. Lambda then starts the
// function again, which finds the work done.
type undelivered string

func (u undelivered) Error() string {
	return "the answer to CloudFormation was not delivered: " + string(u)
}

// ErrorType is what Lambda reports as errorType.
func (undelivered) ErrorType() string { return "AnswerUndelivered" }

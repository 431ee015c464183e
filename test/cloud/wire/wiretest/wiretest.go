// Package wiretest connects an AWS SDK client to one service of the local AWS
// without a socket.
package wiretest

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/keyturn/keyturn/test/cloud/clock"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// AccessKey signs the requests of [Config].
const AccessKey = "AKIAIOSFODNN7EXAMPLE"

// Config returns a client configuration whose requests go to s, which the
// SDK calls name. The SDK does not retry.
func Config(name string, s wire.Service, clk *clock.Clock) aws.Config {
	return aws.Config{
		Region:       wire.Region,
		BaseEndpoint: aws.String("http://local.aws"),
		Credentials:  credentials.NewStaticCredentialsProvider(AccessKey, "fake", ""),
		HTTPClient:   &http.Client{Transport: transport{name, s, clk}},
		Retryer:      func() aws.Retryer { return aws.NopRetryer{} },
		// As config.LoadDefaultConfig sets them: an unset one checks nothing.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
	}
}

type transport struct {
	name    string
	service wire.Service
	clock   *clock.Clock
}

// RoundTrip implements [http.RoundTripper].
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	in := httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.RequestURI(), http.NoBody)
	in.Header, in.Host, in.URL = r.Header, r.URL.Host, r.URL
	var body []byte
	if r.Body != nil {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = b
	}
	c := &wire.Call{
		Service: t.name, Operation: t.service.Operation(in, body), RequestID: "11111111-2222-4333-8444-555555555555",
		AccessKey: AccessKey, Body: body, HTTP: in, Now: t.clock.Now(),
	}
	reply := t.serve(r.Context(), c)
	status := max(reply.Status, http.StatusOK)
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: reply.Header, Body: io.NopCloser(strings.NewReader(string(reply.Body))), Request: r,
	}, nil
}

func (t transport) serve(ctx context.Context, c *wire.Call) *wire.Reply {
	reply, err := t.service.Serve(ctx, c)
	if err != nil {
		return t.service.Fail(c, wire.AsError(err))
	}
	return reply
}

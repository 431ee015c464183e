package cloud

import (
	"bytes"
	"io"
	"net/http"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

// AccessKey and SecretKey are the fake credentials of [Cloud.Config]. The local
// AWS checks no signature: the access key only names the caller in logs.
const (
	AccessKey = "AKIALOCALLOCALLOCAL0"
	SecretKey = "local-secret-key-that-opens-nothing"
)

// Config returns an SDK configuration whose clients talk to c in memory.
func (c *Cloud) Config() aws.Config {
	return aws.Config{
		Region:       wire.Region,
		Credentials:  credentials.NewStaticCredentialsProvider(AccessKey, SecretKey, ""),
		HTTPClient:   &http.Client{Transport: c.Transport()},
		BaseEndpoint: aws.String("http://127.0.0.1"),
		// As config.LoadDefaultConfig sets them: an unset one checks nothing.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
	}
}

// Transport returns a transport that hands requests to c without a socket, so
// that clients work inside testing/synctest.
func (c *Cloud) Transport() http.RoundTripper { return transport{c} }

type transport struct{ cloud *Cloud }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	if r.Body == nil {
		in.Body = http.NoBody
	} else {
		defer func() { _ = r.Body.Close() }()
	}
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	reply, err := t.cloud.handle(in)
	if ctxErr := r.Context().Err(); ctxErr != nil {
		return nil, ctxErr
	}
	if err != nil {
		return nil, err
	}
	return &http.Response{
		Status:     strconv.Itoa(reply.Status) + " " + http.StatusText(reply.Status),
		StatusCode: reply.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: reply.Header, Body: io.NopCloser(bytes.NewReader(reply.Body)),
		ContentLength: int64(len(reply.Body)), Request: r,
	}, nil
}

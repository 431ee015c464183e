package bucket_test

import (
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/keyturn/keyturn/shared/awserror"
	"github.com/keyturn/keyturn/shared/bucket"
)

// elsewhere is S3 with one bucket, in eu-central-1. Synthetic: it answers as the
// documentation says (https://docs.aws.amazon.com/AmazonS3/latest/userguide/Redirects.html).
type elsewhere struct {
	mu    sync.Mutex
	asked []string // hosts, with the body
	deny  bool
}

func (e *elsewhere) Do(r *http.Request) (*http.Response, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	e.asked = append(e.asked, r.URL.Host+" "+string(body))
	res := &http.Response{Header: http.Header{"X-Amz-Bucket-Region": {"eu-central-1"}}, Request: r}
	text := ""
	switch {
	case !strings.Contains(r.URL.Host, "eu-central-1"):
		res.StatusCode, text = http.StatusMovedPermanently, "<Error><Code>PermanentRedirect</Code></Error>"
	case e.deny:
		res.StatusCode, text = http.StatusForbidden, "<Error><Code>AccessDenied</Code></Error>"
	default:
		res.StatusCode = http.StatusOK
	}
	res.Body = io.NopCloser(strings.NewReader(text))
	return res, nil
}

func (e *elsewhere) client() *bucket.Client {
	return bucket.New(s3.New(s3.Options{
		Region: "us-east-1", HTTPClient: e, Credentials: credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "x", ""),
	}))
}

// A bucket of another Region is asked there, with the whole body, and from then on at
// once.
func TestClient(t *testing.T) {
	t.Parallel()
	e := &elsewhere{}
	c := e.client()
	for _, key := range []string{"a", "b"} {
		in := &s3.PutObjectInput{Bucket: aws.String("witness"), Key: &key, Body: bytes.NewReader([]byte("note"))}
		if _, err := c.PutObject(t.Context(), in, func(o *s3.Options) { o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired }); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"witness.s3.us-east-1.amazonaws.com note", "witness.s3.eu-central-1.amazonaws.com note", "witness.s3.eu-central-1.amazonaws.com note"}
	if !slices.Equal(e.asked, want) {
		t.Errorf("asked %q, want %q", e.asked, want)
	}
}

// A refusal in the bucket's own Region is an error, and not asked again.
func TestClient_denied(t *testing.T) {
	t.Parallel()
	e := &elsewhere{deny: true}
	c := e.client()
	_, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("trails"), Key: aws.String("a")})
	if awserror.Code(err) != "AccessDenied" || len(e.asked) != 2 {
		t.Errorf("%v, asked %q", err, e.asked)
	}
}

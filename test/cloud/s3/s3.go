// Package s3 is the local AWS's Simple Storage Service: buckets with versions,
// conditional writes, checksums and Object Lock.
//
// Operations: CreateBucket, DeleteBucket, HeadBucket, ListBuckets,
// GetBucketLocation, Put- and GetBucketVersioning, Put-, Get- and DeleteBucketPolicy,
// Put- and GetObjectLockConfiguration, PutObject, GetObject, HeadObject, DeleteObject,
// DeleteObjects, ListObjectsV2, ListObjectVersions, Put- and GetObjectRetention,
// Put- and GetObjectLegalHold, GetObjectTagging. Anything else answers
// NotImplemented, multipart uploads and copies too.
//
// Buckets are addressed by path or by host (BUCKET.localhost, BUCKET.s3.REGION.amazonaws.com).
// Reads see the last write, as S3's do. Policies are kept and not applied: whoever asks to
// bypass governance retention may.
package s3

import (
	"context"
	"encoding/xml"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/keyturn/keyturn/test/cloud/clock"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// Service is a [wire.Service]. Use [New]; a Service is safe for concurrent use.
//
// API: https://docs.aws.amazon.com/AmazonS3/latest/API/
type Service struct {
	clock    *clock.Clock
	rand     io.Reader
	handlers map[string]handler

	mu      sync.Mutex
	buckets map[string]*bucket
}

// request is a call with what its address says.
type request struct {
	*wire.Call
	bucket, key string
}

// handler carries out one operation; s.mu is held.
type handler func(*request) (*wire.Reply, error)

// New returns a Service without buckets, whose time is clk's. Version ids are
// made of random, which is read by one goroutine at a time.
func New(clk *clock.Clock, random io.Reader) *Service {
	s := &Service{clock: clk, rand: random, buckets: map[string]*bucket{}}
	s.handlers = map[string]handler{
		"ListBuckets": s.listBuckets, "CreateBucket": s.createBucket,
		"DeleteBucket": s.in(s.deleteBucket), "HeadBucket": s.in(s.headBucket), "GetBucketLocation": s.in(s.location),
		"PutBucketVersioning": s.in(s.putVersioning), "GetBucketVersioning": s.in(s.getVersioning),
		"PutBucketPolicy": s.in(s.putPolicy), "GetBucketPolicy": s.in(s.getPolicy), "DeleteBucketPolicy": s.in(s.deletePolicy),
		"PutObjectLockConfiguration": s.in(s.putLock), "GetObjectLockConfiguration": s.in(s.getLock),
		"ListObjectsV2": s.in(s.listObjects), "ListObjectVersions": s.in(s.listVersions),
		"PutObject": s.in(s.putObject), "GetObject": s.in(s.getObject), "HeadObject": s.in(s.getObject),
		"DeleteObject": s.in(s.deleteObject), "DeleteObjects": s.in(s.deleteObjects),
		"GetObjectTagging":   s.in(s.getTagging),
		"PutObjectRetention": s.in(s.putRetention), "GetObjectRetention": s.in(s.getRetention),
		"PutObjectLegalHold": s.in(s.putHold), "GetObjectLegalHold": s.in(s.getHold),
	}
	return s
}

// in finds the bucket for f.
func (s *Service) in(f func(*request, *bucket) (*wire.Reply, error)) handler {
	return func(q *request) (*wire.Reply, error) {
		b, ok := s.buckets[q.bucket]
		if !ok {
			return nil, fail(http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist", "BucketName", q.bucket)
		}
		if owner := q.HTTP.Header.Get("X-Amz-Expected-Bucket-Owner"); owner != "" && owner != b.owner {
			return nil, fail(http.StatusForbidden, "AccessDenied", "Access Denied")
		}
		return f(q, b)
	}
}

// Operation implements [wire.Service].
func (*Service) Operation(r *http.Request, _ []byte) string {
	bucket, key := address(r)
	return operation(r, bucket, key)
}

// Serve implements [wire.Service].
func (s *Service) Serve(_ context.Context, c *wire.Call) (*wire.Reply, error) {
	h, ok := s.handlers[c.Operation]
	if !ok {
		return nil, wire.NotImplemented(c)
	}
	q := &request{Call: c}
	q.bucket, q.key = address(c.HTTP)
	if len(q.key) > 1024 {
		return nil, fail(http.StatusBadRequest, "KeyTooLongError", "Your key is too long")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	reply, err := h(q)
	if err != nil {
		return nil, err
	}
	if reply.Header == nil {
		reply.Header = http.Header{}
	}
	identify(reply.Header, c)
	return reply, nil
}

// Fail implements [wire.Service]. S3 throttles with SlowDown.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
func (*Service) Fail(c *wire.Call, err *wire.Error) *wire.Reply {
	switch err.Code {
	case "ThrottlingException":
		err = &wire.Error{Code: "SlowDown", Message: "Please reduce your request rate.", Status: http.StatusServiceUnavailable}
	case "InternalServerError", "InternalServiceError", "InternalFailure":
		err = &wire.Error{Code: "InternalError", Message: "We encountered an internal error. Please try again.", Status: http.StatusInternalServerError}
	}
	status := err.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	h := http.Header{}
	maps.Copy(h, err.Header)
	identify(h, c)
	reply := &wire.Reply{Status: status, Header: h}
	if c.HTTP.Method == http.MethodHead || status == http.StatusNotModified {
		return reply // without a body, and so without a code
	}
	h.Set("Content-Type", "application/xml")
	type member struct {
		XMLName xml.Name
		Text    string `xml:",chardata"`
	}
	var more []member
	for _, name := range slices.Sorted(maps.Keys(err.Members)) {
		more = append(more, member{xml.Name{Local: name}, err.Members[name]})
	}
	b, _ := xml.Marshal(struct {
		XMLName       xml.Name `xml:"Error"`
		Code, Message string
		More          []member
		RequestID     string `xml:"RequestId"`
		HostID        string `xml:"HostId"`
	}{Code: err.Code, Message: err.Message, More: more, RequestID: c.RequestID, HostID: "local"})
	reply.Body = append([]byte(xml.Header), b...)
	return reply
}

func identify(h http.Header, c *wire.Call) {
	h.Set("X-Amz-Request-Id", c.RequestID)
	h.Set("X-Amz-Id-2", "local")
	h.Set("Server", "AmazonS3")
}

// fail makes an error, with more members in pairs.
func fail(status int, code, message string, members ...string) error {
	e := &wire.Error{Code: code, Message: message, Status: status, Members: map[string]string{}}
	for i := 0; i+1 < len(members); i += 2 {
		e.Members[members[i]] = members[i+1]
	}
	return e
}

// Conflict is what S3 answers to a conditional write while another write of the
// key is under way, to be injected as a fault: calls here have no duration.
func Conflict() *wire.Error {
	return &wire.Error{
		Code: "ConditionalRequestConflict", Status: http.StatusConflict,
		Message: "The conditional request cannot succeed due to a conflicting operation against this resource.",
	}
}

func invalid(argument, value, message string) error {
	return fail(http.StatusBadRequest, "InvalidArgument", message, "ArgumentName", argument, "ArgumentValue", value)
}

func malformed() error {
	return fail(http.StatusBadRequest, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
}

// answer encodes v, a struct whose XMLName has the namespace.
func answer(v any) (*wire.Reply, error) {
	b, err := xml.Marshal(v)
	if err != nil {
		return nil, err
	}
	return &wire.Reply{Header: http.Header{"Content-Type": {"application/xml"}}, Body: append([]byte(xml.Header), b...)}, nil
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// hosts end a bucket's own host name.
func hosts() []string {
	return []string{".localhost", ".s3." + wire.Region + ".amazonaws.com", ".s3.amazonaws.com", ".s3." + wire.Region + ".localhost"}
}

// Name returns what a request is about: "bucket", "bucket/key" or "".
func Name(r *http.Request) string {
	bucket, key := address(r)
	if key == "" {
		return bucket
	}
	return bucket + "/" + key
}

// address reads bucket and key from a request.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
func address(r *http.Request) (bucket, key string) {
	host, _, _ := strings.Cut(r.Host, ":")
	for _, end := range slices.Backward(hosts()) {
		if name, ok := strings.CutSuffix(host, end); ok && name != "" && name != "s3" && name != "s3."+wire.Region {
			return name, strings.TrimPrefix(r.URL.Path, "/")
		}
	}
	bucket, key, _ = strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return bucket, key
}

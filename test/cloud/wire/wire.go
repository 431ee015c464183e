// Package wire is what the services of the local AWS share: one call decoded
// from AWS's wire protocols, and the shape of its answer.
package wire

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Region and Account are where everything in the local AWS lives.
const (
	Region  = "us-east-1"
	Account = "123456789012"
)

// Call is one request to one service.
type Call struct {
	Service   string // as in the credential scope: "secretsmanager", "dynamodb"
	Operation string // "PutSecretValue"
	RequestID string
	AccessKey string // from the credential scope; names the caller in CloudTrail
	Body      []byte
	HTTP      *http.Request // its Body has been read into Call.Body
	Now       time.Time     // the local AWS's time
}

// Decode unmarshals the JSON body into v.
func (c *Call) Decode(v any) error {
	if len(c.Body) == 0 {
		return nil
	}
	if err := json.Unmarshal(c.Body, v); err != nil {
		return &Error{Code: "SerializationException", Message: "the request body is not valid JSON for " + c.Operation}
	}
	return nil
}

// Reply is an answer. The zero Status means 200.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

// Service answers the calls of one AWS service. Implementations are safe for
// concurrent use.
type Service interface {
	// Operation names what r asks for, or "" if this service does not know.
	Operation(r *http.Request, body []byte) string
	// Serve carries out c. An *[Error] is sent in the service's own protocol;
	// for an operation that is not modeled it returns [NotImplemented].
	Serve(ctx context.Context, c *Call) (*Reply, error)
	// Fail encodes err in the service's own protocol.
	Fail(c *Call, err *Error) *Reply
}

// Error is an AWS error as a client sees it.
type Error struct {
	Code    string
	Message string
	Status  int // 0: 400
	// Header and Members are more of the answer's headers and of the error's
	// members, for services that have such (S3).
	Header  http.Header
	Members map[string]string
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// NotImplemented is the answer to what the local AWS does not model.
func NotImplemented(c *Call) error {
	op := c.Operation
	if op == "" {
		op = c.HTTP.Method + " " + c.HTTP.URL.Path
	}
	return &Error{Code: "NotImplemented", Message: "the local AWS does not model " + c.Service + " " + op, Status: http.StatusNotImplemented}
}

// AsError returns err as an *[Error]; anything else becomes an InternalFailure.
func AsError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Code: "InternalFailure", Message: err.Error(), Status: http.StatusInternalServerError}
}

// JSON encodes v for an awsJson or restJson service.
func JSON(v any) (*Reply, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	return &Reply{Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}}, Body: b}, nil
}

// FailJSON encodes err as the awsJson protocols do.
func FailJSON(err *Error) *Reply {
	b, _ := json.Marshal(map[string]string{"__type": err.Code, "message": err.Message, "Message": err.Message}) //nolint:errchkjson // strings
	return &Reply{
		Status: statusOf(err),
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amzn-Errortype": {err.Code}},
		Body:   b,
	}
}

// Query encodes result, a struct whose XMLName is <Operation>Result, as the
// awsQuery protocol does. A nil result stands for an operation without one.
func Query(c *Call, namespace string, result any) (*Reply, error) {
	type metadata struct {
		RequestID string `xml:"RequestId"`
	}
	b, err := xml.Marshal(struct {
		XMLName  xml.Name
		Result   any
		Metadata metadata `xml:"ResponseMetadata"`
	}{xml.Name{Space: namespace, Local: c.Operation + "Response"}, result, metadata{c.RequestID}})
	if err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	return &Reply{Header: http.Header{"Content-Type": {"text/xml"}}, Body: b}, nil
}

// FailQuery encodes err as the awsQuery protocol does.
func FailQuery(c *Call, err *Error) *Reply {
	type detail struct{ Type, Code, Message string }
	kind := "Sender"
	if statusOf(err) >= http.StatusInternalServerError {
		kind = "Receiver"
	}
	b, _ := xml.Marshal(struct {
		XMLName   xml.Name `xml:"ErrorResponse"`
		Error     detail
		RequestID string `xml:"RequestId"`
	}{Error: detail{kind, err.Code, err.Message}, RequestID: c.RequestID})
	return &Reply{Status: statusOf(err), Header: http.Header{"Content-Type": {"text/xml"}}, Body: b}
}

func statusOf(err *Error) int {
	if err.Status == 0 {
		return http.StatusBadRequest
	}
	return err.Status
}

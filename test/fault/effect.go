package fault

import (
	"bytes"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Effect is what goes wrong with a call.
type Effect int

// The effects. "Before" means that the call did nothing, "after" that it took
// effect and its caller does not learn so.
const (
	None       Effect = iota
	FailBefore        // an error answer; so are the client's own retries
	FailAfter         // an error answer; the client's own retries fail too, and do nothing
	DropAfter         // the connection breaks, once
	KillBefore        // the process ends, and all that it knew is gone
	KillAfter         // the same
	HangBefore        // no answer, nor to any other call until the invocation's time is up
	HangAfter         // the same
	Throttle          // refused for now; so are the client's own retries
	Late              // the answer takes a while
	Stale             // a read answers from the state before the last write
	effects
)

func (e Effect) String() string {
	return [...]string{
		"none", "fail-before", "fail-after", "drop-after", "kill-before", "kill-after",
		"hang-before", "hang-after", "throttle", "late", "stale",
	}[e]
}

// Fault is an effect on the call with a number, from 1.
type Fault struct {
	At     int
	Effect Effect
}

func (f Fault) String() string { return strconv.Itoa(f.At) + "-" + f.Effect.String() }

// Call is one request of ours.
type Call struct {
	Process   string // "rotate"
	Service   string // "secretsmanager", or "vendor"
	Operation string // "GetSecretValue", or method and path
	Read      bool
	Change    bool   // at the vendor
	Step      string // of the event
	At        time.Time
}

func (c Call) String() string { return c.Process + " " + c.Step + ": " + c.Service + " " + c.Operation }

const (
	lateness   = 8 * time.Second  // of a late answer
	awsTimeout = 10 * time.Second // of one try, as package boot sets it
)

// timeout is what a client's own time limit ends in.
type timeout struct{}

func (timeout) Error() string { return "no answer in time" }
func (timeout) Timeout() bool { return true }

// reset is a connection that breaks.
type reset struct{}

func (reset) Error() string   { return "connection reset by peer" }
func (reset) Temporary() bool { return true }
func (reset) Timeout() bool   { return false }

// refusal is the answer of a service that is not well.
func refusal(r *http.Request, service string, throttled bool) *http.Response {
	status, code := http.StatusInternalServerError, "InternalFailure"
	if throttled {
		status, code = http.StatusBadRequest, "ThrottlingException"
	}
	kind, body := "application/x-amz-json-1.1", `{"__type":"`+code+`","message":"not well"}`
	switch {
	case service == "sns":
		kind, body = "text/xml", `<ErrorResponse><Error><Type>Receiver</Type><Code>`+code+`</Code><Message>not well</Message></Error></ErrorResponse>`
	case service == vendor && throttled:
		status, kind, body = http.StatusTooManyRequests, "application/json", "{}"
	case service == vendor:
		kind, body = "text/html", "<html>upstream is not well</html>"
	}
	h := http.Header{"Content-Type": {kind}}
	switch service {
	case "dynamodb":
		h.Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE([]byte(body))), 10))
	case "scheduler":
		h.Set("X-Amzn-Errortype", code)
	}
	return response(r, status, h, []byte(body))
}

func response(r *http.Request, status int, h http.Header, body []byte) *http.Response {
	return &http.Response{
		Status: strconv.Itoa(status) + " " + http.StatusText(status), StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}
}

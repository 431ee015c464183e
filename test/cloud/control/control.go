// Package control is a small API of the local AWS's own, for those who use a
// served one from outside. It is JSON over HTTP, unsigned, under [Prefix]:
//
//	GET    clock           {"now", "offset"}
//	POST   clock           {"advance":"720h"} or {"to":"2027-01-01T00:00:00Z"}; never back
//	GET    calls           {"calls":[...]}; ?service= &operation= &target= &after=SEQ
//	GET    faults          {"faults":[...]}
//	POST   faults          a [Fault]; answers with its id
//	DELETE faults          removes all of them, faults/ID one
//	GET    inbox/TOPIC     {"messages":[...]}: all that was published to an SNS topic
//	GET    events          {"events":[...]}: the last 1000 on the default bus
//
// What is wrong with a request is said as {"error"} with status 400 or 404.
package control

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/sns"
)

// Prefix is the path of the API. No AWS service here has such paths.
const Prefix = "/_local/"

// keptEvents is how many events are kept.
const keptEvents = 1000

// Control is the API's http.Handler. Use [New]; it is safe for concurrent use.
type Control struct {
	cloud *cloud.Cloud
	sns   *sns.Service
	mux   *http.ServeMux

	mu     sync.Mutex
	events []json.RawMessage
	faults []*injected // oldest first
	made   int
}

// New returns the API for a local AWS. It listens to the bus from now on.
func New(c *cloud.Cloud, topics *sns.Service) *Control {
	x := &Control{cloud: c, sns: topics, mux: http.NewServeMux(), events: []json.RawMessage{}}
	c.Subscribe(nil, func(_ context.Context, event []byte) {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.events = append(x.events[max(0, len(x.events)-keptEvents+1):], event)
	})
	for pattern, h := range map[string]func(*http.Request) (any, error){
		"GET " + Prefix + "clock":          x.clock,
		"POST " + Prefix + "clock":         x.move,
		"GET " + Prefix + "calls":          x.calls,
		"GET " + Prefix + "faults":         x.list,
		"POST " + Prefix + "faults":        x.inject,
		"DELETE " + Prefix + "faults":      x.remove,
		"DELETE " + Prefix + "faults/{id}": x.remove,
		"GET " + Prefix + "inbox/{topic}":  x.inbox,
		"GET " + Prefix + "events":         x.told,
	} {
		x.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { answer(w, r, h) })
	}
	return x
}

// ServeHTTP implements http.Handler.
func (x *Control) ServeHTTP(w http.ResponseWriter, r *http.Request) { x.mux.ServeHTTP(w, r) }

// problem is a mistake of the caller's.
type problem struct {
	status int
	text   string
}

func (p *problem) Error() string { return p.text }

func wrong(text string) error { return &problem{http.StatusBadRequest, text} }

func answer(w http.ResponseWriter, r *http.Request, h func(*http.Request) (any, error)) {
	out, err := h(r)
	status := http.StatusOK
	if err != nil {
		out, status = map[string]string{"error": err.Error()}, http.StatusInternalServerError
		if p, ok := err.(*problem); ok { //nolint:errorlint // made in this package, never wrapped
			status = p.status
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(out) //nolint:errchkjson // it is the last thing there is to do
}

// read decodes a body, which has to fit.
func read(r *http.Request, into any) error {
	d := json.NewDecoder(io.LimitReader(r.Body, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return wrong("the body is not what this takes: " + err.Error())
	}
	return nil
}

type clockAnswer struct {
	Now    time.Time `json:"now"`
	Offset string    `json:"offset"` // ahead of real time
}

func (x *Control) clock(*http.Request) (any, error) {
	c := x.cloud.Clock()
	return clockAnswer{c.Now(), c.Offset().String()}, nil
}

func (x *Control) move(r *http.Request) (any, error) {
	var in struct {
		Advance string    `json:"advance"`
		To      time.Time `json:"to"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	by, err := time.ParseDuration(in.Advance)
	switch {
	case (in.Advance == "") == in.To.IsZero():
		return nil, wrong(`give either "advance" or "to"`)
	case in.Advance == "":
		by = in.To.Sub(x.cloud.Clock().Now())
	case err != nil:
		return nil, wrong(`"advance" is a duration such as "720h" or "90m"`)
	}
	if by < 0 {
		return nil, wrong("the clock does not go back")
	}
	x.cloud.Clock().Advance(by)
	return x.clock(r)
}

// call is a [cloud.CallRecord] in JSON.
type call struct {
	Seq       int       `json:"seq"`
	Time      time.Time `json:"time"`
	Service   string    `json:"service"`
	Operation string    `json:"operation"`
	Target    string    `json:"target,omitempty"`
	UserAgent string    `json:"userAgent,omitempty"`
	AccessKey string    `json:"accessKey,omitempty"`
	Error     string    `json:"error,omitempty"`
	Faulted   bool      `json:"faulted,omitempty"`
	Dropped   bool      `json:"dropped,omitempty"`
	Done      bool      `json:"done"`
}

func (x *Control) calls(r *http.Request) (any, error) {
	q := r.URL.Query()
	after, err := strconv.Atoi(q.Get("after"))
	if q.Has("after") && err != nil {
		return nil, wrong("after is the seq of a call")
	}
	filters := []func(cloud.CallRecord) bool{cloud.After(after)}
	for key, filter := range map[string]func(string) func(cloud.CallRecord) bool{
		"service": cloud.ByService, "target": cloud.ByTarget,
		"operation": func(name string) func(cloud.CallRecord) bool { return cloud.ByOperation(name) },
	} {
		if q.Has(key) {
			filters = append(filters, filter(q.Get(key)))
		}
	}
	out := []call{}
	for _, c := range x.cloud.Calls(filters...) {
		out = append(out, call(c))
	}
	return map[string]any{"calls": out}, nil
}

func (x *Control) told(*http.Request) (any, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return map[string]any{"events": append([]json.RawMessage{}, x.events...)}, nil
}

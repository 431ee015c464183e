package control

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// Fault is a [cloud.Fault] in JSON. Effects are fail-before, fail-after,
// drop-before, drop-after, hang, hang-after, throttle and stale; code, message
// and status are the answer of the first two.
type Fault struct {
	ID        int    `json:"id,omitempty"`
	Service   string `json:"service,omitempty"`
	Operation string `json:"operation,omitempty"`
	Nth       int    `json:"nth,omitempty"`
	Count     int    `json:"count,omitempty"`
	Effect    string `json:"effect"`
	Code      string `json:"code,omitempty"`
	Message   string `json:"message,omitempty"`
	Status    int    `json:"status,omitempty"`
}

type injected struct {
	Fault
	remove func()
}

// effects are the names in the order of the constants.
func effects() []string {
	return strings.Split("fail-before fail-after drop-before drop-after hang hang-after throttle stale", " ")
}

func (x *Control) inject(r *http.Request) (any, error) {
	var f Fault
	if err := read(r, &f); err != nil {
		return nil, err
	}
	effect := slices.Index(effects(), f.Effect)
	switch {
	case effect < 0:
		return nil, wrong("effect is one of " + strings.Join(effects(), ", "))
	case f.Nth < 0 || f.Count < 0:
		return nil, wrong("nth and count are not negative")
	case f.Status != 0 && (f.Status < 400 || f.Status > 599):
		return nil, wrong("status is 400 to 599")
	}
	in := cloud.Fault{Service: f.Service, Operation: f.Operation, Nth: f.Nth, Count: f.Count, Effect: cloud.Effect(effect)}
	if f.Code != "" {
		in.Error = &wire.Error{Code: f.Code, Message: f.Message, Status: f.Status}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.made++
	f.ID = x.made
	x.faults = append(x.faults, &injected{f, x.cloud.Inject(in)})
	return f, nil
}

func (x *Control) list(*http.Request) (any, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	out := []Fault{}
	for _, f := range x.faults {
		out = append(out, f.Fault)
	}
	return map[string]any{"faults": out}, nil
}

// remove removes the fault of that ID, or all.
func (x *Control) remove(r *http.Request) (any, error) {
	id := r.PathValue("id")
	x.mu.Lock()
	before := len(x.faults)
	x.faults = slices.DeleteFunc(x.faults, func(f *injected) bool {
		if id != "" && id != strconv.Itoa(f.ID) {
			return false
		}
		f.remove()
		return true
	})
	removed := before - len(x.faults)
	x.mu.Unlock()
	if id != "" && removed == 0 {
		return nil, &problem{http.StatusNotFound, "there is no such fault"}
	}
	return x.list(r)
}

package cloud

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/keyturn/keyturn/test/cloud/s3"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// CallRecord is one call that the local AWS answered. It holds no values.
type CallRecord struct {
	Seq       int       // from 1, in the order of arrival
	Time      time.Time // the local AWS's
	Service   string
	Operation string
	Target    string // the secret's name, or another service's resource; "" if none
	UserAgent string
	AccessKey string
	Error     string // the error code; "" for a success
	Faulted   bool   // an injected fault applied
	Dropped   bool   // the caller got no answer
	Done      bool   // false while it is under way
}

// Calls returns the calls so far that every filter accepts; see [Options].Keep.
func (c *Cloud) Calls(filters ...func(CallRecord) bool) []CallRecord {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []CallRecord
	for _, r := range c.calls {
		if !slices.ContainsFunc(filters, func(f func(CallRecord) bool) bool { return !f(r) }) {
			out = append(out, r)
		}
	}
	return out
}

// ByService accepts calls of one service.
func ByService(name string) func(CallRecord) bool {
	return func(r CallRecord) bool { return r.Service == name }
}

// ByOperation accepts calls of any of the operations.
func ByOperation(names ...string) func(CallRecord) bool {
	return func(r CallRecord) bool { return slices.Contains(names, r.Operation) }
}

// ByTarget accepts calls on one resource; a secret goes by its name.
func ByTarget(name string) func(CallRecord) bool {
	return func(r CallRecord) bool { return r.Target == name }
}

// After accepts calls that came after the one with the sequence number.
func After(seq int) func(CallRecord) bool {
	return func(r CallRecord) bool { return r.Seq > seq }
}

// begin logs a call and returns its sequence number.
func (c *Cloud) begin(call *wire.Call) int {
	target := c.target(call)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.called++
	c.calls = keep(c.calls, c.opt.Keep)
	c.calls = append(c.calls, CallRecord{
		Seq: c.called, Time: call.Now, Service: call.Service, Operation: call.Operation,
		Target: target, UserAgent: call.HTTP.UserAgent(), AccessKey: call.AccessKey,
	})
	return c.called
}

// keep makes room for one more entry: of more than most it drops the oldest
// tenth, so that the copying is rare.
func keep[T any](entries []T, most int) []T {
	if len(entries) < most {
		return entries
	}
	return append(make([]T, 0, most), entries[most/10+1:]...)
}

func (c *Cloud) end(seq int, call *wire.Call, f *fault, reply *wire.Reply, aws *wire.Error, err error) {
	c.mu.Lock()
	if i := seq - 1 - (c.called - len(c.calls)); i >= 0 { // else it is no longer kept
		entry := &c.calls[i]
		entry.Done, entry.Faulted, entry.Dropped = true, f != nil, errors.Is(err, errGone)
		if aws != nil {
			entry.Error = aws.Code
		}
	}
	c.mu.Unlock()
	if call.Operation != "" && slices.Contains(c.opt.Recorded, call.Service) {
		c.recordCall(call, reply, aws)
	}
}

// target names what a call is about.
func (c *Cloud) target(call *wire.Call) string {
	if call.Service == "s3" {
		return s3.Name(call.HTTP)
	}
	var named struct {
		SecretID     string `json:"SecretId"`
		Name         string
		TableName    string
		QueueURL     string `json:"QueueUrl"`
		FunctionName string
	}
	if json.Unmarshal(call.Body, &named) != nil {
		return ""
	}
	if call.Service == "secretsmanager" && named.SecretID != "" {
		return c.secrets.NameOf(named.SecretID)
	}
	for _, name := range []string{named.SecretID, named.Name, named.TableName, named.QueueURL, named.FunctionName} {
		if name != "" {
			return name
		}
	}
	return ""
}

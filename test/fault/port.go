package fault

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"
)

const vendor = "vendor"

func client(p *port) *http.Client { return &http.Client{Transport: p} }

// port is a process's way out: every request passes here, one by one.
type port struct {
	process *process
	aws     bool // to AWS; else to the vendor
}

// RoundTrip implements [http.RoundTripper].
func (o *port) RoundTrip(r *http.Request) (*http.Response, error) {
	p, w := o.process, o.process.world
	if p.dead.Load() {
		return nil, p.stay()
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if p.actor != nil {
		p.actor.wait()
		if p.dead.Load() {
			return nil, p.stay()
		}
	}
	body := drain(r)
	c := o.name(r, body)
	w.consumer.fetch()
	e := w.number(p, c)
	if e == KillBefore {
		p.kill()
		return nil, p.stay()
	}
	res, err := o.answer(r, body, c, e)
	w.consumer.use()
	if e == KillAfter {
		p.kill()
	}
	if p.dead.Load() {
		return nil, p.stay()
	}
	return res, err
}

// name says what a request is.
func (o *port) name(r *http.Request, body []byte) Call {
	c := Call{Process: o.process.function, Service: vendor, Operation: r.Method + " " + r.URL.Path, Step: o.process.step}
	if !o.aws {
		c.Read = r.Method == http.MethodGet
		c.Change = o.process.world.subject.Act(r, body).Kind != ""
		if in, err := url.ParseQuery(string(body)); err == nil && in.Has("Action") {
			c.Operation += in.Get("Action")
		}
		return c
	}
	_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	scope, _, _ = strings.Cut(scope, ",")
	if parts := strings.Split(scope, "/"); len(parts) > 3 {
		c.Service = parts[3]
	}
	_, c.Operation, _ = strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	switch c.Service {
	case "sns":
		c.Operation = "Publish"
	case "scheduler":
		c.Operation = r.Method + " schedule"
	}
	c.Read = reads(c.Operation)
	return c
}

// reads reports whether an operation of AWS changes nothing.
func reads(operation string) bool {
	return strings.HasPrefix(operation, "Get") || strings.HasPrefix(operation, "Describe") ||
		strings.HasPrefix(operation, "List") || operation == "Query"
}

// answer carries a request out, or not, as the effect says.
func (o *port) answer(r *http.Request, body []byte, c Call, e Effect) (*http.Response, error) {
	switch e {
	case FailBefore, Throttle:
		return refusal(r, c.Service, e == Throttle), nil
	case HangBefore:
		return o.hang(r)
	case Stale:
		return o.serve(r, body, c, true)
	case None, FailAfter, DropAfter, KillBefore, KillAfter, HangAfter, Late, effects:
	}
	res, err := o.serve(r, body, c, false)
	if err != nil {
		return nil, err
	}
	switch e {
	case FailAfter:
		return refusal(r, c.Service, false), nil
	case DropAfter:
		return nil, reset{}
	case HangAfter:
		return o.hang(r)
	case Late:
		select {
		case <-time.After(lateness):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	case None, FailBefore, KillBefore, KillAfter, HangBefore, Throttle, Stale, effects:
	}
	return res, nil
}

// hang answers nothing until the caller gives up.
func (o *port) hang(r *http.Request) (*http.Response, error) {
	if !o.aws {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	select {
	case <-time.After(awsTimeout):
		return nil, timeout{}
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// serve has the request answered.
func (o *port) serve(r *http.Request, body []byte, c Call, stale bool) (*http.Response, error) {
	w := o.process.world
	if !o.aws && w.now().Before(w.down) {
		return refusal(r, vendor, false), nil
	}
	if !o.aws {
		return w.vendor(o.process, r, body, stale), nil
	}
	if c.Service == "secretsmanager" && !c.Read {
		defer w.writes.Add(1)
	}
	if c.Service != "secretsmanager" {
		w.hear(body) // what we tell, store and ask for is for others to read
	}
	res, err := w.awsAnswers(r, body, c, stale)
	if err == nil && res.StatusCode == http.StatusOK && c.Operation == "SendMessage" {
		w.accepted(body)
	}
	if err == nil && res.StatusCode == http.StatusOK && c.Operation == "PutSecretValue" {
		w.held(body)
	}
	if err == nil && res.StatusCode == http.StatusOK && c.Operation == "UpdateSecretVersionStage" && c.Step == "rollback" {
		w.mu.Lock()
		w.back = true // whatever becomes of the process
		w.mu.Unlock()
	}
	return res, err
}

// vendor has a request answered by the vendor's servers. A stale answer is that
// of the time before the last change, where there was one.
func (w *World) vendor(p *process, r *http.Request, body []byte, stale bool) *http.Response {
	who, _, _ := strings.Cut(r.Header.Get("Authorization"), "/") // a signature has a date behind it
	key := r.Method + " " + r.URL.String() + " " + who
	if r.Method == http.MethodGet {
		if old, ok := w.before[key]; ok && stale {
			return response(r, old.status, old.header.Clone(), old.body)
		}
		if w.reads != nil && w.isAdmin(r) {
			w.reads[key] = r
		}
		return w.ask(r)
	}
	act := w.subject.Act(r, body)
	if act.Kind == "" {
		return w.ask(r)
	}
	defer p.actor.changed()
	w.judgeAct(act)
	w.remember()
	return w.change(p, r, act)
}

// isAdmin reports whether a request carries the admin credential, or at least
// none of our keys: asking again is then no use of a key.
func (w *World) isAdmin(r *http.Request) bool {
	_, current := w.version("AWSCURRENT")
	_, pending := w.version("AWSPENDING")
	_, previous := w.version("AWSPREVIOUS")
	h := r.Header.Get("Authorization")
	for _, k := range []string{current.Reveal(), pending.Reveal(), previous.Reveal()} {
		id, _, _ := strings.Cut(k, ":") // all that a signed request shows
		if k != "" && strings.Contains(h, id) {
			return false
		}
	}
	return true
}

type snapshot struct {
	status int
	header http.Header
	body   []byte
}

// remember takes down the answers of all reads so far, for stale ones.
func (w *World) remember() {
	for key, r := range w.reads {
		res := w.ask(r)
		b, err := io.ReadAll(res.Body)
		if err == nil && (res.StatusCode != http.StatusForbidden || w.before[key].status == 0) { // a signature grows old
			w.before[key] = snapshot{res.StatusCode, res.Header, b}
		}
	}
}

func (w *World) ask(r *http.Request) *http.Response {
	rec := httptest.NewRecorder()
	w.fake.ServeHTTP(rec, r)
	return response(r, rec.Code, rec.Header(), bytes.Clone(rec.Body.Bytes()))
}

// Package httpapi is the JSON-over-HTTP client that every vendor's package
// shares, and the guard that decides where its requests may go.
//
// A client follows no redirect, reads at most 1 MB of an answer, tries again
// only what is safe to try again, and keeps two seconds of the deadline back so
// that its caller can record what happened. Its errors are [*provider.Error]
// and carry no body, header, host or URL, so their text may be logged.
package httpapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
)

const (
	maxBody    = 1 << 20
	maxTries   = 4
	baseDelay  = 200 * time.Millisecond
	maxDelay   = 5 * time.Second
	tryTimeout = 15 * time.Second
	reserve    = 2 * time.Second // of the deadline, left for the caller
)

var errUnexpected = errors.New("not the answer expected") // never the body: it may hold a key

// Client talks to one API. It is safe for concurrent use while its fields stay
// as they are.
type Client struct {
	Base   string       // "https://api.example.com", with a path if the API has one
	HTTP   *http.Client // from [NewHTTP]; its redirect policy and cookies are not used
	Header http.Header  // sent with every request; not for credentials

	// ErrorField is a member that every JSON error of this vendor has. A 401,
	// 403, 404 or 410 without it was not said by the vendor (but by a firewall,
	// a proxy, a portal) and tells nothing. Empty: every answer is believed.
	ErrorField string

	// Decode reads the body of a success, for vendors that do not speak JSON; it
	// must refuse what is ambiguous. nil: one JSON value.
	Decode func(body []byte, out any) error
	// ResetHeader names the header in which a 429 tells the second, in Unix time,
	// from which on requests are taken again, where it has no Retry-After.
	ResetHeader string

	Timeout time.Duration                     // for one try; 0: 15 s
	Jitter  func(time.Duration) time.Duration // a random part of its argument; nil: [WithJitter], or math/rand
	Now     func() time.Time                  // for a Retry-After date without a Date; nil: time.Now
}

// Call is one request and how to read its answer.
type Call struct {
	Method string
	Path   string            // a template: "/v3/api_keys/{id}"; errors show it as it is
	Params map[string]string // for the template; each value is escaped
	Query  url.Values
	In     any // sent as JSON, a [Form] as a form; nil: no body
	Out    any // pointer that a success is decoded into; nil: the body is not read
	Want   int // the one status that means success; 0: any 2xx

	// Proof reports whether Out holds what a real answer must hold. A 200 from
	// a proxy or a maintenance page proves nothing.
	Proof func() bool
	// Once says that the request must not be sent again when its outcome is
	// unknown.
	Once bool
	// Dead is the status with which the vendor refuses a credential that is not
	// valid; Do then returns [provider.ErrRejected]. 0: none.
	Dead int
	// Said reads an answer before its status is judged, for vendors whose
	// status says too little. What it returns, Do returns, as it is; nil leaves
	// the answer to its status. It must keep nothing of body. nil: no answer is
	// read so.
	Said func(status int, body []byte) error
	// Kinds says what a status means here, where it is not what it usually
	// means.
	Kinds map[int]provider.Kind
}

func (c Call) op() string { return c.Method + " " + c.Path }

// Do sends c with cred, tries again what is safe to try again, at most four
// times in all, and decodes the answer into c.Out. It returns nil,
// [provider.ErrRejected] or an [*provider.Error]. After an error c.Out holds
// nothing to rely on.
func (cl *Client) Do(ctx context.Context, cred Credential, c Call) error {
	u, err := cl.url(c)
	if err != nil {
		return &provider.Error{Op: c.op(), Kind: provider.KindPermanent, Err: err}
	}
	_, err = cl.do(ctx, cred, c, u)
	return err
}

func (cl *Client) do(ctx context.Context, cred Credential, c Call, u *url.URL) (http.Header, error) {
	for n := 0; ; n++ {
		h, err := cl.try(ctx, cred, c, u)
		pe, ok := errors.AsType[*provider.Error](err)
		if !ok || n+1 == maxTries || !again(pe.Kind, c) || !sleep(ctx, max(pe.RetryAfter, cl.backoff(ctx, n))) {
			return h, err
		}
	}
}

func again(k provider.Kind, c Call) bool {
	switch k {
	case provider.KindNotSent, provider.KindRateLimited:
		return true
	case provider.KindUnknown:
		return !c.Once
	case provider.KindAuth, provider.KindNotFound, provider.KindFull, provider.KindPermanent, provider.KindBlocked:
		return false
	}
	return false
}

type jitterKey struct{}

// WithJitter gives the clients without a Jitter of their own this one, for calls
// with the context that it returns: what happens can then happen again.
func WithJitter(ctx context.Context, jitter func(time.Duration) time.Duration) context.Context {
	return context.WithValue(ctx, jitterKey{}, jitter)
}

func (cl *Client) backoff(ctx context.Context, n int) time.Duration {
	half := min(baseDelay<<n, maxDelay) / 2
	if cl.Jitter != nil {
		return half + cl.Jitter(half)
	}
	if jitter, ok := ctx.Value(jitterKey{}).(func(time.Duration) time.Duration); ok {
		return half + jitter(half)
	}
	return half + rand.N(half) //nolint:gosec // jitter, not a secret
}

// sleep reports whether it slept; it does not start a wait the deadline forbids.
func sleep(ctx context.Context, d time.Duration) bool {
	if dl, ok := ctx.Deadline(); ok && d > time.Until(dl)-reserve {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// limit gives one try its own deadline. It reports false if there is no time
// for one.
func (cl *Client) limit(ctx context.Context) (context.Context, context.CancelFunc, bool) {
	d := cl.Timeout
	if d == 0 {
		d = tryTimeout
	}
	if dl, ok := ctx.Deadline(); ok {
		d = min(d, time.Until(dl)-reserve)
	}
	if ctx.Err() != nil || d <= 0 {
		return nil, nil, false
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	return ctx, cancel, true
}

func (cl *Client) try(ctx context.Context, cred Credential, c Call, u *url.URL) (http.Header, error) {
	e := &provider.Error{Op: c.op()}
	if p := cred.problem(); p != nil {
		e.Kind, e.Err = provider.KindAuth, p
		return nil, e
	}
	tctx, cancel, ok := cl.limit(ctx)
	if !ok {
		return nil, late(ctx, e.Op)
	}
	defer cancel()
	req, err := cl.request(tctx, cred, c, u)
	if err != nil {
		e.Kind, e.Err = provider.KindPermanent, errors.New("cannot build the request")
		return nil, e
	}
	hc := *cl.HTTP
	hc.CheckRedirect, hc.Jar = stay, nil
	res, err := hc.Do(req)
	if err != nil {
		e.Kind, e.Err = transport(err)
		return nil, e
	}
	defer res.Body.Close() //nolint:errcheck // nothing to do about it
	e.Status = res.StatusCode
	if c.Said != nil {
		if err := said(c, res); err != nil {
			return nil, err
		}
	}
	if e.Status/100 != 2 {
		return nil, cl.refusal(e, c, res)
	}
	if err := cl.accept(c, res); err != nil {
		e.Err = err
		return nil, e
	}
	return res.Header, nil
}

// said shows the answer to c.Said and leaves it as it was. One that breaks off
// is shown as far as it came.
func said(c Call, res *http.Response) error {
	b, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	res.Body = reread{io.MultiReader(bytes.NewReader(b), broken{err}), res.Body}
	return c.Said(res.StatusCode, b)
}

type reread struct {
	io.Reader
	io.Closer
}

// broken is the end of a body: the error that ended it, io.EOF for nil.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, cmp.Or(b.err, io.EOF) }

func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// accept reads a success into c.Out.
func (cl *Client) accept(c Call, res *http.Response) error {
	if c.Want != 0 && res.StatusCode != c.Want {
		return errUnexpected
	}
	if c.Out != nil {
		b, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
		if err != nil {
			_, err = transport(err)
			return err
		}
		if len(b) > maxBody {
			return errors.New("the answer is larger than 1 MB")
		}
		// What an earlier try decoded must not complete this one.
		reflect.ValueOf(c.Out).Elem().SetZero()
		decode := cl.Decode
		if decode == nil {
			decode = decodeJSON
		}
		if decode(b, c.Out) != nil {
			return errUnexpected
		}
	}
	if c.Proof != nil && !c.Proof() {
		return errUnexpected
	}
	return nil
}

// refusal makes the error for an answer that is not a success.
func (cl *Client) refusal(e *provider.Error, c Call, res *http.Response) error {
	if e.Status/100 == 3 {
		e.Kind, e.Err = provider.KindPermanent, errors.New("redirect refused")
		return e
	}
	said := cl.saidByVendor(res)
	if said && e.Status == c.Dead {
		return provider.ErrRejected
	}
	k, ok := c.Kinds[e.Status]
	if !ok {
		k = kindOf(e.Status)
	}
	e.Kind, e.RetryAfter = k, cl.retryAfter(res.Header)
	if !said && (k == provider.KindAuth || k == provider.KindNotFound || k == provider.KindFull) {
		e.Kind, e.Err = provider.KindUnknown, errors.New("not the way this vendor refuses")
	}
	return e
}

func (cl *Client) saidByVendor(res *http.Response) bool {
	if cl.ErrorField == "" {
		return true
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	var fields map[string]json.RawMessage
	if err != nil || json.Unmarshal(b, &fields) != nil {
		return false
	}
	_, ok := fields[cl.ErrorField]
	return ok
}

// url fills in c's template.
func (cl *Client) url(c Call) (*url.URL, error) {
	path := c.Path
	for name, v := range c.Params {
		if v == "" || v == "." || v == ".." {
			return nil, errors.New("a part of the path is empty")
		}
		path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(v))
	}
	u, err := url.Parse(strings.TrimSuffix(cl.Base, "/") + path)
	if err != nil || u.Host == "" || strings.Contains(path, "{") {
		return nil, errors.New("cannot build the request")
	}
	u.RawQuery = c.Query.Encode()
	return u, nil
}

func (cl *Client) request(ctx context.Context, cred Credential, c Call, u *url.URL) (*http.Request, error) {
	b, kind, err := encode(c.In)
	if err != nil {
		return nil, err
	}
	var body io.Reader
	if kind != "" {
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, c.Method, u.String(), body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	for name, values := range cl.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	req.Header.Set("User-Agent", "keyturn")
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	return req, cred.set(req, b)
}

// Form is a body that is sent as application/x-www-form-urlencoded.
type Form url.Values

// encode returns in as a body and its type, "" for no body.
func encode(in any) (body []byte, kind string, err error) {
	switch in := in.(type) {
	case nil:
		return nil, "", nil
	case Form:
		return []byte(url.Values(in).Encode()), "application/x-www-form-urlencoded", nil
	default:
		body, err = json.Marshal(in)
		return body, "application/json", err
	}
}

package providertest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/getkin/kin-openapi/openapi2"
	"github.com/getkin/kin-openapi/openapi2conv"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// Spec checks requests and answers against vendors' own API descriptions.
type Spec struct{ routers []routers.Router }

// Reference reads API descriptions from the folder openapi under
// KEYTURN_REFERENCE, or else under the folder "shared" beside the repository.
// Without them it says so in one line and reports false. The descriptions are
// made to speak of the suite's own host.
func Reference(t *testing.T, files ...string) (*Spec, bool) {
	t.Helper()
	dir := os.Getenv("KEYTURN_REFERENCE") //nolint:forbidigo // of a test, not of a function
	if dir == "" {
		dir = filepath.Join(root(t), "..", "shared")
	}
	var spec Spec
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, "openapi", f)) //nolint:gosec // the developer's own
		if errors.Is(err, os.ErrNotExist) {
			t.Logf("without the API descriptions (KEYTURN_REFERENCE): answers are checked by hand only")
			return nil, false
		}
		if err == nil {
			err = spec.add(b)
		}
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
	}
	return &spec, true
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil {
		if _, serr := os.Stat(filepath.Join(dir, "go.mod")); serr == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	t.Fatalf("no go.mod above the test: %v", err)
	return ""
}

func (s *Spec) add(b []byte) error {
	doc, err := load(b)
	if err != nil {
		return err
	}
	if len(doc.Servers) == 0 { // Vault says it in words
		doc.Servers = openapi3.Servers{{URL: "/v1"}}
	}
	doc.Servers[0].URL = base + pathOf(doc)
	doc.Servers = doc.Servers[:1]
	r, err := legacy.NewRouter(doc)
	if err != nil {
		return err
	}
	s.routers = append(s.routers, r)
	return nil
}

func load(b []byte) (*openapi3.T, error) {
	var two openapi2.T
	if err := json.Unmarshal(b, &two); err != nil {
		return nil, err
	}
	if two.Swagger != "2.0" {
		return openapi3.NewLoader().LoadFromData(mended(b))
	}
	two.Host, two.Schemes = host, []string{"https"}
	return openapi2conv.ToV3(&two)
}

// pathOf returns the path of the description's first server.
func pathOf(doc *openapi3.T) string {
	p, err := doc.Servers[0].BasePath()
	if err != nil || p == "/" {
		return ""
	}
	return p
}

// Wrap returns a transport that checks every request and answer that goes
// through it, and hands what is wrong to report.
func (s *Spec) Wrap(next http.RoundTripper, report func(error)) http.RoundTripper {
	return validator{s, next, report}
}

type validator struct {
	spec   *Spec
	next   http.RoundTripper
	report func(error)
}

// RoundTrip implements [http.RoundTripper].
func (v validator) RoundTrip(r *http.Request) (*http.Response, error) {
	var sent []byte
	if r.Body != nil {
		var err error
		if sent, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(sent))
	}
	res, err := v.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	got, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(got))
	if err := v.spec.check(r, sent, res, got); err != nil {
		v.report(fmt.Errorf("%s %s: %d: %w", r.Method, r.URL.Path, res.StatusCode, err))
	}
	return res, nil
}

func (s *Spec) check(r *http.Request, sent []byte, res *http.Response, got []byte) error {
	ctx := r.Context()
	copied := httptest.NewRequestWithContext(ctx, r.Method, r.URL.String(), bytes.NewReader(sent))
	copied.Header = r.Header.Clone()
	for _, router := range s.routers {
		route, params, err := router.FindRoute(copied)
		if err != nil {
			continue
		}
		in := &openapi3filter.RequestValidationInput{
			Request: copied, PathParams: params, Route: route,
			Options: &openapi3filter.Options{
				// Descriptions leave out refusals (Gitea's any 401), not successes.
				IncludeResponseStatus: res.StatusCode < http.StatusBadRequest,
				// Which credential opens what is the fake's to judge.
				AuthenticationFunc: openapi3filter.NoopAuthenticationFunc,
			},
		}
		if err := openapi3filter.ValidateRequest(ctx, in); err != nil {
			return err
		}
		out := &openapi3filter.ResponseValidationInput{
			RequestValidationInput: in, Status: res.StatusCode, Header: res.Header, Options: in.Options,
		}
		return openapi3filter.ValidateResponse(ctx, out.SetBodyBytes(got))
	}
	return errors.New("the vendor describes no such operation")
}

// Lived runs the life of one key, without a fault, through the transport that
// wrap makes of the fake's, and returns the number of requests.
func Lived(t *testing.T, s Subject, wrap func(http.RoundTripper) http.RoundTripper) (requests int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, s)
		b.carrier = wrap(b.tr)
		b.open(b.fake.Admin(host))
		if err := lifeOrFail(b); err != nil {
			t.Error(err)
		}
		b.untouched()
		for _, f := range b.found {
			t.Error(f)
		}
		requests = b.tr.Requests()
	})
	return requests
}

package httpapi_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
)

// A wait that a vendor asks for is never negative, never wraps around, and is
// what was asked for where that is a number of seconds. Nothing else of the
// header gets into the error.
func FuzzRetryAfter(f *testing.F) {
	f.Add("3", "")
	f.Add("-1", "")
	f.Add("18446744073709551615", "")
	f.Add("Mon, 23 Nov 2026 13:00:10 GMT", "Mon, 23 Nov 2026 13:00:00 GMT")
	f.Add("Sunday, 06-Nov-94 08:49:37 GMT", "")
	f.Add("Mon, 01 Jan 0001 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT")
	f.Fuzz(func(t *testing.T, after, date string) {
		now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
		cl := client(func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Retry-After"], w.Header()["Date"] = []string{after}, []string{date}
			w.WriteHeader(http.StatusBadRequest)
		})
		cl.Now = func() time.Time { return now }
		err := cl.Do(t.Context(), key, httpapi.Call{Method: "GET", Path: "/"})
		e, ok := errors.AsType[*provider.Error](err)
		if !ok || e.RetryAfter < 0 {
			t.Fatalf("%q leads to %v and a wait of %s", after, err, e.RetryAfter)
		}
		if want := "GET /: refused (400 Bad Request)"; e.Error() != want {
			t.Errorf("the error says %q, want %q", e, want)
		}
		s := strings.TrimSpace(after)
		digits := s != "" && strings.Trim(s, "0123456789") == ""
		switch {
		case digits && len(strings.TrimLeft(s, "0")) > 10: // over 300 years
			if e.RetryAfter < 9223372036*time.Second {
				t.Errorf("%q is a wait of %s", after, e.RetryAfter)
			}
		case digits && len(strings.TrimLeft(s, "0")) < 10:
			if got := strconv.FormatInt(int64(e.RetryAfter/time.Second), 10); got != strings.TrimLeft(s, "0") && (got != "0" || strings.Trim(s, "0") != "") {
				t.Errorf("%q is a wait of %s s", after, got)
			}
		case !digits:
			if _, err := http.ParseTime(s); err != nil && e.RetryAfter != 0 {
				t.Errorf("%q is a wait of %s", after, e.RetryAfter)
			}
		}
	})
}

// However a vendor names its next page, the credential goes to the first page's
// origin only, no page is read twice, and the list ends whole or with an error
// that repeats nothing of the name.
// Promise: credential-stays
func FuzzPages(f *testing.F) {
	for _, s := range []string{
		"?page=2", "https://API.test:443/base/list?page=2", "//evil.test/list", "https://a:b@api.test/", "http://api.test/base/list",
		"https://api.test:444/", "..", "\\\\evil.test/", "https:api.test", "%zz", "#frag", "?", "https://api.test\x00.evil.test/", "https://[::1]/", "javascript:x",
	} {
		f.Add(s, "?page=3")
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		synctest.Test(t, func(t *testing.T) {
			requests, read := 0, map[string]bool{}
			refs := []string{first, second, ""}
			cl := client(func(w http.ResponseWriter, r *http.Request) {
				if host, port := strings.ToLower(r.URL.Hostname()), r.URL.Port(); r.URL.Scheme != "https" || host != "api.test" || port != "" && port != "443" || r.URL.User != nil {
					t.Errorf("%q, %q: the credential went to %s", first, second, r.URL)
				}
				if r.Header.Get("Authorization") == "" {
					t.Errorf("%q, %q: no credential", first, second)
				}
				if read[r.URL.String()] {
					t.Errorf("%q, %q: %s is read twice", first, second, r.URL)
				}
				read[r.URL.String()] = true
				requests++
				fmt.Fprintf(w, `{"items":[%d]}`, requests)
			})
			pages, err := httpapi.Pages(t.Context(), cl, key, httpapi.Call{Method: "GET", Path: "/list"},
				func(p page) bool { return p.Items != nil },
				func(page, http.Header) (string, bool) { return refs[requests-1], true })
			want := 1
			for want < len(refs) && refs[want-1] != "" {
				want++
			}
			switch e, ok := errors.AsType[*provider.Error](err); {
			case err == nil && (len(pages) != want || requests != want):
				t.Errorf("%q, %q: %d pages of %d, and no error", first, second, len(pages), want)
			case err == nil:
			case !ok || len(pages) != 0:
				t.Errorf("%q, %q: %d pages, %v", first, second, len(pages), err)
			case e.Error() != "GET /list: "+e.Kind.String()+": the next page is on another host: refused" &&
				e.Error() != "GET /list: "+e.Kind.String()+": the pages go in a circle":
				t.Errorf("%q, %q: the error says %q", first, second, e)
			}
		})
	})
}

// Whatever a 200 holds, it is believed only if it is one JSON value without a
// member twice that holds the proof, and no error repeats a part of it.
func FuzzAnswer(f *testing.F) {
	f.Add(`{"id":"k"}`)
	f.Add(`{"id":"k","ID":"m"}`)
	f.Add(`{"id":"k"}{"id":"m"}`)
	f.Add(`{"id":"k","x":[{"a":1,"a":2}]}`)
	f.Add(`<html>{"id":"k"}</html>`)
	f.Add(`{"id":"` + marked)
	f.Add(strings.Repeat("[", 200))
	f.Fuzz(func(t *testing.T, body string) {
		cl := client(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) })
		var out struct {
			ID string `json:"id"`
		}
		err := cl.Do(t.Context(), key, httpapi.Call{Method: "POST", Path: "/", Once: true, Out: &out, Proof: func() bool { return out.ID != "" }})
		if err == nil {
			if out.ID == "" || !strings.Contains(strings.ToLower(body), `"id"`) && !strings.Contains(body, `\u`) && !strings.ContainsAny(body, "İı") {
				t.Errorf("%q is believed", body)
			}
			return
		}
		if want := "POST /: outcome unknown (200 OK): not the answer expected"; err.Error() != want && len(body) < 1<<20 {
			t.Errorf("%q: the error says %q, want %q", body, err, want)
		}
	})
}

const marked = "hunter2-hunter2"

// Text that a vendor chose comes out as bounded, printable ASCII.
func FuzzSafe(f *testing.F) {
	f.Add("production mailer")
	f.Add("\x1b[31mred\r\n\u202e")
	f.Add(strings.Repeat("é", 100))
	f.Fuzz(func(t *testing.T, s string) {
		got := httpapi.Safe(s)
		if len(got) > 83 || strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("Safe(%q) = %q", s, got)
		}
	})
}

// No URL gets past the guard but one of the hosts that the credential may be
// sent to, by https.
// Promise: credential-stays
func FuzzGuard(f *testing.F) {
	for _, s := range []string{
		"https://api.test/x", "https://API.test:443", "https://api.test.evil.test", "https://api.test@evil.test", "https://evil.test#api.test",
		"http://api.test", "https://169.254.169.254/", "https://api.test:8443", "https://[::1]:3000/", "https://[::ffff:169.254.169.254]/", "ftp://api.test",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		sent := false
		hc := httpapi.NewHTTP(httpapi.Rules{Hosts: []string{"api.test"}}, memory(func(w http.ResponseWriter, r *http.Request) {
			sent = true
			if host, port := strings.ToLower(r.URL.Hostname()), r.URL.Port(); r.URL.Scheme != "https" || host != "api.test" || port != "" && port != "443" || r.URL.User != nil {
				t.Errorf("%q: a request went to %s", raw, r.URL)
			}
			w.WriteHeader(http.StatusNoContent)
		}))
		r := httptest.NewRequest(http.MethodGet, "https://placeholder.test/", nil)
		u, err := r.URL.Parse(raw)
		if err != nil {
			return
		}
		r.URL, r.Host, r.RequestURI = u, "", ""
		res, err := hc.Do(r)
		if (err == nil) != sent {
			t.Errorf("%q: sent %v, and the error is %v", raw, sent, err)
		}
		if err == nil {
			res.Body.Close()
			return
		}
		if b, ok := errors.AsType[*httpapi.BlockedError](err); ok && strings.ContainsFunc(b.Error(), func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%q: the error says %q", raw, b)
		}
	})
}

package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// memory carries requests to a handler without sockets.
type memory func(http.ResponseWriter, *http.Request)

func (m memory) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	m(w, r)
	return w.Result(), nil
}

func client(h memory) *httpapi.Client {
	return &httpapi.Client{
		Base: "https://api.test/base/", HTTP: &http.Client{Transport: h}, ErrorField: "errors",
		Jitter: func(d time.Duration) time.Duration { return d },
	}
}

var key = httpapi.Bearer(secret.New("s3cr3t"))

func TestDo_request(t *testing.T) {
	t.Parallel()
	var got *http.Request
	var sent map[string]string
	cl := client(func(w http.ResponseWriter, r *http.Request) {
		got = r
		_ = json.NewDecoder(r.Body).Decode(&sent)
		fmt.Fprint(w, `{"id":"1"}`)
	})
	cl.Header = http.Header{"On-Behalf-Of": {"sub"}}
	var out struct{ ID string }
	err := cl.Do(t.Context(), key, httpapi.Call{
		Method: "POST", Path: "/keys/{id}/x", Params: map[string]string{"id": "a/../b?c#d%"},
		Query: map[string][]string{"q": {"1 2"}}, In: map[string]string{"name": "n"}, Out: &out,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range [][3]string{
		{"URL", got.URL.String(), "https://api.test/base/keys/a%2F..%2Fb%3Fc%23d%25/x?q=1+2"},
		{"Authorization", got.Header.Get("Authorization"), "Bearer s3cr3t"},
		{"header", got.Header.Get("On-Behalf-Of"), "sub"},
		{"Accept", got.Header.Get("Accept"), "application/json"},
		{"Content-Type", got.Header.Get("Content-Type"), "application/json"},
		{"body", sent["name"], "n"},
		{"answer", out.ID, "1"},
	} {
		if tt[1] != tt[2] {
			t.Errorf("%s = %q, want %q", tt[0], tt[1], tt[2])
		}
	}
}

// A parameter that is empty or a dot would make another path of the template.
func TestDo_oddParameters(t *testing.T) {
	t.Parallel()
	cl := client(func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
	for _, id := range []string{"", ".", ".."} {
		err := cl.Do(t.Context(), key, httpapi.Call{Method: "DELETE", Path: "/keys/{id}", Params: map[string]string{"id": id}})
		if provider.KindOf(err) != provider.KindPermanent {
			t.Errorf("%q: %v, want refused", id, err)
		}
	}
	if err := cl.Do(t.Context(), key, httpapi.Call{Method: "GET", Path: "/keys/{id}"}); provider.KindOf(err) != provider.KindPermanent {
		t.Errorf("a template without its parameter: %v, want refused", err)
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	v := secret.New
	for _, tt := range []struct {
		name         string
		cred         httpapi.Credential
		header, want string
	}{
		{"bearer", httpapi.Bearer(v("k")), "Authorization", "Bearer k"},
		{"basic", httpapi.Basic(v("u"), v("p:w")), "Authorization", "Basic dTpwOnc="},
		{"token", httpapi.Token("token ", v("k")), "Authorization", "token k"},
		{"header", httpapi.Header("DD-API-KEY", v("k")), "DD-API-KEY", "k"},
		{"zero", httpapi.Credential{}, "", ""},
		{"empty", httpapi.Bearer(v("")), "", ""},
		{"user with a colon", httpapi.Basic(v("u:x"), v("p")), "", ""},
		{"no password", httpapi.Basic(v("u"), secret.Value{}), "", ""},
		{"a line break", httpapi.Bearer(v("k\nX: y")), "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := ""
			cl := client(func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Get(tt.header) + "!" })
			err := cl.Do(t.Context(), tt.cred, httpapi.Call{Method: "GET", Path: "/"})
			if tt.want != "" && (err != nil || got != tt.want+"!") {
				t.Errorf("sent %q, %v; want %q", got, err, tt.want)
			}
			if tt.want == "" && (got != "" || provider.KindOf(err) != provider.KindAuth) {
				t.Errorf("sent %q, %v; want nothing sent and KindAuth", got, err)
			}
			if s := fmt.Sprintf("%v %+v %#v", tt.cred, tt.cred, err); strings.Contains(s, "k\nX") || strings.Contains(s, "dTpwOnc") {
				t.Errorf("a credential prints itself: %s", s)
			}
		})
	}
}

func TestDo_answers(t *testing.T) {
	t.Parallel()
	const said = `{"errors":[{"message":"zq"}]}`
	for _, tt := range []struct {
		name   string
		status int
		body   string
		kind   provider.Kind
		tries  int
		text   string
	}{
		{"bad request", 400, said, provider.KindPermanent, 1, "GET /x/{id}: refused (400 Bad Request)"},
		{"unauthorized", 401, said, provider.KindAuth, 1, "GET /x/{id}: admin credential refused (401 Unauthorized)"},
		{"unauthorized, a proxy's", 401, "<html>", provider.KindUnknown, 4, "GET /x/{id}: outcome unknown (401 Unauthorized): not the way this vendor refuses"},
		{"not found", 404, said, provider.KindNotFound, 1, "GET /x/{id}: not found (404 Not Found)"},
		{"not found, a proxy's", 404, `{}`, provider.KindUnknown, 4, "GET /x/{id}: outcome unknown (404 Not Found): not the way this vendor refuses"},
		{"full, as the call says", 409, said, provider.KindFull, 1, "GET /x/{id}: no room for another key (409 Conflict)"},
		{"redirect", 302, "", provider.KindPermanent, 1, "GET /x/{id}: refused (302 Found): redirect refused"},
		{"rate limited", 429, "", provider.KindRateLimited, 4, "GET /x/{id}: rate limited (429 Too Many Requests)"},
		{"server error", 500, said, provider.KindUnknown, 4, "GET /x/{id}: outcome unknown (500 Internal Server Error)"},
		{"page", 200, "<html>zq</html>", provider.KindUnknown, 4, "GET /x/{id}: outcome unknown (200 OK): not the answer expected"},
		{"another success", 202, `{"id":"1"}`, provider.KindUnknown, 4, "GET /x/{id}: outcome unknown (202 Accepted): not the answer expected"},
		{"junk behind", 200, `{"id":"1"} {}`, provider.KindUnknown, 4, "GET /x/{id}: outcome unknown (200 OK): not the answer expected"},
		{"a member twice", 200, `{"id":"1","ID":"2"}`, provider.KindUnknown, 4, "GET /x/{id}: outcome unknown (200 OK): not the answer expected"},
		{"a member twice, deep", 200, `{"id":"1","a":[{"b":1,"b":2}]}`, provider.KindUnknown, 4, "GET /x/{id}: outcome unknown (200 OK): not the answer expected"},
		{"no proof", 200, `{}`, provider.KindUnknown, 4, "GET /x/{id}: outcome unknown (200 OK): not the answer expected"},
		{"null", 200, `null`, provider.KindUnknown, 4, "GET /x/{id}: outcome unknown (200 OK): not the answer expected"},
		{"too large", 200, `{"id":"1"}` + strings.Repeat(" ", 1<<20), provider.KindUnknown, 4, "GET /x/{id}: outcome unknown (200 OK): the answer is larger than 1 MB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				cl := client(func(w http.ResponseWriter, _ *http.Request) {
					tries++
					w.Header().Set("Location", "https://evil.test/zq")
					w.WriteHeader(tt.status)
					fmt.Fprint(w, tt.body)
				})
				var out struct{ ID string }
				err := cl.Do(t.Context(), key, httpapi.Call{
					Method: "GET", Path: "/x/{id}", Params: map[string]string{"id": "zq"}, Want: 200, Out: &out,
					Proof: func() bool { return out.ID != "" },
					Kinds: map[int]provider.Kind{409: provider.KindFull},
				})
				if provider.KindOf(err) != tt.kind || tries != tt.tries || err.Error() != tt.text {
					t.Errorf("after %d tries: %v (%v)\nwant %d: %s (%v)", tries, err, provider.KindOf(err), tt.tries, tt.text, tt.kind)
				}
			})
		})
	}
}

// What one try decoded must not complete what the next one did.
func TestDo_startsAfresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		answers := []string{`{"id":"1"}`, `{"value":"v"}`, `{}`, `{}`}
		cl := client(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, answers[0])
			answers = answers[1:]
		})
		var out struct{ ID, Value string }
		err := cl.Do(t.Context(), key, httpapi.Call{Method: "GET", Path: "/", Out: &out, Proof: func() bool { return out.ID != "" && out.Value != "" }})
		if err == nil {
			t.Errorf("two halves made a whole: %+v", out)
		}
	})
}

func TestDo_dead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, body string
		status     int
		want       bool
	}{
		{"the vendor's", `{"errors":[]}`, 401, true},
		{"a proxy's", `<html>`, 401, false},
		{"another status", `{"errors":[]}`, 403, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cl := client(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(tt.status); fmt.Fprint(w, tt.body) })
				err := cl.Do(t.Context(), key, httpapi.Call{Method: "GET", Path: "/", Dead: 401})
				if errors.Is(err, provider.ErrRejected) != tt.want || err == nil {
					t.Errorf("got %v, want ErrRejected: %v", err, tt.want)
				}
			})
		})
	}
}

var errTold = errors.New("the body told")

func TestDo_said(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		status int
		body   string
		want   string
	}{
		{"told, in a failure", 500, `{"errors":["dead"]}`, errTold.Error()},
		{"told, in a success", 200, `{"errors":["dead"]}`, errTold.Error()},
		{"not told, in a failure", 404, `{"errors":["other"]}`, "GET /k: not found (404 Not Found)"},
		{"not told, in a success", 200, `{"id":"1"}`, ""},
		{"not told, and not what is expected", 200, `{"id":`, "GET /k: outcome unknown (200 OK): not the answer expected"},
		{"more than is read", 200, `{"id":"1"}` + strings.Repeat(" ", 2<<20), "GET /k: outcome unknown (200 OK): the answer is larger than 1 MB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := 0
			cl := client(func(w http.ResponseWriter, _ *http.Request) {
				n++
				w.WriteHeader(tt.status)
				fmt.Fprint(w, tt.body)
			})
			var out struct{ ID string }
			err := cl.Do(t.Context(), httpapi.InBody(secret.New("k")), httpapi.Call{
				Method: "GET", Path: "/k", Once: true, Out: &out,
				Said: func(status int, b []byte) error {
					if status == tt.status && string(b) == `{"errors":["dead"]}` {
						return errTold
					}
					return nil
				},
			})
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != tt.want || n != 1 || tt.want == "" && out.ID != "1" {
				t.Errorf("got %q after %d requests, want %q", got, n, tt.want)
			}
		})
	}
}

// Promise: create-once
func TestDo_once(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]int{500: 1, 200: 1, 429: 4} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				cl := client(func(w http.ResponseWriter, _ *http.Request) { tries++; w.WriteHeader(status) })
				err := cl.Do(t.Context(), key, httpapi.Call{Method: "POST", Path: "/", Once: true, Proof: func() bool { return false }})
				if err == nil || tries != want {
					t.Errorf("%d tries and %v, want %d and an error", tries, err, want)
				}
			})
		})
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name, header, date string
		want               time.Duration
	}{
		{"seconds", "3", "", 3 * time.Second},
		{"spaces", " 3 ", "", 3 * time.Second},
		{"a day is kept: the deadline decides", "86400", "", 24 * time.Hour},
		{"an absurd number does not wrap around", "18446744073709551615", "", 9223372036 * time.Second},
		{"too many digits are not none", "99999999999999999999999", "", 9223372036 * time.Second},
		{"negative", "-1", "", 0},
		{"garbage", "soon", "", 0},
		{"none", "", "", 0},
		{"a date, by the server's clock", "Mon, 23 Nov 2026 13:00:10 GMT", "Mon, 23 Nov 2026 13:00:00 GMT", 10 * time.Second},
		{"a date, by ours", "Mon, 23 Nov 2026 12:00:10 GMT", "", 10 * time.Second},
		{"a date that is past", "Mon, 23 Nov 2026 11:00:00 GMT", "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cl := client(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", tt.header)
				w.Header().Set("Date", tt.date)
				w.WriteHeader(http.StatusBadRequest)
			})
			cl.Now = func() time.Time { return now }
			err := cl.Do(t.Context(), key, httpapi.Call{Method: "GET", Path: "/"})
			if e, ok := errors.AsType[*provider.Error](err); !ok || e.RetryAfter != tt.want {
				t.Errorf("RetryAfter of %v is %v, want %v", err, e.RetryAfter, tt.want)
			}
		})
	}
}

// The deadline of the caller bounds everything, and 2 s of it stay.
func TestDo_deadline(t *testing.T) {
	t.Parallel()
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	busy := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "60")
		w.WriteHeader(http.StatusTooManyRequests)
	}
	for _, tt := range []struct {
		name     string
		h        memory
		deadline time.Duration
		took     time.Duration
		kind     provider.Kind
	}{
		{"hangs until 2 s before", hang, 10 * time.Second, 8 * time.Second, provider.KindUnknown},
		{"hangs for one try, and for what is left", hang, 20 * time.Second, 18 * time.Second, provider.KindUnknown},
		{"no time to begin", hang, time.Second, 0, provider.KindNotSent},
		{"a wait that the deadline forbids is not begun", busy, 61 * time.Second, 0, provider.KindRateLimited},
		{"a wait that it allows is", busy, 63 * time.Second, 60 * time.Second, provider.KindRateLimited},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), tt.deadline)
				defer cancel()
				start := time.Now()
				cl := &httpapi.Client{Base: "https://api.test", HTTP: &http.Client{Transport: waits(tt.h)}}
				err := cl.Do(ctx, key, httpapi.Call{Method: "GET", Path: "/"})
				if took := time.Since(start).Truncate(time.Second); took != tt.took || provider.KindOf(err) != tt.kind {
					t.Errorf("%v after %v, want %v after %v", err, took, tt.kind, tt.took)
				}
			})
		})
	}
}

// waits is memory whose handler may let the request's context end.
type waits memory

func (m waits) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := memory(m).RoundTrip(r)
	if r.Context().Err() != nil {
		return nil, r.Context().Err()
	}
	return res, err
}

func TestSafe(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want string }{
		{"production mailer", "production mailer"},
		{"", ""},
		{"a\nlevel=ERROR msg=\"forged\"", `a\nlevel=ERROR msg=\"forged\"`},
		{"\x1b[2J\u202e", `\x1b[2J\u202e`},
		{"\xff", `\xff`},
		{strings.Repeat("a", 81), strings.Repeat("a", 80) + "..."},
		{strings.Repeat("\u202e", 30), strings.Repeat(`\u202e`, 13) + `\u...`},
	} {
		if got := httpapi.Safe(tt.in); got != tt.want {
			t.Errorf("Safe(%q) = %s, want %s", tt.in, got, tt.want)
		}
	}
}

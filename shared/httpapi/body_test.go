package httpapi_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// A form is signed as it is sent, each time anew, and its answer read as the
// client was told to.
func TestDo_signedForm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := 0
		cl := client(func(w http.ResponseWriter, r *http.Request) {
			n++
			body, _ := io.ReadAll(r.Body)
			if got := r.Header.Get("X-Signature"); got != "k"+strconv.Itoa(n)+string(body) || string(body) != "a=1+2&b=%26" {
				t.Errorf("try %d: body %q, signature %q", n, body, got)
			}
			if r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.Header.Get("Accept") != "*/*" {
				t.Errorf("headers %v", r.Header)
			}
			if n == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			fmt.Fprint(w, "read me")
		})
		cl.Header = http.Header{"Accept": {"*/*"}}
		cl.Decode = func(b []byte, out any) error {
			*out.(*string) = string(b) + "!"
			return nil
		}
		signed := 0
		k := secret.New("k")
		cred := httpapi.Signed(k, func(r *http.Request, body []byte) error {
			signed++
			r.Header.Set("X-Signature", k.Reveal()+strconv.Itoa(signed)+string(body))
			return nil
		})
		var out string
		err := cl.Do(t.Context(), cred, httpapi.Call{Method: "POST", Path: "/", In: httpapi.Form{"b": {"&"}, "a": {"1 2"}}, Out: &out})
		if err != nil || out != "read me!" || n != 2 {
			t.Errorf("read %q in %d tries, %v", out, n, err)
		}
	})
}

// What cannot be signed is not sent.
func TestDo_unsigned(t *testing.T) {
	t.Parallel()
	cl := client(func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
	for _, k := range []string{"k", ""} {
		cred := httpapi.Signed(secret.New(k), func(*http.Request, []byte) error { return errors.New("s3cr3t") })
		if err := cl.Do(t.Context(), cred, httpapi.Call{Method: "GET", Path: "/"}); err == nil || err.Error() == "s3cr3t" {
			t.Errorf("got %v", err)
		}
	}
}

func TestDo_resetHeader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start, tries := time.Now(), 0
		cl := client(func(w http.ResponseWriter, _ *http.Request) {
			if tries++; tries > 1 {
				return
			}
			server := start.Add(time.Hour) // another clock
			w.Header().Set("Date", server.UTC().Format(http.TimeFormat))
			w.Header().Set("X-Rate-Limit-Reset", strconv.FormatInt(server.Add(7*time.Second).Unix(), 10))
			w.WriteHeader(http.StatusTooManyRequests)
		})
		cl.ResetHeader = "X-Rate-Limit-Reset"
		if err := cl.Do(t.Context(), key, httpapi.Call{Method: "GET", Path: "/"}); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d < 6*time.Second || d > 8*time.Second {
			t.Errorf("waited %v, want 7 s", d)
		}
	})
}

// A small answer that unpacks to a large one is read as far as any other.
func TestDo_packed(t *testing.T) {
	t.Parallel()
	const size = 64 << 20
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	zeros := make([]byte, 1<<20)
	for range size / len(zeros) {
		_, _ = w.Write(zeros)
	}
	_ = w.Close()
	for status, want := range map[int]string{200: "larger than 1 MB", 401: "not the way this vendor refuses"} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
				t.Error("gzip was not asked for, so nothing is unpacked")
			}
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(status)
			_, _ = w.Write(bomb.Bytes())
		}))
		u, err := url.Parse(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		cl := &httpapi.Client{Base: srv.URL, HTTP: httpapi.NewHTTP(httpapi.Rules{Hosts: []string{u.Host}, AllowPrivate: true}, nil), ErrorField: "errors"}
		read := 0
		cl.Decode = func(b []byte, _ any) error { read = len(b); return nil }
		var out string
		err = cl.Do(t.Context(), key, httpapi.Call{Method: "POST", Path: "/x", Once: true, Out: &out, Said: func(_ int, body []byte) error {
			read = len(body)
			return nil
		}})
		if provider.KindOf(err) != provider.KindUnknown || !strings.Contains(fmt.Sprint(err), want) || read > 1<<20+1 {
			t.Errorf("%d: %v after %d bytes", status, err, read)
		}
		srv.Close()
	}
}

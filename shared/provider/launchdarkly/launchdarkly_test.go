package launchdarkly_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/provider/launchdarkly"
	"github.com/keyturn/keyturn/shared/provider/launchdarkly/launchdarklytest"
	"github.com/keyturn/keyturn/shared/providertest"
	"github.com/keyturn/keyturn/shared/secret"
)

const host = "app.launchdarkly.com"

func client(h http.Handler, admin provider.Admin) *launchdarkly.Client {
	hc := &http.Client{Transport: &providertest.Transport{Handler: h, Host: host}}
	return launchdarkly.New(launchdarkly.Settings{TokenID: launchdarklytest.TokenID}, admin, hc, time.Now)
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, raw string
		fields    []string // with problems
	}{
		{"least", `{"tokenID": "61095542756dba551110ae21"}`, nil},
		{"EU", `{"baseURL": "https://app.eu.launchdarkly.com", "tokenID": "61095542756dba551110ae21"}`, nil},
		{"nothing", ``, []string{"tokenID"}},
		{"a value in place of an id", `{"tokenID": "api-00000000-0000-4000-a000-000000000000"}`, []string{"tokenID"}},
		{"another path", `{"tokenID": "../members"}`, []string{"tokenID"}},
		{"everything wrong", `{"baseURL": "x", "tokenID": ""}`, []string{"baseURL", "tokenID"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, p := range launchdarkly.Definition().Check(json.RawMessage(tt.raw)) {
				if p.What == "" || p.Hint == "" {
					t.Errorf("%+v: want what is wrong and what to do", p)
				}
				got = append(got, p.Field)
			}
			if d := cmp.Diff(tt.fields, got); d != "" {
				t.Errorf("problems (-want +got):\n%s", d)
			}
		})
	}
}

// Without an expiry, or with one that is past, the old value would end at once.
func TestRoll_expiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ld := launchdarklytest.New(time.Now, launchdarklytest.Options{})
		var sent []string
		c := client(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sent = append(sent, r.URL.Query().Get("expiry"))
			ld.ServeHTTP(w, r)
		}), ld.Admin(host))
		for _, grace := range []time.Duration{-time.Hour, 0, time.Second, time.Minute - 1, 366 * 24 * time.Hour} {
			if _, err := c.Roll(t.Context(), launchdarklytest.TokenID, grace); provider.KindOf(err) != provider.KindPermanent {
				t.Errorf("grace %v: %v, want it refused", grace, err)
			}
		}
		if len(sent) > 0 {
			t.Errorf("sent %v", sent)
		}
		first, err := c.Roll(t.Context(), launchdarklytest.TokenID, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		end := time.Now().Add(time.Hour)
		second, err := c.Roll(t.Context(), launchdarklytest.TokenID, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if len(sent) != 2 || sent[1] != strconv.FormatInt(end.UnixMilli(), 10) {
			t.Errorf("sent %v, want the last to be %d", sent, end.UnixMilli())
		}
		<-time.After(time.Hour - time.Second)
		before := c.Verify(t.Context(), first.Value)
		<-time.After(time.Second)
		after := c.Verify(t.Context(), first.Value)
		if before != nil || !errors.Is(after, provider.ErrRejected) || c.Verify(t.Context(), second.Value) != nil {
			t.Errorf("in its grace: %v; after it: %v", before, after)
		}
	})
}

func TestRoll_anotherToken(t *testing.T) {
	t.Parallel()
	ld := launchdarklytest.New(time.Now, launchdarklytest.Options{})
	other := ld.Add("other")
	c := client(ld, ld.Admin(host))
	for _, id := range []string{"", other.ID, launchdarklytest.TokenID + "/..", "../" + launchdarklytest.TokenID} {
		if _, err := c.Roll(t.Context(), id, time.Hour); provider.KindOf(err) != provider.KindPermanent {
			t.Errorf("%q: %v, want it refused", id, err)
		}
	}
	if !ld.Works(other.Value) || ld.Refused() > 0 {
		t.Errorf("the other token works: %v; %d requests were refused", ld.Works(other.Value), ld.Refused())
	}
}

// A conflict is sent again, for it was not carried out; what may have been is
// not.
func TestRoll_again(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]int{409: 2, 429: 2, 500: 1, 503: 1, 403: 1, 400: 1} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ld := launchdarklytest.New(time.Now, launchdarklytest.Options{})
				n := 0
				c := client(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					n++
					ld.ServeHTTP(w, r)
				}), ld.Admin(host))
				ld.FailNext(1, status)
				_, err := c.Roll(t.Context(), launchdarklytest.TokenID, time.Hour)
				if n != want || (err == nil) != (want == 2) {
					t.Errorf("sent %d times, want %d; %v", n, want, err)
				}
			})
		})
	}
}

// A value of another token, or an identity that is no token's, must not pass
// for ours.
func TestVerify_identity(t *testing.T) {
	t.Parallel()
	ld := launchdarklytest.New(time.Now, launchdarklytest.Options{})
	err := client(ld, ld.Admin(host)).Verify(t.Context(), ld.Add("other").Value)
	if provider.KindOf(err) != provider.KindPermanent || err == nil || !strings.Contains(err.Error(), "another token") {
		t.Errorf("a value of another token: %v", err)
	}
	for _, body := range []string{`{}`, `{"tokenId":""}`, `{"authKind":"session","memberId":"61095542756dba551110ae21"}`} {
		synctest.Test(t, func(t *testing.T) {
			c := client(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }), provider.Admin{})
			if err := c.Verify(t.Context(), secret.New("api-x")); err == nil || errors.Is(err, provider.ErrRejected) {
				t.Errorf("%s: %v", body, err)
			}
		})
	}
}

// Both readings of what nobody documents: the value before the last one.
func TestFake_oneOld(t *testing.T) {
	t.Parallel()
	for _, one := range []bool{false, true} {
		ld := launchdarklytest.New(time.Now, launchdarklytest.Options{OneOld: one})
		c := client(ld, ld.Admin(host))
		var values []secret.Value
		for range 3 {
			is, err := c.Roll(t.Context(), launchdarklytest.TokenID, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, is.Value)
		}
		var got []bool
		for _, v := range values {
			got = append(got, ld.Works(v))
		}
		if d := cmp.Diff([]bool{!one, true, true}, got); d != "" {
			t.Errorf("one old value only: %v (-want +got):\n%s", one, d)
		}
	}
}

// "Bearer" in front makes it another value, as LaunchDarkly has it.
func TestFake_bare(t *testing.T) {
	t.Parallel()
	ld := launchdarklytest.New(time.Now, launchdarklytest.Options{})
	is := ld.Add("k")
	for prefix, want := range map[string]int{"": 200, "Bearer ": 401} {
		req, err := launchdarklytest.Consume("https://"+host, is.Value)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", prefix+is.Value.Reveal())
		res, err := (&providertest.Transport{Handler: ld, Host: host}).RoundTrip(req.WithContext(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%q: %d, want %d", prefix, res.StatusCode, want)
		}
	}
	if n := ld.Uses(is.ID); n != 1 {
		t.Errorf("%d uses, want 1", n)
	}
}

// A token that was not reset shows the end of its value only, and another token's
// answer is none.
func TestRoll_answers(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"_id":"` + launchdarklytest.TokenID + `","token":"1234"}`,
		`{"_id":"` + launchdarklytest.TokenID + `"}`,
		`{"_id":"6f0000000000000000000001","token":"api-00000000-0000-4000-a000-000000000000"}`,
	} {
		ld := launchdarklytest.New(time.Now, launchdarklytest.Options{})
		c := client(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }), ld.Admin(host))
		is, err := c.Roll(t.Context(), launchdarklytest.TokenID, time.Hour)
		if err == nil || provider.KindOf(err) != provider.KindUnknown || !is.Value.Empty() {
			t.Errorf("%s: %v", body, err)
		}
	}
}

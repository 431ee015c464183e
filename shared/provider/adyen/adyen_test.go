package adyen_test

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
	"github.com/keyturn/keyturn/shared/provider/adyen"
	"github.com/keyturn/keyturn/shared/provider/adyen/adyentest"
	"github.com/keyturn/keyturn/shared/providertest"
	"github.com/keyturn/keyturn/shared/secret"
)

const host = "management-live.adyen.com"

func client(h http.Handler, admin provider.Admin) *adyen.Client {
	hc := &http.Client{Transport: &providertest.Transport{Handler: h, Host: host}}
	return adyen.New(adyen.Settings{MerchantID: adyentest.MerchantID, CredentialID: adyentest.CredentialID}, admin, hc)
}

func roll(t *testing.T, c *adyen.Client) secret.Value {
	t.Helper()
	is, err := c.Roll(t.Context(), adyentest.CredentialID, 24*time.Hour)
	if err != nil || is.ID != adyentest.CredentialID {
		t.Fatalf("roll: id %q, %v", is.ID, err)
	}
	return is.Value
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, raw string
		fields    []string // with problems
	}{
		{"a merchant's", `{"merchantID": "ShopEU", "credentialID": "S2-6262224667"}`, nil},
		{"a company's, test", `{"baseURL": "https://management-test.adyen.com/v3", "companyID": "Shop", "credentialID": "S2-6262224667"}`, nil},
		{"nothing", ``, []string{"merchantID", "credentialID"}},
		{"both", `{"merchantID": "ShopEU", "companyID": "Shop", "credentialID": "S2-1"}`, []string{"companyID"}},
		{"a username", `{"merchantID": "ShopEU", "credentialID": "ws_123456@Company.Shop"}`, []string{"credentialID"}},
		{"another path", `{"companyID": "../me", "credentialID": "S2-1"}`, []string{"companyID"}},
		{"everything wrong", `{"baseURL": "x", "merchantID": "a/b", "credentialID": ".."}`, []string{"baseURL", "merchantID", "credentialID"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, p := range adyen.Definition().Check(json.RawMessage(tt.raw)) {
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

func TestRoll_path(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]adyen.Settings{
		"POST /v3/merchants/TestMerchant/apiCredentials/S2-100/generateApiKey": {MerchantID: adyentest.MerchantID, CredentialID: adyentest.CredentialID},
		"POST /v3/companies/TestCompany/apiCredentials/S2-100/generateApiKey":  {CompanyID: adyentest.CompanyID, CredentialID: adyentest.CredentialID},
	} {
		a := adyentest.New(time.Now, adyentest.Options{})
		var sent []string
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sent = append(sent, r.Method+" "+r.URL.RequestURI())
			a.ServeHTTP(w, r)
		})
		c := adyen.New(s, a.Admin(host), &http.Client{Transport: &providertest.Transport{Handler: h, Host: host}})
		if v := roll(t, c); !a.Works(v) {
			t.Error("the new key does not work")
		}
		if d := cmp.Diff([]string{want}, sent); d != "" {
			t.Errorf("sent (-want +got):\n%s", d)
		}
		for _, id := range []string{"", a.Add("other").ID, "..", adyentest.CredentialID + "/x"} {
			if _, err := c.Roll(t.Context(), id, 24*time.Hour); provider.KindOf(err) != provider.KindPermanent {
				t.Errorf("%q: %v, want it refused", id, err)
			}
		}
		if len(sent) > 1 {
			t.Errorf("sent %v", sent)
		}
	}
}

// A key that the vendor may have made is not made twice.
func TestRoll_again(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]int{429: 2, 500: 1, 503: 1, 422: 1, 401: 1, 204: 1} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := adyentest.New(time.Now, adyentest.Options{})
				n := 0
				c := client(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					n++
					a.ServeHTTP(w, r)
				}), a.Admin(host))
				a.FailNext(1, status)
				_, err := c.Roll(t.Context(), adyentest.CredentialID, 24*time.Hour)
				if n != want || (err == nil) != (want == 2) {
					t.Errorf("sent %d times, want %d; %v", n, want, err)
				}
			})
		})
	}
}

// A new key is refused for some minutes, and the old one works for a day.
func TestVerify_times(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := adyentest.New(time.Now, adyentest.Options{Settle: 5 * time.Minute})
		c := client(a, a.Admin(host))
		old := roll(t, c)
		<-time.After(time.Hour)
		key := roll(t, c)
		type answer struct{ Old, New string }
		words := func(err error) string {
			switch {
			case err == nil:
				return "accepted"
			case errors.Is(err, provider.ErrRejected):
				return "rejected"
			}
			return err.Error()
		}
		var got []answer
		look := func(d time.Duration) {
			<-time.After(d)
			got = append(got, answer{words(c.Verify(t.Context(), old)), words(c.Verify(t.Context(), key))})
		}
		look(0)
		look(5*time.Minute - time.Second)
		look(time.Second)
		look(24*time.Hour - 5*time.Minute - time.Second)
		look(time.Second)
		want := []answer{{"accepted", "rejected"}, {"accepted", "rejected"}, {"accepted", "accepted"}, {"accepted", "accepted"}, {"rejected", "accepted"}}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	})
}

// What says nothing about our key is neither yes nor no.
func TestVerify_undecided(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		status int
		body   string
		want   string
	}{
		{"no role", 403, `{"status":403,"errorCode":"010","title":"Forbidden","detail":"no"}`, "refused (403"},
		{"another credential", 200, `{"id":"S2-999","active":true}`, "another API credential"},
		{"not active", 200, `{"id":"S2-100","active":false}`, "not active"},
		{"no id", 200, `{"active":true}`, "outcome unknown"},
		{"a firewall's 401", 401, `{"message":"no"}`, "(401"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := client(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.WriteHeader(tt.status)
					_, _ = io.WriteString(w, tt.body)
				}), provider.Admin{})
				err := c.Verify(t.Context(), secret.New("AQE"))
				if err == nil || errors.Is(err, provider.ErrRejected) || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v, want %q", err, tt.want)
				}
			})
		})
	}
}

// Both readings of what nobody documents: the key before the last one.
func TestFake_oneOld(t *testing.T) {
	t.Parallel()
	for _, one := range []bool{false, true} {
		a := adyentest.New(time.Now, adyentest.Options{OneOld: one})
		c := client(a, a.Admin(host))
		keys := []secret.Value{roll(t, c), roll(t, c), roll(t, c)}
		var got []bool
		for _, k := range keys {
			got = append(got, a.Works(k))
		}
		if d := cmp.Diff([]bool{!one, true, true}, got); d != "" {
			t.Errorf("one old key only: %v (-want +got):\n%s", one, d)
		}
	}
}

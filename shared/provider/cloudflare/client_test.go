package cloudflare_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/provider/cloudflare"
	"github.com/keyturn/keyturn/shared/provider/cloudflare/cloudflaretest"
	"github.com/keyturn/keyturn/shared/providertest"
)

const host = "api.cloudflare.com"

func settings(t *testing.T, raw string) cloudflare.Settings {
	t.Helper()
	var s cloudflare.Settings
	if err := json.Unmarshal([]byte(raw), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func client(t *testing.T, h http.Handler, admin provider.Admin) *cloudflare.Client {
	t.Helper()
	hc := &http.Client{Transport: &providertest.Transport{Handler: h, Host: host}}
	return cloudflare.New(settings(t, "{"+rights+"}"), admin, hc)
}

// says answers what fits "METHOD path's last part", and what does not with next.
func says(next http.Handler, answers map[string]string, status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for what, text := range answers {
			method, last, _ := strings.Cut(what, " ")
			if r.Method == method && strings.HasSuffix(r.URL.Path, last) {
				w.WriteHeader(status)
				_, _ = io.WriteString(w, text)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

const refusal = `{"success":false,"errors":[{"code":1000,"message":"no"}],"messages":[],"result":null}`

func TestSettings(t *testing.T) {
	t.Parallel()
	const policy = `{"effect":"allow","permission_groups":[{"id":"c8fed203ed3043cba015a93ad1616f1f"}],"resources":{"com.cloudflare.api.account.zone.*":"*"}}`
	for _, tt := range []struct {
		name, raw string
		fields    []string // with problems
	}{
		{"least", `{"policies":[` + policy + `]}`, nil},
		{"all", `{"baseURL":"https://api.cloudflare.com/client/v4","accountID":"` + account + `","quota":900,` + rights + `}`, nil},
		{"copied", `{"copyPolicies":true}`, nil},
		{"copied and written", `{"copyPolicies":true,"policies":[` + policy + `]}`, []string{"copyPolicies"}},
		{"copied from anywhere but", `{"copyPolicies":true,"condition":{"request_ip":{"in":["192.0.2.1"]}}}`, []string{"copyPolicies"}},
		{"nothing", ``, []string{"policies"}},
		{"another type", `{"policies":{}}`, []string{"policies"}},
		{"another effect", `{"policies":[` + strings.Replace(policy, "allow", "Allow", 1) + `]}`, []string{"policies"}},
		{"a typing error", `{"policies":[` + strings.Replace(policy, "permission_groups", "permissionGroups", 1) + `]}`, []string{"policies"}},
		{"no group", `{"policies":[{"effect":"allow","permission_groups":[],"resources":{"a":"*"}}]}`, []string{"policies"}},
		{"a group by its name", `{"policies":[{"effect":"allow","permission_groups":[{"name":"Zone Read"}],"resources":{"a":"*"}}]}`, []string{"policies"}},
		{"no resource", `{"policies":[{"effect":"allow","permission_groups":[{"id":"c8fed203ed3043cba015a93ad1616f1f"}]}]}`, []string{"policies"}},
		{"the second is wrong", `{"policies":[` + policy + `,{}]}`, []string{"policies"}},
		{"an empty condition", `{"policies":[` + policy + `],"condition":{}}`, []string{"condition"}},
		{"no range", `{"policies":[` + policy + `],"condition":{"request_ip":{"in":["office"]}}}`, []string{"condition"}},
		{"everything wrong", `{"baseURL":"x","accountID":"../x","quota":-1}`, []string{"baseURL", "accountID", "policies", "quota"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, p := range cloudflare.Definition().Check(json.RawMessage(tt.raw)) {
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

// A refusal may come with 200.
func TestVerify(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		status int
		body   string
		want   string // in the error; "": none
	}{
		{"active", 200, `{"success":true,"result":{"id":"f267e341f3dd4697bd3b9f71dd96247f","status":"active"}}`, ""},
		{"disabled", 200, `{"success":true,"result":{"id":"f267e341f3dd4697bd3b9f71dd96247f","status":"disabled"}}`, "key rejected"},
		{"expired", 200, `{"success":true,"result":{"id":"f267e341f3dd4697bd3b9f71dd96247f","status":"expired"}}`, "key rejected"},
		{"a status of which nobody knows", 200, `{"success":true,"result":{"id":"f267e341f3dd4697bd3b9f71dd96247f","status":"paused"}}`, "outcome unknown"},
		{"a refusal with 200", 200, refusal, "outcome unknown"},
		{"no token", 401, refusal, "key rejected"},
		{"another address", 403, refusal, "refused (403"},
		{"not a token's form", 400, refusal, "refused (400"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cf := cloudflaretest.New(time.Now, cloudflaretest.Options{})
				c := client(t, says(cf, map[string]string{"GET /verify": tt.body}, tt.status), cf.Admin(host))
				err := c.Verify(t.Context(), cf.Add("k").Value)
				if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v, want %q", err, tt.want)
				}
			})
		})
	}
}

// The list decides whether a token is gone, however a delete was refused.
func TestRevoke_refused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status       int
		there, again bool // the token is in the list; the list is refused as well
		want         string
	}{
		{404, false, false, ""},
		{400, false, false, ""},
		{404, true, false, "refused (404"},
		{400, true, false, "refused (400"},
		{403, false, false, "admin credential refused (403"},
		{404, false, true, "refused (404"},
	} {
		t.Run(fmt.Sprint(tt), func(t *testing.T) {
			t.Parallel()
			cf := cloudflaretest.New(time.Now, cloudflaretest.Options{})
			id := cf.Add("k").ID
			if !tt.there {
				if err := client(t, cf, cf.Admin(host)).Revoke(t.Context(), id); err != nil {
					t.Fatal(err)
				}
			}
			answers := map[string]string{"DELETE " + id: refusal}
			if tt.again {
				answers["GET /tokens"] = refusal
			}
			err := client(t, says(cf, answers, tt.status), cf.Admin(host)).Revoke(t.Context(), id)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// Where no token shows when it was used, its absence is not "never".
func TestLastUsed_notTold(t *testing.T) {
	t.Parallel()
	cf := cloudflaretest.New(time.Now, cloudflaretest.Options{Old: true})
	c := client(t, cf, cf.Admin(host))
	if at, err := c.LastUsed(t.Context(), cf.Add("k").ID); provider.KindOf(err) != provider.KindPermanent || !errors.Is(err, provider.ErrNotTold) || !at.IsZero() {
		t.Errorf("got %v and %v, want KindPermanent", at, err)
	}
}

// An update takes everything along, the condition and the end too.
func TestDisable_keepsAll(t *testing.T) {
	t.Parallel()
	cf := cloudflaretest.New(time.Now, cloudflaretest.Options{})
	var sent map[string]any
	c := client(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			b, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(strings.NewReader(string(b)))
			if err := json.Unmarshal(b, &sent); err != nil {
				t.Error(err)
			}
		}
		cf.ServeHTTP(w, r)
	}), cf.Admin(host))
	is, err := c.Create(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	end := time.Now().Add(time.Hour)
	if err := c.Expire(t.Context(), is.ID, end); err != nil {
		t.Fatal(err)
	}
	if err := c.Disable(t.Context(), is.ID); err != nil {
		t.Fatal(err)
	}
	start := cf.Begin(is.ID, end.Add(-24*time.Hour))
	if err := c.Disable(t.Context(), is.ID); err != nil || sent["not_before"] != start {
		t.Errorf("from when it works: sent %v, want %s; %v", sent["not_before"], start, err)
	}
	want := settings(t, "{"+rights+"}")
	got := map[string]any{"name": sent["name"], "status": sent["status"], "condition": sent["condition"], "expires_on": sent["expires_on"], "policies": len(sent["policies"].([]any))}
	if d := cmp.Diff(map[string]any{
		"name": "k", "status": "disabled", "condition": want.Condition, "expires_on": end.UTC().Format(time.RFC3339), "policies": len(want.Policies),
	}, got); d != "" {
		t.Errorf("sent (-want +got):\n%s", d)
	}
}

// An update that the vendor did not carry out as asked is no success.
func TestChange_answerDiffers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cf := cloudflaretest.New(time.Now, cloudflaretest.Options{})
		id := cf.Add("k").ID
		answer := `{"success":true,"errors":[],"messages":[],"result":{"id":"` + id + `","name":"k","status":"disabled","policies":[]}}`
		c := client(t, says(cf, map[string]string{"PUT " + id: answer}, 200), cf.Admin(host))
		if err := c.Disable(t.Context(), id); err == nil {
			t.Error("an update that lost the policies is no error")
		}
	})
}

// Order and names tell nothing of what a token may do; groups and addresses do.
func TestScopes(t *testing.T) {
	t.Parallel()
	cf := cloudflaretest.New(time.Now, cloudflaretest.Options{})
	c := client(t, cf, cf.Admin(host))
	scopes := func(groups ...string) string {
		s, err := c.Scopes(t.Context(), cf.Add("k", groups...).ID)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(s, "\n")
	}
	if a, b := scopes("Zone Read", "DNS Write"), scopes("DNS Write", "Zone Read"); a != b {
		t.Errorf("another order: %s and %s", a, b)
	}
	if a, b := scopes("Zone Read"), scopes("DNS Write"); a == b {
		t.Errorf("other rights, and both are %s", a)
	}
	is, err := c.Create(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Scopes(t.Context(), is.ID)
	want := []string{
		`condition {"request_ip":{"in":["2001:db8::/32","203.0.113.0/24"]}}`,
		`{"effect":"allow","permission_groups":[{"id":"82e64a83756745bbbb1c9c2701bf816b"},{"id":"c8fed203ed3043cba015a93ad1616f1f"}],"resources":{"com.cloudflare.api.account.zone.22b1de5f1c0e4b3ea97bb1e963b06a43":"*"}}`,
		`{"effect":"deny","permission_groups":[{"id":"6d7f2f5f5b1d4a0e9081fdc98d432fd1"}],"resources":{"com.cloudflare.api.account.zone.*":"*"}}`,
	}
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
}

// A token that is deleted while the list is read moves the later ones forward: a
// page would hide one.
func TestList_changesMeanwhile(t *testing.T) {
	t.Parallel()
	for changes, ok := range map[int]bool{1: true, 99: false} {
		synctest.Test(t, func(t *testing.T) {
			cf := cloudflaretest.New(time.Now, cloudflaretest.Options{PageSize: 5})
			for range 18 {
				cf.Add("k")
			}
			left, admin := changes, client(t, cf, cf.Admin(host))
			c := client(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("page") == "2" && left > 0 {
					left--
					if err := admin.Revoke(t.Context(), cf.Live()[1].ID); err != nil { // the first is the admin's
						t.Error(err)
					}
				}
				cf.ServeHTTP(w, r)
			}), cf.Admin(host))
			keys, err := c.List(t.Context())
			if (err == nil) != ok || ok && len(keys) != len(cf.Live()) || !ok && keys != nil {
				t.Errorf("%d changes: %d of %d, %v", changes, len(keys), len(cf.Live()), err)
			}
		})
	}
}

// A refusal with 200 may have a result beside it.
func TestSuccess_false(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const id = "f267e341f3dd4697bd3b9f71dd96247f"
		cf := cloudflaretest.New(time.Now, cloudflaretest.Options{})
		answer := `{"success":false,"errors":[{"code":1000,"message":"no"}],"result":{"id":"` + id + `","status":"active"}}`
		c := client(t, says(cf, map[string]string{"GET /verify": answer}, 200), cf.Admin(host))
		if err := c.Verify(t.Context(), cf.Add("k").Value); err == nil || provider.KindOf(err) != provider.KindUnknown {
			t.Errorf("got %v", err)
		}
	})
}

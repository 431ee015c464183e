package openai_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/provider/openai"
	"github.com/keyturn/keyturn/shared/provider/openai/openaitest"
	"github.com/keyturn/keyturn/shared/providertest"
)

func subject() providertest.Subject {
	return providertest.Subject{
		Definition: openai.Definition(),
		Settings: func(base string) json.RawMessage {
			return json.RawMessage(`{"baseURL": "` + base + `/v1", "projectID": "proj_abc"}`)
		},
		New: func(clock func() time.Time) providertest.Fake {
			return openaitest.New(clock, openaitest.Options{PageSize: 7})
		},
		Consume: openaitest.Consume,
	}
}

// Promise: create-once
func TestContract(t *testing.T) {
	t.Parallel()
	providertest.Run(t, subject())
}

// What we send, and what the fake answers, is what OpenAI describes.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	spec, ok := providertest.Reference(t, "openai-admin.json")
	n := providertest.Lived(t, subject(), func(next http.RoundTripper) http.RoundTripper {
		if !ok {
			return next
		}
		return spec.Wrap(next, func(err error) { t.Error(err) })
	})
	if n < 8 {
		t.Errorf("a life took %d requests, want every kind of request in it", n)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, raw string
		fields    []string // with problems
	}{
		{"least", `{"projectID": "proj_abc"}`, nil},
		{"nothing", ``, []string{"projectID"}},
		{"another path", `{"projectID": "../admin_api_keys"}`, []string{"projectID"}},
		{"everything wrong", `{"baseURL": "x", "projectID": "a b"}`, []string{"baseURL", "projectID"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, p := range openai.Definition().Check(json.RawMessage(tt.raw)) {
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

// The list decides whether an account is gone, however a delete was refused.
func TestRevoke_refused(t *testing.T) {
	t.Parallel()
	const host = "api.openai.com"
	for _, tt := range []struct {
		status int
		there  bool
		want   string
	}{
		{404, false, ""},
		{400, false, ""},
		{404, true, "refused (404"},
		{400, true, "refused (400"},
		{403, false, "admin credential refused (403"},
	} {
		t.Run(fmt.Sprint(tt), func(t *testing.T) {
			t.Parallel()
			o := openaitest.New(time.Now, openaitest.Options{})
			id := "svc_acct_none"
			if tt.there {
				id = o.Add("k").ID
			}
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodDelete {
					o.ServeHTTP(w, r)
					return
				}
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(`{"error":{"message":"no"}}`))
			})
			hc := &http.Client{Transport: &providertest.Transport{Handler: h, Host: host}}
			err := openai.New(openai.Settings{ProjectID: "proj_abc"}, o.Admin(host), hc).Revoke(t.Context(), id)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// A key of a service account cannot be deleted, and dies with the account: that
// is what is deleted.
func TestRevoke_account(t *testing.T) {
	t.Parallel()
	const host, project = "api.openai.com", "/v1/organization/projects/proj_abc/"
	o := openaitest.New(time.Now, openaitest.Options{})
	tr := &providertest.Transport{Handler: o, Host: host}
	is := o.Add("k")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, "https://"+host+project+"api_keys/key_0", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+o.AdminKey().Reveal())
	res, err := tr.RoundTrip(req)
	if err != nil || res.StatusCode != http.StatusBadRequest || !o.Works(is.Value) {
		t.Fatalf("the key alone: %v, %v", res, err)
	}
	_ = res.Body.Close()
	var sent []string
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = append(sent, r.Method+" "+r.URL.Path)
		o.ServeHTTP(w, r)
	})
	hc := &http.Client{Transport: &providertest.Transport{Handler: h, Host: host}}
	err = openai.New(openai.Settings{ProjectID: "proj_abc"}, o.Admin(host), hc).Revoke(t.Context(), is.ID)
	if d := cmp.Diff([]string{"DELETE " + project + "service_accounts/" + is.ID}, sent); d != "" || err != nil || o.Works(is.Value) {
		t.Errorf("%v, works: %v (-want +got):\n%s", err, o.Works(is.Value), d)
	}
}

// A service account may have several keys, and a project keys of people. The last
// use is that of the account's key that was used last, whatever the order.
func TestLastUsed_severalKeys(t *testing.T) {
	t.Parallel()
	key := func(id, account string, used int) string {
		return fmt.Sprintf(`{"id":"key_%s","last_used_at":%d,"owner":{"type":"service_account","service_account":{"id":%q}}}`, id, used, account)
	}
	const persons = `{"id":"key_p","last_used_at":900,"owner":{"type":"user","user":{"id":"user_1"}}}`
	for _, order := range [][]string{{key("a", "svc_1", 100), key("b", "svc_1", 200)}, {key("b", "svc_1", 200), key("a", "svc_1", 100)}} {
		c := answering(`{"object":"list","has_more":false,"data":[` + persons + "," + strings.Join(order, ",") + "," + key("c", "svc_2", 300) + `]}`)
		if at, err := c.LastUsed(t.Context(), "svc_1"); err != nil || at.Unix() != 200 {
			t.Errorf("%v: %v, %v", order, at, err)
		}
		if at, err := c.LastUsed(t.Context(), ""); err == nil || !at.IsZero() {
			t.Errorf("no account: %v, %v", at, err)
		}
	}
}

// A page without its entries is no page, and says nothing of who is gone.
func TestList_noData(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"object":"list","has_more":false}`, `{"object":"list","has_more":false,"data":null}`, `{"object":"list","data":[]}`,
		`{"object":"list","has_more":true,"data":[]}`, `{"object":"list","has_more":false,"data":[{}]}`, `{"object":"error","has_more":false,"data":[]}`,
	} {
		synctest.Test(t, func(t *testing.T) {
			if keys, err := answering(body).List(t.Context()); err == nil {
				t.Errorf("%s: %v", body, keys)
			}
		})
	}
}

// answering returns a client that is answered the same whatever it asks.
func answering(body string) *openai.Client {
	const host = "api.openai.com"
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) })
	o := openaitest.New(time.Now, openaitest.Options{})
	return openai.New(openai.Settings{ProjectID: "proj_abc"}, o.Admin(host), &http.Client{Transport: &providertest.Transport{Handler: h, Host: host}})
}

// null is never; nothing at all is not.
func TestLastUsed_notTold(t *testing.T) {
	t.Parallel()
	const list = `{"object":"list","has_more":false,"data":[{"id":"key_a",%s"owner":{"service_account":{"id":"svc_1"}}}]}`
	at, err := answering(fmt.Sprintf(list, `"last_used_at":null,`)).LastUsed(t.Context(), "svc_1")
	if err != nil || !at.IsZero() {
		t.Errorf("null: %v, %v", at, err)
	}
	for _, odd := range []string{"", `"last_used_at":"yesterday",`} {
		if at, err := answering(fmt.Sprintf(list, odd)).LastUsed(t.Context(), "svc_1"); !errors.Is(err, provider.ErrNotTold) || !at.IsZero() {
			t.Errorf("%q: %v, %v", odd, at, err)
		}
	}
}

package httpapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
)

type page struct {
	Items []int  `json:"items"`
	Next  string `json:"next"`
}

func read(t *testing.T, h memory) ([]int, error) {
	t.Helper()
	pages, err := httpapi.Pages(t.Context(), client(h), key, httpapi.Call{Method: "GET", Path: "/list"},
		func(p page) bool { return p.Items != nil },
		func(p page, _ http.Header) (string, bool) { return p.Next, p.Next != "bad" })
	var items []int
	for _, p := range pages {
		items = append(items, p.Items...)
	}
	return items, err
}

// Promise: credential-stays
func TestPages(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		next string // what the first page says
		want []int
		kind provider.Kind // of the error, where there are no items
		text string        // in it
	}{
		{"relative", "?page=2", []int{1, 2}, 0, ""},
		{"absolute", "https://API.test:443/base/list?page=2", []int{1, 2}, 0, ""},
		{"another host", "https://evil.test/base/list?page=2", nil, provider.KindPermanent, "another host: refused"},
		{"another port", "https://api.test:444/base/list?page=2", nil, provider.KindPermanent, "another host: refused"},
		{"another scheme", "http://api.test/base/list?page=2", nil, provider.KindPermanent, "another host: refused"},
		{"another host, without a scheme", "//evil.test/base/list?page=2", nil, provider.KindPermanent, "another host: refused"},
		{"with a user", "https://a:b@api.test/base/list?page=2", nil, provider.KindPermanent, "another host: refused"},
		{"no URL", "%zz", nil, provider.KindPermanent, "another host"},
		{"itself", "/base/list", nil, provider.KindPermanent, "circle"},
		{"a circle", "?page=3", nil, provider.KindPermanent, "circle"},
		{"a page that fails", "?page=4", nil, provider.KindUnknown, "500"},
		{"a page that is none", "bad", nil, provider.KindUnknown, "not the answer expected"},
		{"pages without an end", "?page=100", nil, provider.KindPermanent, "more than 1000"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				items, err := read(t, func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Host != "api.test" && r.URL.Host != "API.test:443" {
						t.Errorf("a request went to %s", r.URL.Host)
					}
					n := 0
					_, _ = fmt.Sscan(r.URL.Query().Get("page"), &n)
					switch {
					case n == 0:
						fmt.Fprintf(w, `{"items":[1],"next":%q}`, tt.next)
					case n == 2:
						fmt.Fprint(w, `{"items":[2]}`)
					case n == 3:
						fmt.Fprint(w, `{"items":[3],"next":"?page=3"}`)
					case n >= 100:
						fmt.Fprintf(w, `{"items":[0],"next":"?page=%d"}`, n+1)
					default:
						w.WriteHeader(http.StatusInternalServerError)
					}
				})
				if !slices.Equal(items, tt.want) || (err == nil) != (tt.want != nil) || err != nil && provider.KindOf(err) != tt.kind {
					t.Errorf("got %v and %v, want %v or %v", items, err, tt.want, tt.kind)
				}
				if err != nil && !strings.Contains(err.Error(), tt.text) {
					t.Errorf("got %v, want %s", err, tt.text)
				}
			})
		})
	}
}

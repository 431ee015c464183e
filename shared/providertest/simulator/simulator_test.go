package simulator_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/providertest/simulator"
)

func TestAccount(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	a := simulator.New(func() time.Time { return now })
	one, two := &simulator.Key{ID: "1", Name: "one"}, &simulator.Key{ID: "2", Name: "two", Uses: 3}
	a.Handle("GET /{what}", func(w http.ResponseWriter, r *http.Request) {
		if simulator.Bearer(r) != "v" {
			simulator.Answer(w, http.StatusUnauthorized, nil)
			return
		}
		one.Uses++
		simulator.Answer(w, http.StatusOK, r.PathValue("what"))
	})
	a.Lock()
	a.Track(one)
	a.Track(two)
	a.Hide("a", "b")
	a.Unlock()
	send := func(auth string) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/x", nil)
		r.Header.Set("Authorization", auth)
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		return w.Code
	}
	codes := []int{send("Bearer v"), send("Basic v")}
	a.FailNext(1, 500)
	codes = append(codes, send("Bearer v"), send("Bearer v"))
	a.FailUntil(now.Add(time.Minute), 404)
	codes = append(codes, send(""))
	now = now.Add(time.Minute)
	codes = append(codes, send("Bearer v"))
	if want := []int{200, 401, 500, 200, 404, 200}; !slices.Equal(codes, want) {
		t.Errorf("answers %v, want %v", codes, want)
	}
	two.Revoked = now
	type books struct {
		Refused int
		Uses    []int
		Live    []provider.Key
		Values  []string
	}
	got := books{a.Refused(), []int{a.Uses("1"), a.Uses("2"), a.Uses("3")}, a.Live(), a.Values()}
	want := books{1, []int{3, 3, 0}, []provider.Key{{ID: "1", Name: "one"}}, []string{"a", "b"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("books (-want +got):\n%s", d)
	}
}

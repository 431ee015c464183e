package providertest

import (
	"net/http"
	"strings"
	"testing"
)

// A description of our own, so that the validator is known to find something
// where the vendors' are not there.
const described = `{"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "servers": [{"url": "https://x.test/v1"}],
"paths": {"/keys": {"post": {
  "requestBody": {"required": true, "content": {"application/json": {"schema": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}}}},
  "responses": {"201": {"description": "", "content": {"application/json": {"schema": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}}}}}}}}}`

func TestSpec_findsWhatIsNotDescribed(t *testing.T) {
	t.Parallel()
	var s Spec
	if err := s.add([]byte(described)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, method, path, body string
		status                   int
		answer                   string
		want                     string // "": valid
	}{
		{"as described", "POST", "/v1/keys", `{"name":"a"}`, 201, `{"id":"1"}`, ""},
		{"a member left out", "POST", "/v1/keys", `{}`, 201, `{"id":"1"}`, "name"},
		{"another status", "POST", "/v1/keys", `{"name":"a"}`, 200, `{"id":"1"}`, "status"},
		{"another answer", "POST", "/v1/keys", `{"name":"a"}`, 201, `{"id":1}`, "id"},
		{"another path", "POST", "/v2/keys", `{"name":"a"}`, 201, `{}`, "no such operation"},
		{"another method", "DELETE", "/v1/keys", ``, 204, ``, "no such operation"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var found []string
			rt := s.Wrap(&Transport{Host: host, At: 1, Fault: Fault{Reply: canned(tt.status, tt.answer)}}, func(err error) { found = append(found, err.Error()) })
			req, err := http.NewRequestWithContext(t.Context(), tt.method, base+tt.path, strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			if _, err := rt.RoundTrip(req); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(found, "\n"); (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("found %q, want %q", got, tt.want)
			}
		})
	}
}

package providertest

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"testing"
)

func TestLeak(t *testing.T) {
	t.Parallel()
	const s = `pa55"w/rd+<secret>&é`
	js, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, text string
		want       bool
	}{
		{"raw", "x" + s + "y", true},
		{"eight characters", "the end: " + s[len(s)-8:], true},
		{"seven characters", "the start: " + s[:7] + ".", false},
		{"hex", "0x" + hex.EncodeToString([]byte(s)), true},
		{"hex at an odd place", "0xa" + hex.EncodeToString([]byte(s[3:12])), true},
		{"base64", base64.StdEncoding.EncodeToString([]byte(s)), true},
		{"base64 for URLs", base64.RawURLEncoding.EncodeToString([]byte(s)), true},
		{"base64 after one character", "Basic " + base64.StdEncoding.EncodeToString([]byte("u"+s)), true},
		{"base64 after two characters", "Basic " + base64.StdEncoding.EncodeToString([]byte("u:"+s)), true},
		{"escaped for a URL", "?q=" + url.QueryEscape(s), true},
		{"escaped for JSON", string(js), true},
		{"innocent", "POST /v3/api_keys: outcome unknown (500 Internal Server Error)", false},
		{"nothing", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := Leak(tt.text, []string{"", "another secret", s}); (got != "") != tt.want {
				t.Errorf("Leak(%q) = %q, want a leak: %v", tt.text, got, tt.want)
			}
		})
	}
	if Leak("pin 1234.", []string{"1234"}) == "" {
		t.Error("a short secret was not found")
	}
}

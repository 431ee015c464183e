package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
)

// What is ambiguous is what the standard library's own tokens show to be so.
func FuzzUnambiguous(f *testing.F) {
	for _, s := range []string{
		`{"a":1,"b":{"a":2},"c":[{"a":3},{"a":4}]}`, `{"a":1,"A":2}`, `{"a":1,"\u0061":2}`, `{"x":{"a":1,"a":2}}`, `[{"a":"a","b":"a"}]`,
		`{"a\"":1,"a\\":2}`, `{"":1,"":2}`, "{\"\xff\":1,\"\xfe\":2}", "{\"\\ud800\":1,\"\ufffd\":2}", "{\"\u212a\":1,\"k\":2}", "{\"\u0130\":1,\"i\u0307\":2}",
		`{"a":["a",{"a":"}"}],"b":"{"}`, `1`, `"a"`, ` {} `, `{}{}`, `{"a":}`, `["a":1]`, `{"a":1,}`, ``, `nul`,
		strings.Repeat("[", 100) + strings.Repeat("]", 100), strings.Repeat("[", 101) + strings.Repeat("]", 101),
		strings.Repeat(`{"a":`, 101) + "1" + strings.Repeat("}", 101),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		want := json.Valid(b) && tokensDiffer(d, 0)
		if want {
			_, err := d.Token()
			want = errors.Is(err, io.EOF)
		}
		if got := unambiguous(b); got != want {
			t.Errorf("%q: %v, want %v", b, got, want)
		}
	})
}

// tokensDiffer reads one value and reports whether no name in it is there twice.
func tokensDiffer(d *json.Decoder, depth int) bool {
	t, err := d.Token()
	open, ok := t.(json.Delim)
	if err != nil || ok && depth == maxDepth {
		return false
	}
	if !ok {
		return true
	}
	seen := map[string]bool{}
	for d.More() {
		if open == '{' {
			t, err := d.Token()
			s, ok := t.(string)
			s = strings.ToLower(s)
			if err != nil || !ok || seen[s] {
				return false
			}
			seen[s] = true
		}
		if !tokensDiffer(d, depth+1) {
			return false
		}
	}
	_, err = d.Token()
	return err == nil
}

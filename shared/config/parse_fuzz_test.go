package config_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/shared/config"
)

// All problems are told: what is wrong with one key is told beside whatever is
// wrong elsewhere, each problem has a hint, and none is told twice.
func FuzzParse_all(f *testing.F) {
	for _, s := range []string{
		`{"vendorAccount":"main","owner":"me","settings":{"scopes":["a"]}}`, `{"vendorAccount":"mian"}`, `{"value":{"plain":true,"field":"x"},"tier":9}`,
		`{"grace":{"min":"2h","max":"1h","quiet":"-1s","onMax":"drop"}}`, `{"settings":{"scopes":"a","url":"http://10.0.0.1"},"exclusive":1}`, `null`, `[]`, `7`, `{"a":1,"a":2}`,
	} {
		f.Add(s, "prod/mailer")
	}
	f.Add(`{}`, "a b\x00")
	f.Fuzz(func(t *testing.T, key, name string) {
		quoted, err := json.Marshal(name)
		if err != nil || !json.Valid([]byte(key)) {
			return
		}
		// Two other things are wrong: a field that is not known, and an owner.
		file := fmt.Sprintf(`{"version":1,"unheard":0,
			"vendorAccounts":{"main":{"provider":"acme","admin":"keyturn/admin/acme","hosts":["api.acme.example"]}},
			"keys":{%s:%s,"~other":{"vendorAccount":"main","settings":{"scopes":["a"]},"owner":" "}}}`, quoted, key)
		_, err = config.Parse([]byte(file), acme())
		e, ok := errors.AsType[*config.Error](err)
		if !ok {
			t.Fatalf("%s: %v, want problems", file, err)
		}
		var told []string
		for _, p := range e.Problems {
			if p.What == "" || p.Hint == "" {
				t.Errorf("%s: a problem says %+v", file, p)
			}
			told = append(told, p.String())
		}
		if name == "~other" {
			return // given twice, which is told instead
		}
		for _, want := range []string{`unheard: unknown field`, `keys["~other"]: not a name`, `keys["~other"].owner: missing`} {
			if !slices.ContainsFunc(told, func(s string) bool { return strings.HasPrefix(s, want) }) {
				t.Errorf("%s: %q is not told, only %q", file, want, told)
			}
		}
		slices.Sort(told)
		if len(slices.Compact(slices.Clone(told))) != len(told) {
			t.Errorf("%s: told twice: %q", file, told)
		}
	})
}

// A configuration holds no secrets. If somebody puts one where a setting
// belongs, the problems do not repeat it.
func FuzzParse_settings(f *testing.F) {
	const mark = "hunter2-hunter2"
	for _, s := range []string{`"@"`, `["@"]`, `{"apiKey":"@"}`, `{"url":"https://user:@@api.acme.example","scopes":["a"]}`, `{"url":{"@":1}}`, `{"scopes":"@"}`, `{"scopes":[{"a":"@"}]}`, `{"url":"@"}`, `7`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, settings string) {
		settings = strings.ReplaceAll(settings, "@", mark)
		if !json.Valid([]byte(settings)) {
			return
		}
		_, err := config.Parse(fmt.Appendf(nil, `{"version":1,
			"vendorAccounts":{"main":{"provider":"acme","admin":"keyturn/admin/acme","hosts":["api.acme.example"]}},
			"keys":{"k":{"vendorAccount":"main","settings":%s,"owner":"me"}}}`, settings), acme())
		if err == nil || !strings.Contains(err.Error(), "hunter2") {
			return
		}
		// Names of fields, and the host that credentials would go to, are no
		// values: without them nothing can be mended.
		var fields map[string]json.RawMessage
		var in struct{ URL string }
		_ = json.Unmarshal([]byte(settings), &fields)
		_ = json.Unmarshal([]byte(settings), &in)
		text := err.Error()
		for name := range fields {
			quoted := strconv.Quote(name) // an unknown one is told as it is written
			text = strings.ReplaceAll(strings.ReplaceAll(text, name, ""), quoted[1:len(quoted)-1], "")
		}
		if u, e := url.Parse(in.URL); e == nil {
			text = strings.ReplaceAll(strings.ReplaceAll(text, u.Host, ""), strings.ToLower(u.Host), "")
		}
		if strings.Contains(text, "hunter2") {
			t.Errorf("%s: the error says %v", settings, err)
		}
	})
}

// A host that is admitted is one that a URL can have, and admits itself and
// nothing with another name.
func FuzzValidHost(f *testing.F) {
	for _, s := range []string{"api.example.com", "a:443", "[::1]:3000", "[fe80::1%eth0]", "*.x", "https://x", "x/", "x:0", "x:65536", "-a", "a..b", "é", "127.0.0.1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !config.ValidHost(s) {
			return
		}
		u, err := url.Parse("https://" + s + "/")
		if err != nil {
			t.Fatalf("ValidHost(%q), and no URL can have it: %v", s, err)
		}
		if u.Host != s || u.Path != "/" || u.User != nil {
			t.Errorf("ValidHost(%q), and the URL's host is %q", s, u.Host)
		}
		if !config.Allows([]string{s}, u) {
			t.Errorf("%q does not allow itself", s)
		}
		other := *u
		other.Host = "x" + u.Host
		if config.Allows([]string{s}, &other) {
			t.Errorf("%q allows %q", s, other.Host)
		}
	})
}

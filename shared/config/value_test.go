package config_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/provider"
)

// The shape of a value whose key has two parts, and of one whose key is a text.
func TestParse_value(t *testing.T) {
	t.Parallel()
	two := []string{"accessKeyId", "secretAccessKey"}
	for _, tt := range []struct {
		name, value string
		parts       []string
		want        config.Value
		problems    []string
	}{
		{"the parts' own names", ``, two, config.Value{Fields: two}, nil},
		{"both renamed", `{"fields": {"accessKeyId": "AWS_ID", "secretAccessKey": "AWS_SECRET"}, "strict": true}`, two, config.Value{Fields: []string{"AWS_ID", "AWS_SECRET"}, Strict: true}, nil},
		{"one renamed", `{"fields": {"secretAccessKey": "AWS_SECRET"}}`, two, config.Value{Fields: []string{"accessKeyId", "AWS_SECRET"}}, nil},
		{"exchanged", `{"fields": {"accessKeyId": "secretAccessKey", "secretAccessKey": "accessKeyId"}}`, two, config.Value{Fields: []string{"secretAccessKey", "accessKeyId"}}, nil},
		{"none renamed", `{"fields": {}}`, two, config.Value{Fields: two}, nil},
		{"plain", `{"plain": true}`, two, config.Value{}, []string{".plain: this vendor's keys have several parts"}},
		{"one field", `{"field": "token"}`, two, config.Value{}, []string{".field: this vendor's keys have several parts"}},
		{"not a part", `{"fields": {"accessKeyID": "x"}}`, two, config.Value{}, []string{`.fields.accessKeyID: unknown field: did you mean "accessKeyId"?`}},
		{"names twice", `{"fields": {"accessKeyId": "x", "secretAccessKey": "x"}}`, two, config.Value{}, []string{`.fields.secretAccessKey: "x" is the field of accessKeyId too`}},
		{"the other's name", `{"fields": {"accessKeyId": "secretAccessKey"}}`, two, config.Value{}, []string{`.fields.secretAccessKey: "secretAccessKey" is the field of accessKeyId too`}},
		{"no name", `{"fields": {"accessKeyId": ""}}`, two, config.Value{}, []string{`.fields.accessKeyId: "" cannot be the field of a part`}},
		{"our name", `{"fields": {"secretAccessKey": "keyturn"}}`, two, config.Value{}, []string{`.fields.secretAccessKey: "keyturn" cannot be the field of a part`}},
		{"not a string", `{"fields": {"accessKeyId": 7}}`, two, config.Value{}, []string{`.fields.accessKeyId: not a string`}},
		{"a list", `{"fields": ["a", "b"]}`, two, config.Value{}, []string{`.fields: not an object`}},
		{"fields of a text", `{"fields": {"accessKeyId": "x"}}`, nil, config.Value{}, []string{`.fields: this vendor's keys are one text`}},
		{"a text", `{"field": "token"}`, nil, config.Value{Field: "token"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			defs := []provider.Definition{provider.Define(provider.Info{Name: "acme", Parts: tt.parts}, func(settings, provider.Admin, *http.Client) provider.Strategy { return nil })}
			file := `{"version": 1,
  "vendorAccounts": {"a": {"provider": "acme", "admin": "admin", "hosts": ["api.acme.example"]}},
  "keys": {"k": {"vendorAccount": "a", "owner": "o", "settings": {"scopes": ["x"]}, "value": ` + tt.value + `}}}`
			if tt.value == "" {
				file = strings.Replace(file, `, "value": `, "", 1)
			}
			c, err := config.Parse([]byte(file), defs)
			if len(tt.problems) == 0 {
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(tt.want, c.Keys()[0].Value); d != "" {
					t.Errorf("(-want +got):\n%s", d)
				}
				return
			}
			if err == nil {
				t.Fatal("no problem was found")
			}
			lines := strings.Split(err.Error(), "\n")
			for i, want := range tt.problems {
				if len(lines) != len(tt.problems) || !strings.HasPrefix(lines[i], `keys["k"].value`+want) {
					t.Errorf("problems:\n%v\nwant %q", err, tt.problems)
				}
			}
		})
	}
}

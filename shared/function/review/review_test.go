package review_test

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/keyturn/keyturn/shared/boot"
	"github.com/keyturn/keyturn/shared/function/review"
)

const config = `{"version": 1, "vendorAccounts": {}, "keys": {}}`

// prepared is the function with all its variables set, but for those that change unsets.
func prepared(t *testing.T, site string, change func(map[string]string)) *boot.Boundary {
	t.Helper()
	env := map[string]string{"KEYTURN_FINGERPRINT_KEY": "0123456789abcdef"}
	for _, v := range review.Needs() {
		env[string(v)] = "x"
	}
	env["KEYTURN_SITE"] = "site.json"
	if change != nil {
		change(env)
	}
	return boot.Prepare(t.Context(), boot.System{
		Getenv: func(k string) string { return env[k] },
		ReadFile: func(path string) ([]byte, error) {
			if path == "site.json" && site == "" {
				return nil, fs.ErrNotExist
			}
			if path == "site.json" {
				return []byte(site), nil
			}
			return []byte(config), nil
		},
		Stdout: io.Discard, Now: time.Now, AWS: &aws.Config{Region: "eu-central-1"},
	}, review.Name, review.Open, review.Needs()...)
}

// Nothing but its task starts it, and what is wrong with its environment is named.
func TestRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, site, event, kind, part string
		change                        func(map[string]string)
	}{
		{name: "another task", site: "{}", event: `{"task":"seal"}`, kind: "BadEvent", part: `{"task":"review"}`},
		{name: "no task", site: "{}", event: `{}`, kind: "BadEvent", part: `{"task":"review"}`},
		{name: "no event", site: "{}", event: `[1]`, kind: "BadEvent"},
		{name: "no site", event: `{"task":"review"}`, kind: "ConfigInvalid", part: "KEYTURN_SITE"},
		{name: "a bad site", site: `{"roles": 1}`, event: `{"task":"review"}`, kind: "ConfigInvalid", part: "KEYTURN_SITE"},
		{
			name: "no table", site: "{}", event: `{"task":"review"}`, kind: "ConfigInvalid", part: "KEYTURN_WATCH_TABLE",
			change: func(env map[string]string) { delete(env, "KEYTURN_WATCH_TABLE") },
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := prepared(t, tt.site, tt.change).Invoke(t.Context(), []byte(tt.event))
			got, ok := errors.AsType[messages.InvokeResponse_Error](err)
			if !ok || got.Type != tt.kind || !strings.Contains(got.Message, tt.part) {
				t.Errorf("%#v", err)
			}
		})
	}
}

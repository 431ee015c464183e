package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/shared/catalog"
)

// TestEnvironment: every command that talks to AWS refuses another Region than
// the environment's, before it asks anything. Another account is refused at the
// same place; see testdata/script/environment.txt.
func TestEnvironment(t *testing.T) { //nolint:paralleltest // it sets variables
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull} {
		t.Setenv(name, value)
	}
	file := filepath.Join(t.TempDir(), "keyturn.yaml")
	if err := os.WriteFile(file, []byte(`version: 1
environments: {here: {account: "123456789012", region: us-east-1}}
defaults: {owner: platform@example.com}
vendorAccounts: {main: {provider: sendgrid, admin: keyturn/admin}}
keys: [{name: k, vendorAccount: main, settings: {scopes: [mail.send]}}]
`), 0o600); err != nil {
		t.Fatal(err)
	}
	lines := map[string]string{
		"ack": "k --reason why", "admin put": "main", "adopt": "k", "alert test": "", "doctor": "", "init": "k", "ledger key": "", "leftovers": "",
		"pause": "k --until 72h --reason why", "preflight": "", "restore": "k --reason why", "resume": "k", "review": "--out " + t.TempDir(),
		"review sign-off": "--review " + strings.Repeat("0", 64) + " --decision accepted --reason why --ledger s3://l --key PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "rollback": "k --reason why",
		"rotate-now": "k --reason why", "status": "",
	}
	for _, c := range talking((&app{getenv: func(string) string { return "" }}).root()) {
		name := strings.TrimPrefix(c, "keyturn ")
		line, known := lines[name]
		if !known {
			t.Errorf("%s talks to AWS, and is not tried here", c)
			continue
		}
		var out, wrong bytes.Buffer
		a := &app{out: &out, err: &wrong, getenv: func(string) string { return "" }, vendors: catalog.All()}
		args := strings.Fields(name + " " + line + " --json --config " + file + " --region eu-west-1 --endpoint-url http://127.0.0.1:1")
		if code := a.run(t.Context(), args); code != exitFailed || !strings.Contains(out.String(), `"`+typePlace+`"`) {
			t.Errorf("%s: exit %d, %s%s", c, code, &out, &wrong)
		}
	}
}

// talking are the commands that take both an environment and an endpoint of AWS.
func talking(c *cobra.Command) (names []string) {
	if c.Flags().Lookup("environment") != nil && c.Flags().Lookup("endpoint-url") != nil {
		names = append(names, c.CommandPath())
	}
	for _, sub := range c.Commands() {
		names = append(names, talking(sub)...)
	}
	return names
}

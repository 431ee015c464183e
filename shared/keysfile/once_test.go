package keysfile_test

import (
	"strings"
	"testing"
)

// TestLoad_names refuses what AWS would refuse in the second deployment, or in
// the middle of the first.
func TestLoad_names(t *testing.T) {
	t.Parallel()
	long := "a" + strings.Repeat("b", 44)
	for _, test := range []struct{ name, text, want string }{
		{"two Regions of one account", `environments: {prod: {account: "111122223333", region: eu-west-1}, spare: {account: "111122223333", region: eu-central-1}}`,
			"the environment prod is in this account too"},
		{"two accounts", `environments: {prod: {account: "111122223333", region: eu-west-1}, spare: {account: "444455556666", region: eu-west-1}}`, ""},
		{"the flow log's role", "", "is too long for the name of a role, keyturn-egress-" + long + "-flow: use 44 characters at most"},
		{"the longest", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			text := valid + test.text + "\n"
			if test.text == "" {
				account := long
				if test.want == "" {
					account = long[:44]
				}
				text = strings.Replace(text, "vendorAccounts:\n", "vendorAccounts:\n  "+account+": {provider: sendgrid, admin: x, network: {fixedAddresses: true}}\n", 1)
			}
			got := problemsOf(t, text)
			if test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

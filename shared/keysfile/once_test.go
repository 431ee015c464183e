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
		{
			"two Regions of one account", `environments: {prod: {account: "111122223333", region: eu-west-1}, spare: {account: "111122223333", region: eu-central-1}}`,
			"the environment prod is in this account too",
		},
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

// TestLoad_policyText refuses what a policy would read as a pattern or variable,
// and subscriptions that the topic would refuse.
func TestLoad_policyText(t *testing.T) {
	t.Parallel()
	const own = "environments: {prod: {account: \"111122223333\", region: eu-west-1}}\n"
	for text, want := range map[string]string{
		"functions: {rolePath: /*/}":                                                                                  "is no path",
		"functions: {rolePath: '/${aws:username}/'}":                                                                  "is no path",
		"functions: {rolePrefix: corp/}":                                                                              "is no beginning of a role's name",
		"functions: {rolePrefix: corp-}":                                                                              "",
		"functions: {rolePrefix: 'a-company-with-a-long-name-has-it'}":                                                "is no beginning of a role's name",
		"functions: {rolePath: /a/b/}":                                                                                "",
		"access: {viewers: ['arn:aws:iam::111122223333:role/${aws:username}/x']}":                                     "is a pattern",
		"access: {viewers: ['arn:aws:iam::111122223333:role/a!b/x']}":                                                 "is neither a role nor a user",
		"notifications: {subscriptions: [{sqs: 'arn:aws:sqs:eu-west-1:111122223333:a.fifo'}]}":                        "a FIFO queue",
		"notifications: {subscriptions: [{email: a@b.example}, {email: a@b.example, severities: [critical]}]}":        "the endpoint of k.yaml:13:33 again",
		"notifications: {subscriptions: [{slack: {workspace: T0123, channel: C0123}, severities: [critical]}]}":       "",
		"notifications: {subscriptions: [{email: a@b.example}], escalation: {subscriptions: [{email: a@b.example}]}}": "",
	} {
		got := problemsOf(t, valid+own+text+"\n")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

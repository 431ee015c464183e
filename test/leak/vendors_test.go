package leak

import (
	"time"

	"github.com/keyturn/keyturn/shared/provider/auth0/auth0test"
	"github.com/keyturn/keyturn/shared/provider/awsiam/awsiamtest"
	"github.com/keyturn/keyturn/shared/provider/cloudflare/cloudflaretest"
	"github.com/keyturn/keyturn/shared/provider/gitea/giteatest"
	"github.com/keyturn/keyturn/shared/provider/launchdarkly/launchdarklytest"
	"github.com/keyturn/keyturn/shared/provider/okta/oktatest"
	"github.com/keyturn/keyturn/shared/provider/sendgrid/sendgridtest"
	"github.com/keyturn/keyturn/shared/providertest"
)

// vendor shows a strategy.
type vendor struct {
	name, strategy string
	path           string // of the API, behind the host
	start          func(clock func() time.Time) providertest.Fake
	settings, more map[string]any
	given          bool // there is a key before us
}

// vendors show every strategy, DualSlot in both of its forms.
func vendors() []vendor {
	return []vendor{
		{
			name: "sendgrid", strategy: "Overlap", settings: map[string]any{"scopes": []string{"mail.send"}},
			start: func(c func() time.Time) providertest.Fake { return sendgridtest.New(c, sendgridtest.Options{}) },
		},
		{
			name: "gitea", strategy: "Overlap", settings: map[string]any{"scopes": []string{"read:user"}},
			start: func(c func() time.Time) providertest.Fake { return giteatest.New(c, giteatest.Options{}) },
		},
		{
			name: "cloudflare", strategy: "Overlap", path: "/client/v4", settings: map[string]any{"policies": []any{map[string]any{
				"effect": "allow", "permission_groups": []any{map[string]any{"id": "c8fed203ed3043cba015a93ad1616f1f"}},
				"resources": map[string]any{"com.cloudflare.api.account.zone.*": "*"},
			}}},
			start: func(c func() time.Time) providertest.Fake { return cloudflaretest.New(c, cloudflaretest.Options{}) },
		},
		{
			name: "aws-iam", strategy: "DualSlot", more: map[string]any{"exclusive": true},
			settings: map[string]any{"userName": awsiamtest.UserName, "stsURL": "https://" + host},
			start:    func(c func() time.Time) providertest.Fake { return awsiamtest.New(c, awsiamtest.Options{}) },
		},
		{
			name: "okta", strategy: "DualSlot", given: true,
			settings: map[string]any{"appID": oktatest.AppID, "clientID": oktatest.ClientID},
			start:    func(c func() time.Time) providertest.Fake { return oktatest.New(c, oktatest.Options{}) },
		},
		{
			name: "launchdarkly", strategy: "RollWithGrace", settings: map[string]any{"tokenID": launchdarklytest.TokenID},
			start: func(c func() time.Time) providertest.Fake {
				return launchdarklytest.New(c, launchdarklytest.Options{})
			},
		},
		{
			name: "auth0", strategy: "RollInPlace", more: map[string]any{"acceptDowntime": true},
			settings: map[string]any{"clientID": auth0test.ClientID, "audience": auth0test.Audience},
			start:    func(c func() time.Time) providertest.Fake { return auth0test.New(c, auth0test.Options{}) },
		},
	}
}

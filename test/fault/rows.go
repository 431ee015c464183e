package fault

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/provider/adyen/adyentest"
	"github.com/keyturn/keyturn/shared/provider/auth0/auth0test"
	"github.com/keyturn/keyturn/shared/provider/awsiam/awsiamtest"
	"github.com/keyturn/keyturn/shared/provider/launchdarkly/launchdarklytest"
	"github.com/keyturn/keyturn/shared/provider/okta/oktatest"
	"github.com/keyturn/keyturn/shared/providertest"
)

const spread = 30 * time.Second // Auth0's

// slots are the strategies whose keys have no names.
func slots() []Subject {
	return []Subject{
		{
			Name: "dualslot-fill", Vendor: "aws-iam", Alone: true, Usage: true, Consume: awsiamtest.Consume, Act: awsIAMAct,
			Config: map[string]any{"exclusive": true}, Parts: []string{"accessKeyId", "secretAccessKey"},
			New: func(clock func() time.Time) providertest.Fake {
				return awsiamtest.New(clock, awsiamtest.Options{})
			},
			Settings: func(base string) map[string]any {
				return map[string]any{"stsURL": base, "userName": awsiamtest.UserName}
			},
		},
		{
			Name: "dualslot-place", Vendor: "okta", Alone: true, Placed: true, Adopted: true, Consume: oktatest.Consume, Act: oktaAct,
			New: func(clock func() time.Time) providertest.Fake {
				return oktatest.New(clock, oktatest.Options{})
			},
			Settings: func(string) map[string]any {
				return map[string]any{"appID": oktatest.AppID, "clientID": oktatest.ClientID}
			},
		},
	}
}

// rolls are the strategies that replace the value of one key.
func rolls() []Subject {
	return []Subject{
		launchDarkly("rollwithgrace", launchdarklytest.Options{}, 0),
		launchDarkly("rollwithgrace-one", launchdarklytest.Options{OneOld: true}, 2),
		{
			Name: "rollwithgrace-fixed", Vendor: "adyen", Path: "/v3", Again: true, Consume: adyentest.Consume,
			New: func(clock func() time.Time) providertest.Fake {
				return adyentest.New(clock, adyentest.Options{})
			},
			Settings: func(string) map[string]any {
				return map[string]any{"merchantID": adyentest.MerchantID, "credentialID": adyentest.CredentialID}
			},
			Act: func(r *http.Request, _ []byte) Act {
				if r.Method == http.MethodPost {
					return Act{Kind: audit.Roll, ID: adyentest.CredentialID}
				}
				return Act{}
			},
		},
		rollInPlace(spread),
	}
}

// rollInPlace is Auth0, which takes some time to see a new value everywhere.
func rollInPlace(spread time.Duration) Subject {
	return Subject{
		Name: "rollinplace", Vendor: "auth0", Spoils: 1, Spread: spread, Consume: auth0test.Consume,
		Config: map[string]any{"acceptDowntime": true},
		New: func(clock func() time.Time) providertest.Fake {
			return auth0test.New(clock, auth0test.Options{Spread: spread})
		},
		Settings: func(string) map[string]any {
			return map[string]any{"clientID": auth0test.ClientID, "audience": auth0test.Audience}
		},
		Act: func(r *http.Request, _ []byte) Act {
			if r.Method == http.MethodPatch {
				return Act{Kind: audit.Roll, ID: auth0test.ClientID}
			}
			return Act{}
		},
	}
}

func launchDarkly(name string, o launchdarklytest.Options, spoils int) Subject {
	return Subject{
		Name: name, Vendor: "launchdarkly", Again: o.OneOld, Spoils: spoils, Consume: launchdarklytest.Consume,
		New:      func(clock func() time.Time) providertest.Fake { return launchdarklytest.New(clock, o) },
		Settings: func(string) map[string]any { return map[string]any{"tokenID": launchdarklytest.TokenID} },
		Act: func(r *http.Request, _ []byte) Act {
			if r.Method == http.MethodPost {
				return Act{Kind: audit.Roll, ID: last(strings.TrimSuffix(r.URL.Path, "/reset"))}
			}
			return Act{}
		},
	}
}

func oktaAct(r *http.Request, _ []byte) Act {
	path, _, _ := strings.Cut(r.URL.Path, "/lifecycle/")
	id := last(path)
	switch {
	case strings.HasSuffix(r.URL.Path, "/deactivate"):
		return Act{Kind: audit.Disable, ID: id}
	case strings.HasSuffix(r.URL.Path, "/activate"):
		return Act{Kind: audit.Enable, ID: id}
	case r.Method == http.MethodDelete:
		return Act{Kind: audit.Revoke, ID: id}
	case r.Method == http.MethodPost && id == "secrets":
		return Act{Kind: audit.Create}
	}
	return Act{}
}

func awsIAMAct(_ *http.Request, body []byte) Act {
	in, err := url.ParseQuery(string(body))
	if err != nil {
		return Act{}
	}
	id := in.Get("AccessKeyId")
	switch in.Get("Action") + in.Get("Status") {
	case "CreateAccessKey":
		return Act{Kind: audit.Create}
	case "UpdateAccessKeyInactive":
		return Act{Kind: audit.Disable, ID: id}
	case "UpdateAccessKeyActive":
		return Act{Kind: audit.Enable, ID: id}
	case "DeleteAccessKey":
		return Act{Kind: audit.Revoke, ID: id}
	}
	return Act{}
}

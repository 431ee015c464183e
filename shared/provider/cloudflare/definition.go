package cloudflare

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"time"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
)

// Settings are Cloudflare's own settings for one token.
type Settings struct {
	URL       string           `json:"baseURL"   doc:"where the API is; default https://api.cloudflare.com/client/v4"`
	AccountID string           `json:"accountID" doc:"for tokens that an account owns: its id, 32 hex digits; default tokens of the user who made the admin token"`
	Policies  []map[string]any `json:"policies"  doc:"what each new token may do, in Cloudflare's own form: a list of {effect, permission_groups: [{id}], resources}; this or copyPolicies is required"`
	Copy      bool             `json:"copyPolicies" doc:"true: each new token gets the policies and the condition of the current one, as Cloudflare has them then; for a token that is there already; whoever changes those of the current one changes those of all that follow"`
	Condition map[string]any   `json:"condition" doc:"from where each new token may be used, in Cloudflare's own form: {request_ip: {in, not_in}}; the functions try the token too, so their addresses must be among them; default anywhere"`
	Quota     int              `json:"quota"     doc:"how many tokens there may be; default Cloudflare's, 50 of a user and 500 of an account; write yours if Cloudflare has raised it"`
}

// BaseURL returns where the API is.
func (s Settings) BaseURL() string {
	if s.URL == "" {
		return "https://api.cloudflare.com/client/v4"
	}
	return s.URL
}

func (s Settings) quota() int {
	switch {
	case s.Quota > 0:
		return s.Quota
	case s.AccountID != "":
		return 500
	}
	return 50
}

var accountForm = regexp.MustCompile(`^[0-9a-f]{32}$`)

// Problems returns everything that is wrong with the settings.
func (s Settings) Problems() []provider.Problem {
	var out []provider.Problem
	add := func(field, what, hint string) {
		if what != "" {
			out = append(out, provider.Problem{Field: field, What: what, Hint: hint})
		}
	}
	if p := httpapi.CheckBase(s.BaseURL()); p != "" {
		add("baseURL", "baseURL "+p, "leave it out")
	}
	if s.AccountID != "" && !accountForm.MatchString(s.AccountID) {
		add("accountID", `accountID "`+httpapi.Safe(s.AccountID)+`" is not an account's id`, "write the 32 hex digits that the dashboard shows, or leave it out for a user's tokens")
	}
	const form = `write it as Cloudflare does: {"effect": "allow", "permission_groups": [{"id": "..."}], "resources": {"com.cloudflare.api.account.zone.<id>": "*"}}`
	switch {
	case len(s.Policies) == 0 && !s.Copy:
		add("policies", "no policies", form+`, or "copyPolicies": true where there is a token already`)
	case s.Copy && (s.Policies != nil || s.Condition != nil):
		add("copyPolicies", "copyPolicies and also policies or a condition", "write one of the two: copied is what the current token has")
	}
	for i, p := range s.Policies {
		if wrong := wrongPolicy(p); wrong != "" {
			add("policies", fmt.Sprintf("policy %d %s", i+1, wrong), form)
		}
	}
	if s.Condition != nil {
		add("condition", wrongCondition(s.Condition), `write it as Cloudflare does: {"request_ip": {"in": ["203.0.113.0/24"]}}`)
	}
	if s.Quota < 0 {
		add("quota", "quota is negative", "leave it out, or write how many tokens Cloudflare allows you")
	}
	return out
}

// wrongPolicy says what is wrong with a policy, "" if nothing is.
func wrongPolicy(p map[string]any) string {
	var form struct {
		Effect string `json:"effect"`
		Groups []struct {
			ID   string         `json:"id"`
			Name string         `json:"name"`
			Meta map[string]any `json:"meta"`
		} `json:"permission_groups"`
		Resources map[string]any `json:"resources"`
	}
	switch {
	case !strictly(p, &form):
		return "does not have Cloudflare's form"
	case form.Effect != "allow" && form.Effect != "deny":
		return `has an effect other than "allow" and "deny"`
	case len(form.Groups) == 0:
		return "has no permission_groups"
	case len(form.Resources) == 0:
		return "has no resources"
	}
	for _, g := range form.Groups {
		if !idForm.MatchString(g.ID) {
			return "has a permission group without an id"
		}
	}
	return ""
}

// wrongCondition says what is wrong with a condition, "" if nothing is.
func wrongCondition(c map[string]any) string {
	var form struct {
		RequestIP struct {
			In    []string `json:"in"`
			NotIn []string `json:"not_in"`
		} `json:"request_ip"`
	}
	if !strictly(c, &form) || len(form.RequestIP.In)+len(form.RequestIP.NotIn) == 0 {
		return "condition does not have Cloudflare's form"
	}
	for _, list := range [][]string{form.RequestIP.In, form.RequestIP.NotIn} {
		for _, s := range list {
			_, perr := netip.ParsePrefix(s)
			if _, aerr := netip.ParseAddr(s); perr != nil && aerr != nil {
				return `condition: "` + httpapi.Safe(s) + `" is not an address or a range of them`
			}
		}
	}
	return ""
}

// strictly reports whether v has the form and nothing besides.
func strictly(v, form any) bool {
	b, err := json.Marshal(v)
	if err != nil {
		return false
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(form) == nil
}

// Definition describes Cloudflare to the engine, the infrastructure and the
// documentation.
func Definition() provider.Definition {
	return provider.Define(provider.Info{
		Name:  "cloudflare",
		Title: "Cloudflare API tokens",
		Links: []string{
			"https://developers.cloudflare.com/api/resources/user/subresources/tokens/",
			"https://developers.cloudflare.com/api/resources/accounts/subresources/tokens/",
			"https://developers.cloudflare.com/fundamentals/api/how-to/create-via-api/",
			"https://developers.cloudflare.com/fundamentals/api/reference/limits/",
			"https://developers.cloudflare.com/fundamentals/api/get-started/token-formats/",
		},
		Strategy: "Overlap",
		Hosts:    []string{"api.cloudflare.com"},
		Admin:    []provider.Field{{Name: "apiToken", Doc: "a token with the permission API Tokens Write, or with accountID Account API Tokens Write; made once in the dashboard from the template \"Create additional tokens\""}},
		Limit:    "50 tokens of a user, 500 of an account; Cloudflare raises it on request",
		LastUsed: true,
		// How late last_used_on may be is not documented; this bound is ours.
		UsageLag: 24 * time.Hour,
		// No delay is documented for new tokens; this bound is ours.
		Settle: provider.Settle{Within: 30 * time.Second, Every: 10 * time.Second, Successes: 1},
		// 40 characters, since 2026 with a prefix in front and a checksum behind;
		// the API's description says 40 to 80.
		Shape: `[0-9A-Za-z_-]{40,80}`,
	}, func(s Settings, admin provider.Admin, hc *http.Client) provider.Strategy {
		return New(s, admin, hc).Strategy()
	})
}

package vault

import (
	"net/http"
	"regexp"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
)

// Settings are Vault's own settings for one key.
type Settings struct {
	URL       string `json:"baseURL"   doc:"where Vault is, such as https://vault.example.com:8200 (without /v1); required"`
	Role      string `json:"role"      doc:"the AppRole whose secret ids are rotated; its secret_id_num_uses must be 0, and its secret_id_ttl 0 or longer than the time between two rotations and the grace together; required"`
	RoleID    string `json:"roleID"    doc:"the role's role_id, with which a secret id logs in; required"`
	Mount     string `json:"mount"     doc:"where the AppRole method is mounted; default approle"`
	Namespace string `json:"namespace" doc:"the namespace, for Vault Enterprise and HCP Vault"`
}

// BaseURL returns where Vault is.
func (s Settings) BaseURL() string { return s.URL }

func (s Settings) mount() string {
	if s.Mount == "" {
		return "approle"
	}
	return s.Mount
}

var (
	roleForm   = regexp.MustCompile(`^\w(?:[\w.-]{0,126}\w)?$`)
	roleIDForm = regexp.MustCompile(`^[!-~]{1,256}$`)
	pathForm   = regexp.MustCompile(`^\w(?:[\w.-]*\w)?(?:/\w(?:[\w.-]*\w)?)*/?$`)
)

// Problems returns everything that is wrong with the settings.
func (s Settings) Problems() []provider.Problem {
	var out []provider.Problem
	add := func(field, what, hint string) {
		out = append(out, provider.Problem{Field: field, What: what, Hint: hint})
	}
	if s.URL == "" {
		add("baseURL", "no baseURL", "write where Vault is: https://vault.example.com:8200")
	} else if p := httpapi.CheckBase(s.URL); p != "" {
		add("baseURL", "baseURL "+p, "write where Vault is: https://vault.example.com:8200")
	}
	if !roleForm.MatchString(s.Role) {
		add("role", `role "`+httpapi.Safe(s.Role)+`" is not a role's name`, "write it as `vault list auth/approle/role` shows it")
	}
	if !roleIDForm.MatchString(s.RoleID) {
		add("roleID", "roleID is missing or not a role_id", "write what `vault read auth/approle/role/ROLE/role-id` shows")
	}
	for _, p := range [][2]string{{"mount", s.Mount}, {"namespace", s.Namespace}} {
		if p[1] != "" && !pathForm.MatchString(p[1]) {
			add(p[0], p[0]+` "`+httpapi.Safe(p[1])+`" is not a path`, "write it without a slash in front: team/approle")
		}
	}
	return out
}

// Definition describes Vault to the engine, the infrastructure and the
// documentation.
func Definition() provider.Definition {
	return provider.Define(provider.Info{
		Name:  "vault",
		Title: "HashiCorp Vault and OpenBao",
		Links: []string{
			"https://developer.hashicorp.com/vault/api-docs/auth/approle",
			"https://github.com/hashicorp/vault/blob/v1.13.1/builtin/credential/approle/path_role.go",
			"https://github.com/openbao/openbao/blob/main/builtin/credential/approle/path_login.go",
		},
		Strategy: "Overlap",
		Admin:    []provider.Field{{Name: "token", Doc: "a token that does not end before the next rotation (a periodic one that something renews), whose policy admits, under auth/approle/role/ROLE/, update and create of custom-secret-id, update of secret-id/lookup, secret-id-accessor/lookup and secret-id-accessor/destroy, and list of secret-id"}},
		// Vault's own shape; those of others' choosing may have any.
		Shape: `[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`,
	}, func(s Settings, admin provider.Admin, hc *http.Client) provider.Strategy {
		return New(s, admin, hc).Strategy()
	})
}

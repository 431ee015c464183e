package redis

import (
	"net/url"
	"regexp"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
)

// Settings are Redis' own settings for one user.
type Settings struct {
	Address string `json:"address" doc:"the server, host:port; required; one server: Redis takes a change of users neither to replicas nor to other nodes of a cluster"`
	User    string `json:"user"    principal:"true" doc:"the ACL user whose passwords are replaced, an account of its own and not the admin's; required; it must exist, be on, and not have nopass"`
	TLS     *bool  `json:"tls"     doc:"false: speak plain Redis, which is for private addresses that are opted in; default: true, with a certificate that a public authority vouches for"`
	Persist string `json:"persist" doc:"how a change of users outlives a restart of the server: \"aclfile\" (ACL SAVE; the default), \"rewrite\" (ACL SAVE, or CONFIG REWRITE where there is no ACL file) or \"none\" (it does not: a restart brings the users of the server's configuration back, and the new password is lost)"`
}

// The values of the setting persist.
const (
	persistACLFile = "aclfile"
	persistRewrite = "rewrite"
	persistNone    = "none"
)

func (s Settings) secure() bool { return s.TLS == nil || *s.TLS }

// BaseURL returns where the server is in the form of a URL, as hosts are
// compared: https for TLS and http without, always with the port. So the
// admin's hosts list "redis.example.com:6380".
func (s Settings) BaseURL() string {
	u := url.URL{Scheme: "https", Host: s.Address}
	if !s.secure() {
		u.Scheme = "http"
	}
	return u.String()
}

var (
	addressForm = regexp.MustCompile(`^([0-9A-Za-z._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$`)
	userForm    = regexp.MustCompile(`^[!-~]{1,128}$`)
)

// Problems returns everything that is wrong with the settings.
func (s Settings) Problems() []provider.Problem {
	var out []provider.Problem
	add := func(field, what, hint string) {
		out = append(out, provider.Problem{Field: field, What: what, Hint: hint})
	}
	if !addressForm.MatchString(s.Address) {
		add("address", `address "`+httpapi.Safe(s.Address)+`" is not host:port`, "write redis.example.com:6379")
	}
	if !userForm.MatchString(s.User) {
		add("user", `user "`+httpapi.Safe(s.User)+`" is not the name of an ACL user`, "write the name that ACL USERS shows")
	}
	switch s.Persist {
	case "", persistACLFile, persistRewrite, persistNone:
	default:
		add("persist", `persist "`+httpapi.Safe(s.Persist)+`" is none of aclfile, rewrite and none`, "write aclfile, or leave it out")
	}
	return out
}

// Definition describes Redis to the engine, the infrastructure and the
// documentation.
func Definition() provider.Definition {
	return provider.DefineNet(info(), func(s Settings, admin provider.Admin, dial provider.Dialer) provider.Strategy {
		return New(s, admin, dial).Strategy()
	})
}

func info() provider.Info {
	return provider.Info{
		Name:  "redis",
		Title: "Redis and Valkey ACL users",
		Links: []string{
			"https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/",
			"https://redis.io/docs/latest/commands/acl-setuser/",
			"https://redis.io/docs/latest/commands/acl-getuser/",
			"https://redis.io/docs/latest/commands/acl-save/",
			"https://redis.io/docs/latest/commands/auth/",
			"https://redis.io/docs/latest/commands/config-rewrite/",
		},
		Strategy: "DualSlot",
		Admin: []provider.Field{
			{Name: "username", Doc: "another ACL user, with +acl|getuser +acl|setuser +acl|save, and +config|rewrite where persist is rewrite; whoever has acl|setuser can make itself anything"},
			{Name: "password", Doc: "that user's password"},
		},
		// A user may have any number of passwords, of any bytes. Only printable
		// ASCII is sent; a value of ours is 43 characters of base64url.
		Shape: `[ -~]+`,
	}
}

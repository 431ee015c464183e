package payload

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// ParseAdmin reads an admin credential: a JSON object with a string for each of
// the vendor's fields, and "hosts", the list of hosts it may be sent to. It
// tells every problem at once. Fields beyond these are ignored.
func ParseAdmin(v secret.Value, fields []provider.Field) (provider.Admin, error) {
	if err := sized(v); err != nil {
		return provider.Admin{}, err
	}
	ms, err := parse(v)
	if err != nil {
		return provider.Admin{}, err
	}
	a := provider.Admin{Fields: make(map[string]secret.Value, len(fields))}
	var bad []provider.Problem
	for _, f := range fields {
		value, what := adminField(ms, f.Name)
		if what != "" {
			bad = append(bad, provider.Problem{Field: f.Name, What: what, Hint: "it is " + f.Doc})
		}
		a.Fields[f.Name] = value
	}
	hosts, more := adminHosts(ms)
	a.Hosts = hosts
	if bad = append(bad, more...); len(bad) > 0 {
		return provider.Admin{}, &Error{Problems: bad}
	}
	return a, nil
}

func adminField(ms []member, name string) (value secret.Value, wrong string) {
	i := find(ms, name)
	switch {
	case i < 0:
		return value, fmt.Sprintf("the admin credential has no field %q", name)
	case find(ms[i+1:], name) >= 0:
		return value, fmt.Sprintf("the admin credential has the field %q twice", name)
	case ms[i].raw[0] != '"' || json.Unmarshal(ms[i].raw, &value) != nil:
		return value, fmt.Sprintf("the field %q of the admin credential is not a string", name)
	case strings.TrimSpace(value.Reveal()) == "":
		return value, fmt.Sprintf("the field %q of the admin credential is empty", name)
	}
	return value, ""
}

// adminHosts names a wrong host by its place: somebody may have put a key there.
func adminHosts(ms []member) (hosts []string, bad []provider.Problem) {
	const hint = `write a list such as ["api.example.com"]: the only hosts that the credential may be sent to`
	i := find(ms, "hosts")
	if i < 0 || json.Unmarshal(ms[i].raw, &hosts) != nil || len(hosts) == 0 {
		return nil, []provider.Problem{{Field: "hosts", What: `the admin credential has no list "hosts", or an empty one`, Hint: hint}}
	}
	for i, h := range hosts {
		hosts[i] = strings.ToLower(h)
		if !config.ValidHost(hosts[i]) {
			bad = append(bad, provider.Problem{Field: "hosts", What: fmt.Sprintf("entry %d of the admin credential's hosts is no host", i+1), Hint: `write "host" or "host:port", without scheme or path`})
		}
	}
	return hosts, bad
}

package fault

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/provider/cloudflare/cloudflaretest"
	"github.com/keyturn/keyturn/shared/provider/gitea/giteatest"
	"github.com/keyturn/keyturn/shared/providertest"
	"github.com/keyturn/keyturn/shared/secret"
)

const (
	host = "vendor.test"
	base = "https://" + host
)

// Subject is a strategy on trial, with a vendor that shows it.
type Subject struct {
	Name   string // "overlap", or with a row of it: "overlap-plain"
	Vendor string // in the catalog
	// New returns the vendor's servers.
	New func(clock func() time.Time) providertest.Fake
	// Settings are the key's, for servers at base, without baseURL.
	Settings func(base string) map[string]any
	// Config is more of the key's configuration, such as exclusive.
	Config map[string]any
	// Path is the API's, behind the host.
	Path string
	// Consume is the request of a consumer.
	Consume func(base string, value secret.Value) (*http.Request, error)
	// Act says what a request changes at the vendor; an empty Act: nothing.
	Act func(r *http.Request, body []byte) Act
	// Parts are the fields of the value that are the key; nil: apiKey.
	Parts []string
	// Again says that another vendor shows this strategy, too.
	Again bool
	// Named says that keys carry our names.
	Named bool
	// Alone says that the principal is handed over: nobody else has keys there.
	Alone bool
	// Usage says that the vendor tells when a key was used last.
	Usage bool
	// Placed says that the key's value is chosen and stored before the vendor has
	// it.
	Placed bool
	// Adopted says that the first key was there before us.
	Adopted bool
	// Spoils is how often in a row the value must be replaced to end the current
	// one at once; 0: never. Until it works again consumers may be refused.
	Spoils int
	// Spread is how long the vendor takes the old value here and the new there.
	Spread time.Duration
}

// Act is a change at the vendor.
type Act struct {
	Kind     audit.Act
	ID, Name string // of the key, as far as the request says
}

// Subjects returns every strategy with a vendor that shows it, and some with
// another one.
func Subjects() []Subject {
	return slices.Concat(overlaps(), slots(), rolls())
}

// share is how many of n runs of a strategy are this subject's.
func (s Subject) share(n int) int {
	rows := 0
	strategy, _, _ := strings.Cut(s.Name, "-")
	for _, o := range Subjects() {
		if same, _, _ := strings.Cut(o.Name, "-"); same == strategy {
			rows++
		}
	}
	return (n + rows - 1) / rows
}

// rolls reports whether there is one key, whose value is replaced.
func (s Subject) rolls() bool { return !s.Named && !s.Alone }

func (s Subject) fields() []string {
	if s.Parts == nil {
		return []string{"apiKey"}
	}
	return s.Parts
}

func overlaps() []Subject {
	return []Subject{
		{
			Name: "overlap", Vendor: "cloudflare", Path: "/client/v4", Named: true, Usage: true, Consume: cloudflaretest.Consume, Act: cloudflareAct,
			New: func(clock func() time.Time) providertest.Fake {
				return cloudflaretest.New(clock, cloudflaretest.Options{PageSize: 5})
			},
			Settings: func(string) map[string]any {
				return map[string]any{"policies": []any{map[string]any{
					"effect": "allow", "permission_groups": []any{map[string]any{"id": "c8fed203ed3043cba015a93ad1616f1f"}},
					"resources": map[string]any{"com.cloudflare.api.account.zone.*": "*"},
				}}}
			},
		},
		{
			Name: "overlap-plain", Vendor: "gitea", Again: true, Named: true, Consume: giteatest.Consume, Act: giteaAct,
			New: func(clock func() time.Time) providertest.Fake {
				return giteatest.New(clock, giteatest.Options{})
			},
			Settings: func(string) map[string]any { return map[string]any{"scopes": []string{"read:user"}} },
		},
	}
}

func cloudflareAct(r *http.Request, body []byte) Act {
	var in struct{ Name, Status string }
	_ = json.Unmarshal(body, &in) // what is no JSON changes nothing
	id := last(r.URL.Path)
	switch r.Method {
	case http.MethodPost:
		return Act{Kind: audit.Create, Name: in.Name}
	case http.MethodPut:
		if in.Status == "disabled" {
			return Act{Kind: audit.Disable, ID: id}
		}
		return Act{Kind: audit.Enable, ID: id}
	case http.MethodDelete:
		return Act{Kind: audit.Revoke, ID: id}
	}
	return Act{}
}

func giteaAct(r *http.Request, body []byte) Act {
	var in struct{ Name string }
	_ = json.Unmarshal(body, &in)
	switch r.Method {
	case http.MethodPost:
		return Act{Kind: audit.Create, Name: in.Name}
	case http.MethodDelete:
		return Act{Kind: audit.Revoke, ID: last(r.URL.Path)}
	}
	return Act{}
}

func last(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// foreign are keys that are nobody's business of ours.
func (s Subject) foreign(f providertest.Fake) []provider.Issued {
	if s.Alone {
		return nil
	}
	return []provider.Issued{f.Add("somebody's own"), f.Add("keyturn-0123456789-0123456789abcdef-0lfls2o00001")}
}

// drain reads a request's body and puts it back.
func drain(r *http.Request) []byte {
	if r.Body == nil {
		return nil
	}
	b, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if err != nil {
		return nil
	}
	r.Body = io.NopCloser(strings.NewReader(string(b)))
	return b
}

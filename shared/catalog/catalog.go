// Package catalog knows every vendor by name. Whatever is generic over vendors
// goes through it.
package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/provider/adyen"
	"github.com/keyturn/keyturn/shared/provider/auth0"
	"github.com/keyturn/keyturn/shared/provider/awsiam"
	"github.com/keyturn/keyturn/shared/provider/cloudflare"
	"github.com/keyturn/keyturn/shared/provider/gitea"
	"github.com/keyturn/keyturn/shared/provider/launchdarkly"
	"github.com/keyturn/keyturn/shared/provider/okta"
	"github.com/keyturn/keyturn/shared/provider/openai"
	"github.com/keyturn/keyturn/shared/provider/redis"
	"github.com/keyturn/keyturn/shared/provider/sendgrid"
	"github.com/keyturn/keyturn/shared/provider/vault"
)

// All returns every vendor's Definition, sorted by name.
func All() []provider.Definition {
	return []provider.Definition{
		adyen.Definition(),
		auth0.Definition(),
		awsiam.Definition(),
		cloudflare.Definition(),
		gitea.Definition(),
		launchdarkly.Definition(),
		okta.Definition(),
		openai.Definition(),
		redis.Definition(),
		sendgrid.Definition(),
		vault.Definition(),
	}
}

// Get returns the vendor called name.
func Get(name string) (provider.Definition, bool) {
	for _, d := range All() {
		if d.Name == name {
			return d, true
		}
	}
	return provider.Definition{}, false
}

// Open returns the half of a rotation of the vendor called name, which speaks
// through hc, or over dial where it does not speak HTTP. It makes no call. The
// error is an [*provider.Error] of KindPermanent that says what to
// do: an unknown vendor, or the first problem of the settings.
func Open(name string, settings json.RawMessage, admin provider.Admin, hc *http.Client, dial provider.Dialer) (provider.Strategy, error) {
	d, ok := Get(name)
	if !ok {
		return nil, &provider.Error{Op: "open vendor", Kind: provider.KindPermanent, Err: errors.New(unknown(name))}
	}
	if !d.SpeaksHTTP() {
		return d.OpenNet(settings, admin, dial)
	}
	return d.Open(settings, admin, hc)
}

// unknown says that there is no such vendor, and which there are.
func unknown(name string) string {
	known, nearest, best := []string(nil), "", 3 // more than two edits is another word
	for _, d := range All() {
		known = append(known, d.Name)
		if n := distance(strings.ToLower(name), d.Name); n < best {
			nearest, best = d.Name, n
		}
	}
	s := `unknown vendor "` + httpapi.Safe(name) + `"`
	if nearest != "" {
		s += fmt.Sprintf(", did you mean %q?", nearest)
	}
	return s + " Known vendors: " + strings.Join(known, ", ")
}

// distance counts the edits that turn a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

package lab

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/provider/sendgrid/sendgridtest"
	"github.com/keyturn/keyturn/shared/providertest/simulator"
	"github.com/keyturn/keyturn/shared/secret"
)

// vendor is the simulated vendor, whose admin credential can be replaced. What a
// subuser's keys do is made up for an exercise: they have all rights, and their mail is
// refused. It is safe for concurrent use.
type vendor struct {
	*sendgridtest.Server

	revoked func(id string) // is told before a key is revoked

	mu    sync.Mutex
	admin secret.Value    // that is accepted in place of the server's own; empty: that one is
	tame  map[string]bool // names of keys that were made on behalf of a subuser
}

// renew ends the admin credential, and returns the new one.
func (v *vendor) renew() secret.Value {
	b := make([]byte, 48)
	_, _ = rand.Read(b) // it never fails
	text := base64.RawURLEncoding.EncodeToString(b)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.admin = secret.New("SG." + text[:22] + "." + text[21:])
	return v.admin
}

// valid returns the admin credential that is accepted now.
func (v *vendor) valid() secret.Value {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.admin.Empty() {
		return v.AdminKey()
	}
	return v.admin
}

// ServeHTTP implements [http.Handler].
func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	own, valid, used := v.AdminKey().Reveal(), v.valid().Reveal(), simulator.Bearer(r)
	switch {
	case used == valid:
		r = r.Clone(r.Context())
		r.Header.Set("Authorization", "Bearer "+own)
		v.note(r)
		if id, ok := strings.CutPrefix(r.URL.Path, "/v3/api_keys/"); ok && r.Method == http.MethodDelete {
			v.revoked(id)
		}
	case used == own:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"errors":[{"message":"The provided authorization grant is invalid, expired, or revoked"}]}`)
		return
	case r.URL.Path == "/v3/mail/send" && v.isTame(used):
		w.WriteHeader(http.StatusForbidden)
		return
	}
	v.Server.ServeHTTP(w, r)
}

// note remembers the name of a key that is made on behalf of a subuser.
func (v *vendor) note(r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != "/v3/api_keys" || r.Header.Get("On-Behalf-Of") == "" {
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	r.Body = io.NopCloser(bytes.NewReader(body))
	var in struct{ Name string }
	if err != nil || json.Unmarshal(body, &in) != nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.tame == nil {
		v.tame = map[string]bool{}
	}
	v.tame[in.Name] = true
}

func (v *vendor) isTame(value string) bool {
	id, _ := keyIn(value)
	all := v.Live()
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.ContainsFunc(all, func(k provider.Key) bool { return k.ID == id && v.tame[k.Name] })
}

var keyForm = regexp.MustCompile(`SG\.([^."]+)\.[^."]+`)

// keyIn returns the key in a secret's text, and its ID; both are empty if there is none.
func keyIn(text string) (id string, key secret.Value) {
	m := keyForm.FindStringSubmatch(text)
	if m == nil {
		return "", secret.Value{}
	}
	return m[1], secret.New(m[0])
}

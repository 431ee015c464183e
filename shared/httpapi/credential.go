package httpapi

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"

	"github.com/keyturn/keyturn/shared/secret"
)

// Credential is what a request proves itself with. Make one with [Bearer],
// [Basic], [Token], [Header], [InBody] or [Signed]. It never prints itself. The
// zero Credential, and one made from an empty value, is refused before anything
// is sent.
type Credential struct {
	header, prefix string
	value          secret.Value
	sign           func(r *http.Request, body []byte) error
}

// Bearer sends "Authorization: Bearer <k>", https://www.rfc-editor.org/rfc/rfc6750.
func Bearer(k secret.Value) Credential { return Token("Bearer ", k) }

// Token sends "Authorization: <prefix><k>"; the prefix has its own space.
func Token(prefix string, k secret.Value) Credential {
	return Credential{header: "Authorization", prefix: prefix, value: k}
}

// Header sends "<name>: <k>".
func Header(name string, k secret.Value) Credential { return Credential{header: name, value: k} }

// Basic sends user and password, https://www.rfc-editor.org/rfc/rfc7617. A user
// that is empty or holds a colon makes an empty Credential.
func Basic(user, password secret.Value) Credential {
	u := user.Reveal()
	if u == "" || password.Empty() || strings.Contains(u, ":") {
		return Credential{}
	}
	pair := base64.StdEncoding.EncodeToString([]byte(u + ":" + password.Reveal()))
	return Token("Basic ", secret.New(pair))
}

// InBody sends no header: the caller puts k into Call.In.
func InBody(k secret.Value) Credential { return Credential{value: k} }

func (c Credential) problem() error {
	if c.value.Empty() {
		return errors.New("the credential is missing or empty")
	}
	// Checked here because the standard client's own error is one of transport.
	if strings.ContainsFunc(c.value.Reveal(), func(r rune) bool { return r < ' ' || r > '~' }) {
		return errors.New("the credential holds a character that a header cannot carry")
	}
	return nil
}

// Signed sends no credential, but what sign puts into each request with k; body
// is the request's. Each try is signed anew.
func Signed(k secret.Value, sign func(r *http.Request, body []byte) error) Credential {
	return Credential{value: k, sign: sign}
}

func (c Credential) set(r *http.Request, body []byte) error {
	switch {
	case c.sign != nil:
		return c.sign(r, body)
	case c.header != "":
		r.Header.Set(c.header, c.prefix+c.value.Reveal())
	}
	return nil
}

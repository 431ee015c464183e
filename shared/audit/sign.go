package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/keyturn/keyturn/shared/secret"
)

// Signed returns r as one line of JSON, and its HMAC-SHA256 with key in hex: for
// a log, when an emergency goes on although the trail does not take r. key may be
// that of the fingerprints, for what is signed begins with a text of its own.
func Signed(r Record, key secret.Value) (line, mac string) {
	b, _ := json.Marshal(r) //nolint:errchkjson,gosec // texts and a time; Secret is its name
	m := hmac.New(sha256.New, []byte(key.Reveal()))
	m.Write([]byte("keyturn audit record\n"))
	m.Write(b)
	return string(b), hex.EncodeToString(m.Sum(nil))
}

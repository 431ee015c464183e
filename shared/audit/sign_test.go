package audit_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/secret"
)

// A signed record can be read again, and its signature depends on all of it and
// on the key.
func TestSigned(t *testing.T) {
	t.Parallel()
	key := secret.New("fingerprint-key")
	r := audit.Record{ID: "create-x", Time: time.Unix(1e9, 0).UTC(), Act: audit.Create, Phase: audit.Intent, Secret: "prod/mailer", Detail: map[string]string{"b": "2", "a": "1"}}
	line, mac := audit.Signed(r, key)
	var got audit.Record
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, got); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	if again, same := audit.Signed(r, key); again != line || same != mac || len(mac) != 64 {
		t.Errorf("%s and %s for one record", mac, same)
	}
	if _, other := audit.Signed(r, secret.New("another")); other == mac {
		t.Error("another key signs alike")
	}
	if secret.New(line).Fingerprint(key) == mac[:16] {
		t.Error("a fingerprint is a signature")
	}
	r.Detail["a"] = "3"
	if _, other := audit.Signed(r, key); other == mac {
		t.Error("the signature does not cover the details")
	}
}

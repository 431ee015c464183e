package retire_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/keyrecord"
)

// What a value says about its own key is no proof: neither a stranger's key nor
// the current one is ended because an old version claims to hold it.
func TestForgedKeyID(t *testing.T) {
	t.Parallel()
	for _, claim := range []string{"id1", "the current key"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			old := w.rotate(token(1))
			current := w.rotate(token(2))
			forged := claim
			if claim != "id1" {
				forged = current
			}
			w.values[token(1)] = fmt.Sprintf(`{"apiKey":%q,"keyturn":{"provider":"acme","keyId":%q,"keyName":%q}}`, w.keys[old].value, forged, w.keys[forged].name)
			w.values[token(2)] = fmt.Sprintf(`{"apiKey":%q,"keyturn":{"provider":"acme","keyId":%q,"keyName":%q}}`, w.keys[current].value, old, w.keys[old].name)
			if !w.live(w.engine(), key(), 4*24*time.Hour, w.is(old, keyrecord.Dead)) {
				t.Errorf("the old key has not ended: %+v", w.record(old))
			}
			if w.keys["id1"].revoked || w.keys[current].revoked || w.state(current) != keyrecord.Current {
				t.Errorf("claim %s: the stranger's %+v, the current %+v", claim, w.keys["id1"], w.keys[current])
			}
			w.check()
		})
	}
}

package rotation_test

import (
	"testing"

	"github.com/keyturn/keyturn/shared/rotation"
	"github.com/keyturn/keyturn/test/cloud"
)

// A call that hangs until the function's time is up leaves enough of it to
// record and tell that.
func TestHangs(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.first()
		w.enable()
		w.cloud.Inject(cloud.Fault{Service: "secretsmanager", Operation: "DescribeSecret", Nth: 1, Count: 9, Effect: cloud.Hang})
		_, err := w.step(rotation.CreateSecret, "99999999-9999-4999-8999-999999999999")
		if errorType(err) != "StoreUnavailable" || len(w.records.failures) != 1 || len(w.inbox.messages) != 1 {
			t.Errorf("%v: %d failures recorded, %d told; want 1 and 1", err, len(w.records.failures), len(w.inbox.messages))
		}
	})
}

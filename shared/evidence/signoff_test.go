package evidence

import (
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/history"
)

// A sign-off is evidence about the keys of which it decides something.
func TestSignOff(t *testing.T) {
	t.Parallel()
	f := history.Fact{Kind: history.KindSignOff, SignOff: &history.SignOff{
		Report: "s3://b/review.html", Decision: "accepted", Note: "seen", Each: []string{"prod/mailer removal: done"},
	}}
	for name, want := range map[string]bool{"prod/mailer": true, "prod/mail": false, "prod/shop": false} {
		if got := (Request{Secret: name}).wants(time.Now(), f); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := what(f); !strings.Contains(got, "accepted: seen; prod/mailer removal: done") {
		t.Error(got)
	}
}

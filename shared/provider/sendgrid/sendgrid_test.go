package sendgrid_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/provider/sendgrid"
	"github.com/keyturn/keyturn/shared/provider/sendgrid/sendgridtest"
	"github.com/keyturn/keyturn/shared/providertest"
)

func subject() providertest.Subject {
	return providertest.Subject{
		Definition: sendgrid.Definition(),
		Settings: func(base string) json.RawMessage {
			return json.RawMessage(`{"baseURL": "` + base + `", "scopes": ["mail.send"]}`)
		},
		New:     func(clock func() time.Time) providertest.Fake { return sendgridtest.New(clock, sendgridtest.Options{}) },
		Consume: sendgridtest.Consume,
	}
}

func TestContract(t *testing.T) {
	t.Parallel()
	providertest.Run(t, subject())
}

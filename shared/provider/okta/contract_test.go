package okta_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/provider/okta"
	"github.com/keyturn/keyturn/shared/provider/okta/oktatest"
	"github.com/keyturn/keyturn/shared/providertest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.Subject{
		Definition: okta.Definition(),
		Settings: func(base string) json.RawMessage {
			return json.RawMessage(`{"baseURL": "` + base + `", "appID": "` + oktatest.AppID + `", "clientID": "` + oktatest.ClientID + `"}`)
		},
		New: func(clock func() time.Time) providertest.Fake {
			return oktatest.New(clock, oktatest.Options{})
		},
		Consume: oktatest.Consume,
	})
}

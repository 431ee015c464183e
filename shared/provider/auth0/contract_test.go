package auth0_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/provider/auth0"
	"github.com/keyturn/keyturn/shared/provider/auth0/auth0test"
	"github.com/keyturn/keyturn/shared/providertest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.Subject{
		Definition: auth0.Definition(),
		Settings: func(base string) json.RawMessage {
			return json.RawMessage(`{"baseURL": "` + base + `", "clientID": "` + auth0test.ClientID + `", "audience": "` + auth0test.Audience + `"}`)
		},
		New: func(clock func() time.Time) providertest.Fake {
			return auth0test.New(clock, auth0test.Options{})
		},
		Slow: func(clock func() time.Time) providertest.Fake {
			return auth0test.New(clock, auth0test.Options{Spread: 30 * time.Second})
		},
		Consume: auth0test.Consume,
	})
}

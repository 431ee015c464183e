package launchdarkly_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/provider/launchdarkly"
	"github.com/keyturn/keyturn/shared/provider/launchdarkly/launchdarklytest"
	"github.com/keyturn/keyturn/shared/providertest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.Subject{
		Definition: launchdarkly.Definition(),
		Settings: func(base string) json.RawMessage {
			return json.RawMessage(`{"baseURL": "` + base + `", "tokenID": "` + launchdarklytest.TokenID + `"}`)
		},
		New: func(clock func() time.Time) providertest.Fake {
			return launchdarklytest.New(clock, launchdarklytest.Options{})
		},
		Consume: launchdarklytest.Consume,
	})
}

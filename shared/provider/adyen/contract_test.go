package adyen_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/provider/adyen"
	"github.com/keyturn/keyturn/shared/provider/adyen/adyentest"
	"github.com/keyturn/keyturn/shared/providertest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.Subject{
		Definition: adyen.Definition(),
		Settings: func(base string) json.RawMessage {
			return json.RawMessage(`{"baseURL": "` + base + `/v3", "merchantID": "` + adyentest.MerchantID + `", "credentialID": "` + adyentest.CredentialID + `"}`)
		},
		New: func(clock func() time.Time) providertest.Fake {
			return adyentest.New(clock, adyentest.Options{})
		},
		Slow: func(clock func() time.Time) providertest.Fake {
			return adyentest.New(clock, adyentest.Options{Settle: 5 * time.Minute})
		},
		Consume: adyentest.Consume,
	})
}

package awsiam_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/provider/awsiam"
	"github.com/keyturn/keyturn/shared/provider/awsiam/awsiamtest"
	"github.com/keyturn/keyturn/shared/providertest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.Subject{
		Definition: awsiam.Definition(),
		Settings: func(base string) json.RawMessage {
			return json.RawMessage(`{"baseURL": "` + base + `", "stsURL": "` + base + `", "userName": "` + awsiamtest.UserName + `"}`)
		},
		New: func(clock func() time.Time) providertest.Fake {
			return awsiamtest.New(clock, awsiamtest.Options{PageSize: 1})
		},
		Slow: func(clock func() time.Time) providertest.Fake {
			return awsiamtest.New(clock, awsiamtest.Options{Settle: 40 * time.Second})
		},
		Consume: awsiamtest.Consume,
		Signs:   true,
	})
}

package gitea_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/provider/gitea"
	"github.com/keyturn/keyturn/shared/provider/gitea/giteatest"
	"github.com/keyturn/keyturn/shared/providertest"
)

func subject() providertest.Subject {
	return providertest.Subject{
		Definition: gitea.Definition(),
		Settings: func(base string) json.RawMessage {
			return json.RawMessage(`{"baseURL": "` + base + `", "scopes": ["read:user", "write:repository"]}`)
		},
		New:     func(clock func() time.Time) providertest.Fake { return giteatest.New(clock, giteatest.Options{PageSize: 6}) },
		Consume: giteatest.Consume,
	}
}

func TestContract(t *testing.T) {
	t.Parallel()
	providertest.Run(t, subject())
}

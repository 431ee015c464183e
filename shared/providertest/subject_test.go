package providertest

import (
	"encoding/json"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/provider/cloudflare"
	"github.com/keyturn/keyturn/shared/provider/cloudflare/cloudflaretest"
	"github.com/keyturn/keyturn/shared/provider/gitea"
	"github.com/keyturn/keyturn/shared/provider/gitea/giteatest"
	"github.com/keyturn/keyturn/shared/provider/sendgrid"
	"github.com/keyturn/keyturn/shared/provider/sendgrid/sendgridtest"
)

// settings stand for those of any vendor.
type settings struct {
	URL      string            `json:"baseURL"`
	Scopes   []string          `json:"scopes,omitempty"`
	Policies []json.RawMessage `json:"policies,omitempty"`
}

func (s settings) BaseURL() string              { return s.URL }
func (s settings) Problems() []provider.Problem { return nil }
func (s settings) raw() json.RawMessage {
	b, _ := json.Marshal(s)
	return b
}

func sendgridSubject() Subject {
	return Subject{
		Definition: sendgrid.Definition(),
		Settings:   func(base string) json.RawMessage { return settings{URL: base, Scopes: []string{"mail.send"}}.raw() },
		New:        func(clock func() time.Time) Fake { return sendgridtest.New(clock, sendgridtest.Options{}) },
		Consume:    sendgridtest.Consume,
	}
}

func giteaSubject() Subject {
	return Subject{
		Definition: gitea.Definition(),
		Settings:   func(base string) json.RawMessage { return settings{URL: base, Scopes: []string{"read:user"}}.raw() },
		New:        func(clock func() time.Time) Fake { return giteatest.New(clock, giteatest.Options{PageSize: 6}) },
		Consume:    giteatest.Consume,
	}
}

func cloudflareSubject() Subject {
	return Subject{
		Definition: cloudflare.Definition(),
		Settings: func(base string) json.RawMessage {
			return settings{URL: base + "/client/v4", Policies: []json.RawMessage{onePolicy("c8fed203ed3043cba015a93ad1616f1f"), onePolicy("82e64a83756745bbbb1c9c2701bf816b")}}.raw()
		},
		New: func(clock func() time.Time) Fake {
			return cloudflaretest.New(clock, cloudflaretest.Options{PageSize: 10})
		},
		Consume: cloudflaretest.Consume,
	}
}

func onePolicy(group string) json.RawMessage {
	return json.RawMessage(`{"effect":"allow","permission_groups":[{"id":"` + group + `"}],"resources":{"com.cloudflare.api.account.zone.*":"*"}}`)
}

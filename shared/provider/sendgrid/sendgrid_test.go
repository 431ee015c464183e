package sendgrid_test

import (
	"encoding/json"
	"net/http"
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

// Promise: create-once
func TestContract(t *testing.T) {
	t.Parallel()
	providertest.Run(t, subject())
}

// What we send, and what the fake answers, is what SendGrid describes.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	spec, ok := providertest.Reference(t, "sendgrid.json", "sendgrid-scopes.json")
	n := providertest.Lived(t, subject(), func(next http.RoundTripper) http.RoundTripper {
		if !ok {
			return next
		}
		return spec.Wrap(next, func(err error) { t.Error(err) })
	})
	if n < 8 {
		t.Errorf("a life took %d requests, want every kind of request in it", n)
	}
}

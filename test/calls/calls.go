// Package calls counts what a whole cold rotation costs in calls to AWS.
package calls

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/provider/auth0/auth0test"
	"github.com/keyturn/keyturn/shared/provider/awsiam/awsiamtest"
	"github.com/keyturn/keyturn/shared/provider/gitea/giteatest"
	"github.com/keyturn/keyturn/shared/provider/launchdarkly/launchdarklytest"
	"github.com/keyturn/keyturn/shared/provider/okta/oktatest"
	"github.com/keyturn/keyturn/shared/provider/sendgrid/sendgridtest"
	"github.com/keyturn/keyturn/shared/providertest"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/lambda"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/stack"
)

// Step is one of Secrets Manager's four, with the calls that it made.
type Step struct {
	Name  string
	Calls []cloud.CallRecord
}

// Bill is a whole rotation.
type Bill struct {
	Steps  []Step
	Secret int // Secrets Manager calls on the rotated secret
	Writes int // of them, those that write
	All    int // AWS calls
}

const secret = "prod/app/key"

// Rotation rotates a key of a vendor once, on a local AWS and with functions in
// this process that are new, and returns what that took.
func Rotation(ctx context.Context, vendor string) (Bill, error) {
	var m marks
	var r *region.Region
	r = region.New(region.Options{Lambda: lambda.Options{OnInvoke: func(i lambda.Invocation) {
		if i.Function == stack.Rotate("main") {
			m.add(i.Payload, len(r.Cloud.Calls()))
		}
	}}})
	defer r.Close() //nolint:errcheck // nothing runs any more
	o, given, err := options(vendor, r)
	if err != nil {
		return Bill{}, err
	}
	s, err := stack.Deploy(ctx, r, o)
	if err != nil {
		return Bill{}, err
	}
	defer s.Close()
	if err = first(ctx, r, s, given); err != nil {
		return Bill{}, err
	}
	if err = s.Enable(ctx, secret); err != nil {
		return Bill{}, err
	}
	m.clear()
	if _, err = sm.NewFromConfig(r.Cloud.Config()).RotateSecret(ctx, &sm.RotateSecretInput{SecretId: aws.String(secret)}); err != nil {
		return Bill{}, fmt.Errorf("rotate: %w", err)
	}
	if err = r.Cloud.Rotated(ctx, secret); err != nil {
		return Bill{}, fmt.Errorf("wait for the rotation: %w", err)
	}
	return m.bill(r.Cloud.Calls())
}

// first makes the first key, or stores the one that was there before us.
func first(ctx context.Context, r *region.Region, s *stack.Stack, given string) error {
	if given == "" {
		return s.Init(ctx, secret)
	}
	value, err := json.Marshal(map[string]string{"apiKey": given})
	if err != nil {
		return err
	}
	if _, err = sm.NewFromConfig(r.Cloud.Config()).PutSecretValue(ctx, &sm.PutSecretValueInput{SecretId: aws.String(secret), SecretString: aws.String(string(value))}); err != nil {
		return err
	}
	// What the label's event starts, but before the calls are counted: the key
	// has a record, as each but a new one has.
	_, err = sdk.NewFromConfig(r.Cloud.Config()).Invoke(ctx, &sdk.InvokeInput{
		FunctionName: aws.String(stack.Retire("main")), Payload: []byte(`{"version":1,"secret":"` + secret + `"}`),
	})
	return err
}

// marks are the calls made before each step began.
type marks struct {
	mu    sync.Mutex
	steps []string
	calls []int
}

func (m *marks) add(payload []byte, calls int) {
	var e struct{ Step string }
	_ = json.Unmarshal(payload, &e) // a request without one has none
	m.mu.Lock()
	defer m.mu.Unlock()
	m.steps, m.calls = append(m.steps, e.Step), append(m.calls, calls)
}

func (m *marks) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.steps, m.calls = nil, nil
}

func (m *marks) bill(log []cloud.CallRecord) (b Bill, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.steps) != 4 {
		return b, fmt.Errorf("the steps were %v, want four", m.steps)
	}
	for i, name := range m.steps {
		end := len(log)
		if i+1 < len(m.calls) {
			end = m.calls[i+1]
		}
		step := Step{Name: name}
		for _, c := range log[m.calls[i]:end] {
			if c.AccessKey != stack.Rotate("main") {
				continue // the retire function's, which the label event has started
			}
			step.Calls = append(step.Calls, c)
			b.All++
			if c.Service == "secretsmanager" && c.Target == secret {
				b.Secret++
				if c.Operation == "PutSecretValue" || c.Operation == "UpdateSecretVersionStage" {
					b.Writes++
				}
			}
		}
		b.Steps = append(b.Steps, step)
	}
	return b, nil
}

// fake is a simulator as its package makes it.
type fake interface {
	http.Handler
	Admin(host string) provider.Admin
	Add(name string, scopes ...string) provider.Issued
}

// simulated are the vendors whose rotation is counted.
var simulated = map[string]struct {
	start    func(clock func() time.Time) fake
	settings map[string]any
	given    bool // there is a key before us
}{
	"sendgrid": {
		func(c func() time.Time) fake { return sendgridtest.New(c, sendgridtest.Options{}) },
		map[string]any{"scopes": []string{"mail.send"}},
		false,
	},
	"gitea": {
		func(c func() time.Time) fake { return giteatest.New(c, giteatest.Options{}) },
		map[string]any{"scopes": []string{"read:user"}},
		false,
	},
	"launchdarkly": {
		func(c func() time.Time) fake { return launchdarklytest.New(c, launchdarklytest.Options{}) },
		map[string]any{"tokenID": launchdarklytest.TokenID},
		false,
	},
	"okta": {
		func(c func() time.Time) fake { return oktatest.New(c, oktatest.Options{}) },
		map[string]any{"appID": oktatest.AppID, "clientID": oktatest.ClientID},
		true,
	},
	"aws-iam": {
		func(c func() time.Time) fake { return awsiamtest.New(c, awsiamtest.Options{}) },
		map[string]any{"userName": awsiamtest.UserName, "stsURL": "https://vendor.test"},
		false,
	},
	"auth0": {
		func(c func() time.Time) fake { return auth0test.New(c, auth0test.Options{}) },
		map[string]any{"clientID": auth0test.ClientID, "audience": auth0test.Audience},
		false,
	},
}

// options deploys a vendor; given is the key that it has before us, "" if none.
func options(vendor string, r *region.Region) (o stack.Options, given string, err error) {
	const host = "vendor.test"
	s, ok := simulated[vendor]
	if !ok {
		return o, "", fmt.Errorf("no simulator of %q", vendor)
	}
	f := s.start(r.Cloud.Clock().Now)
	if s.given {
		given = f.Add("made with the app").Value.Reveal()
	}
	return stack.Options{
		Accounts: map[string]stack.Account{"main": {Provider: vendor, Base: "https://" + host, Hosts: []string{host}, Admin: f.Admin(host)}},
		Keys:     map[string]stack.Key{secret: {Account: "main", Settings: s.settings, More: map[string]any{"acceptDowntime": true}}},
		Vendors:  &providertest.Transport{Handler: f, Host: host},
	}, given, nil
}

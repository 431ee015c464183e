// Package calls counts what a rotation costs.
package calls

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/keyturn/keyturn/shared/provider/gitea/giteatest"
	"github.com/keyturn/keyturn/shared/provider/sendgrid/sendgridtest"
	"github.com/keyturn/keyturn/shared/providertest"
	"github.com/keyturn/keyturn/test/cloud/lambda"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/stack"
)

// A whole cold Overlap rotation makes at most 8 Secrets Manager calls on the
// rotated secret, exactly 2 of them writes, and at most 14 AWS calls in all.
func TestRotation(t *testing.T) {
	t.Parallel()
	for _, vendor := range []string{"sendgrid", "gitea"} {
		t.Run(vendor, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { count(t, vendor) })
		})
	}
}

func count(t *testing.T, vendor string) {
	t.Helper()
	const name = "prod/app/key"
	var began []invocation
	var r *region.Region
	r = region.New(region.Options{Lambda: lambda.Options{OnInvoke: func(i lambda.Invocation) {
		if i.Function == stack.Rotate("main") {
			began = append(began, invocation{stepOf(i.Payload), len(r.Cloud.Calls())})
		}
	}}})
	defer r.Close()
	s, err := stack.Deploy(t.Context(), r, options(vendor, r, name))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err = s.Init(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	if err = s.Enable(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	began = nil
	if _, err = sm.NewFromConfig(r.Cloud.Config()).RotateSecret(t.Context(), &sm.RotateSecretInput{SecretId: aws.String(name)}); err != nil {
		t.Fatal(err)
	}
	if err = r.Cloud.Rotated(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	if len(began) != 4 {
		t.Fatalf("%d invocations, want four steps", len(began))
	}
	own, writes, all := 0, 0, 0
	log := r.Cloud.Calls()
	for i, step := range began {
		end := len(log)
		if i+1 < len(began) {
			end = began[i+1].calls
		}
		var calls []string
		for _, c := range log[step.calls:end] {
			if c.AccessKey != stack.Rotate("main") {
				continue // the retire function's, which the label event has started
			}
			calls = append(calls, c.Service+":"+c.Operation)
			all++
			if c.Target != name || c.Service != "secretsmanager" {
				continue
			}
			own++
			if c.Operation != "DescribeSecret" && c.Operation != "GetSecretValue" {
				writes++
			}
		}
		t.Logf("%-12s %s", step.name, strings.Join(calls, ", "))
	}
	t.Logf("%s: %d Secrets Manager calls on the secret, %d of them writes; %d AWS calls in all", vendor, own, writes, all)
	if own > 8 || own < 4 || writes != 2 || all > 14 {
		t.Errorf("%d calls on the secret, %d writes, %d in all; want at most 8, exactly 2, at most 14", own, writes, all)
	}
}

type invocation struct {
	name  string
	calls int // made before it
}

func stepOf(payload []byte) string {
	var e struct{ Step string }
	if json.Unmarshal(payload, &e) != nil {
		return "?"
	}
	return e.Step
}

func options(vendor string, r *region.Region, name string) stack.Options {
	const host = "vendor.test"
	a := stack.Account{Provider: vendor, Base: "https://" + host, Hosts: []string{host}}
	var fake http.Handler
	scopes := "mail.send"
	switch vendor {
	case "sendgrid":
		f := sendgridtest.New(r.Cloud.Clock().Now, sendgridtest.Options{})
		a.Admin, fake = f.Admin(host), f
	case "gitea":
		f := giteatest.New(r.Cloud.Clock().Now, giteatest.Options{})
		a.Admin, fake, scopes = f.Admin(host), f, "read:user"
	}
	return stack.Options{
		Accounts: map[string]stack.Account{"main": a},
		Keys:     map[string]stack.Key{name: {Account: "main", Settings: map[string]any{"scopes": []string{scopes}}}},
		Vendors:  &providertest.Transport{Handler: fake, Host: host},
	}
}

package main

import (
	"context"
	"errors"
	"os"

	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/keyturn/keyturn/shared/provider/sendgrid/sendgridtest"
	"github.com/keyturn/keyturn/shared/providertest"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/stack"
)

// cmdDeploy gives a script another AWS, with the real functions and SendGrid's
// simulator, and prod/mailer without a value.
func cmdDeploy(ts *testscript.TestScript, neg bool, args []string) {
	w, ok := ts.Value(worldKey{}).(*world)
	if !ok || neg || len(args) != 0 {
		ts.Fatalf("wrong use")
	}
	const host = "vendor.test"
	r := region.New(region.Options{})
	vendor := sendgridtest.New(r.Cloud.Clock().Now, sendgridtest.Options{})
	ctx, stop := context.WithCancel(context.Background())
	s, err := stack.Deploy(ctx, r, stack.Options{
		Accounts: map[string]stack.Account{"main": {Provider: "sendgrid", Base: "https://" + host, Hosts: []string{host}, Admin: vendor.Admin(host)}},
		Keys:     map[string]stack.Key{"prod/mailer": {Account: "main", Settings: map[string]any{"scopes": []string{"mail.send"}}}},
		Vendors:  &providertest.Transport{Handler: vendor, Host: host},
	})
	ts.Check(err)
	l, err := r.Listen(ctx, "127.0.0.1:0")
	ts.Check(err)
	served := make(chan error, 1)
	go func() { served <- r.Serve(ctx, l) }()
	ts.Defer(func() {
		stop()
		s.Close()
		if err := errors.Join(<-served, r.Close()); err != nil {
			ts.Logf("end: %v", err)
		}
	})
	w.stack, w.vendor = s, vendor
	ts.Setenv("AWS_ENDPOINT_URL", r.Endpoint())
	ts.Check(os.WriteFile(ts.MkAbs("keyturn.json"), s.Config, 0o600))
}

// cmdEnable turns the rotation of a deployed secret on.
func (w *world) cmdEnable(ctx context.Context, args []string) error {
	return w.stack.Enable(ctx, args[0])
}

// cmdIdle waits until nothing is under way in the deployment.
func (w *world) cmdIdle(ctx context.Context, _ []string) error {
	return w.stack.Region.Cloud.Idle(ctx)
}

// cmdHand puts a key that somebody made by hand into a deployed secret.
func (w *world) cmdHand(ctx context.Context, args []string) error {
	c := sm.NewFromConfig(w.stack.Region.Cloud.Config())
	key := w.vendor.Add("made by hand", "mail.send")
	value := `{"user":"apikey","apiKey":"` + key.Value.Reveal() + `"}`
	if _, err := c.PutSecretValue(ctx, &sm.PutSecretValueInput{SecretId: &args[0], SecretString: &value}); err != nil || len(args) == 1 {
		return err
	}
	_, err := c.PutResourcePolicy(ctx, &sm.PutResourcePolicyInput{SecretId: &args[0], ResourcePolicy: &args[1]})
	return err
}

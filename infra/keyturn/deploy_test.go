package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/provider/cloudflare/cloudflaretest"
	"github.com/keyturn/keyturn/shared/provider/sendgrid/sendgridtest"
	"github.com/keyturn/keyturn/shared/providertest"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/cloud/secretsmanager"
	"github.com/keyturn/keyturn/test/cloud/wire"
	"github.com/keyturn/keyturn/test/stack"
)

// vendor is the simulator of one vendor.
type vendor interface {
	http.Handler
	Admin(host string) provider.Admin
	Add(name string, rights ...string) provider.Issued
	Live() []provider.Key
}

// vendors are those that a script may deploy, with the settings of a key.
func vendors(now func() time.Time) map[string]struct {
	vendor
	path     string
	settings map[string]any
} {
	return map[string]struct {
		vendor
		path     string
		settings map[string]any
	}{
		"sendgrid": {sendgridtest.New(now, sendgridtest.Options{}), "", map[string]any{"scopes": []string{"mail.send"}}},
		"cloudflare": {cloudflaretest.New(now, cloudflaretest.Options{}), "/client/v4", map[string]any{"policies": []any{map[string]any{
			"effect": "allow", "permission_groups": []any{map[string]any{"id": "c8fed203ed3043cba015a93ad1616f1f"}},
			"resources": map[string]any{"com.cloudflare.api.account.zone.*": "*"},
		}}}},
	}
}

// cmdDeploy gives a script another AWS, with the real functions and a vendor's
// simulator (SendGrid's, unless it names another; loopback: SendGrid's where the
// command reaches it too, with its credential in good.json; watched: its accesses are
// watched, and the ledger's key is in ledger.pub), and prod/mailer without a value.
func cmdDeploy(ts *testscript.TestScript, neg bool, args []string) {
	w, ok := ts.Value(worldKey{}).(*world)
	if !ok || neg || len(args) > 1 {
		ts.Fatalf("wrong use")
	}
	host, base := "vendor.test", "https://vendor.test"
	r := region.New(region.Options{Cloud: cloud.Options{SecretsManager: secretsmanager.Options{RetryDelay: time.Millisecond}}})
	name := "sendgrid"
	loopback := len(args) > 0 && args[0] == "loopback"
	var watch *stack.Watch
	if len(args) > 0 && args[0] == "watched" {
		watch = &stack.Watch{Deployers: []string{"arn:aws:iam::" + wire.Account + ":user/local"}}
	} else if len(args) > 0 && !loopback {
		name = args[0]
	}
	v := vendors(r.Cloud.Clock().Now)[name]
	out := &outage{next: v.vendor}
	var way http.RoundTripper
	if loopback {
		server := httptest.NewServer(out)
		ts.Defer(server.Close)
		base, host, way = server.URL, strings.TrimPrefix(server.URL, "http://"), nil
		good, err := json.Marshal(map[string]string{"apiKey": v.Admin(host).Field("apiKey").Reveal()})
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs("good.json"), good, 0o600))
		ts.Check(os.WriteFile(ts.MkAbs("keyturn.yaml"), []byte(strings.ReplaceAll(keysYAML, "HOST", host)), 0o600))
	} else {
		way = &providertest.Transport{Handler: out, Host: host}
	}
	ctx, stop := context.WithCancel(context.Background())
	s, err := stack.Deploy(ctx, r, stack.Options{
		Accounts: map[string]stack.Account{"main": {Provider: name, Base: base + v.path, Hosts: []string{host}, Admin: v.Admin(host)}},
		Keys:     map[string]stack.Key{"prod/mailer": {Account: "main", Settings: v.settings}},
		Vendors:  way,
		Watch:    watch,
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
	w.stack, w.vendor, w.outage, w.watched = s, v.vendor, out, watch != nil
	ts.Setenv("AWS_ENDPOINT_URL", r.Endpoint())
	ts.Check(os.WriteFile(ts.MkAbs("keyturn.json"), s.Config, 0o600))
	if watch != nil {
		key, err := s.VerifierKey(ctx)
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs("ledger.pub"), []byte(key+"\n"), 0o600))
	}
}

// cmdEnable turns the rotation of a deployed secret on.
func (w *world) cmdEnable(ctx context.Context, args []string) error {
	return w.stack.Enable(ctx, args[0])
}

// cmdIdle waits until nothing is under way in the deployment, nor waits to be recorded: a
// queue forgets it when the clock is moved by days.
func (w *world) cmdIdle(ctx context.Context, _ []string) error {
	if err := w.stack.Region.Cloud.Idle(ctx); err != nil || !w.watched {
		return err
	}
	return soon(ctx, "the queues to be empty", func() (bool, error) { return w.stack.Drained(), nil })
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

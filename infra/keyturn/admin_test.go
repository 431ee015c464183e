package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/keyturn/keyturn/shared/catalog"
	"github.com/keyturn/keyturn/shared/payload"
	"github.com/keyturn/keyturn/shared/provider/sendgrid/sendgridtest"
	"github.com/keyturn/keyturn/shared/secret"
)

// keysYAML has a vendor account whose API is on this machine.
const keysYAML = `version: 1
environments:
  test: {account: "123456789012", region: us-east-1}
defaults: {owner: platform@example.com}
vendorAccounts:
  main: {provider: sendgrid, admin: keyturn/admin/main, hosts: ["HOST"], allowPrivate: true}
  spare: {provider: sendgrid, admin: keyturn/admin/spare, hosts: ["HOST"], allowPrivate: true}
keys:
  - {name: prod/mailer, vendorAccount: main, owner: mailer@example.com, settings: {baseURL: "http://HOST", scopes: [mail.send]}}
`

// cmdVendor serves SendGrid's simulator on loopback, and writes the keys' file
// and some credentials: good.json, weak.json (a key that manages no keys), wrong.json.
func cmdVendor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: vendor")
	}
	v := sendgridtest.New(time.Now, sendgridtest.Options{})
	s := httptest.NewServer(v)
	ts.Defer(s.Close)
	host := strings.TrimPrefix(s.URL, "http://")
	write := func(name, text string) { ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o600)) }
	write("keyturn.yaml", strings.ReplaceAll(keysYAML, "HOST", host))
	apiKey := v.Admin(host).Field("apiKey").Reveal()
	credential := func(value string) string {
		b, err := json.Marshal(map[string]string{"apiKey": value})
		ts.Check(err)
		return string(b)
	}
	write("good.json", credential(apiKey))
	write("good.txt", apiKey+"\n")
	write("weak.json", credential(v.Add("weak").Value.Reveal()))
	write("wrong.json", credential("SG.VALUE-TO-HIDE"))
	write("elsewhere.json", `{"apiKey":"VALUE-TO-HIDE","hosts":["evil.example"]}`)
	ts.Setenv("GOOD", apiKey)
	ts.Setenv("HOST", host)
}

// cmdCredential wants an admin secret to hold $GOOD, for $HOST alone, behind its
// policy and without tags.
func cmdCredential(ts *testscript.TestScript, neg bool, args []string) {
	w, ok := ts.Value(worldKey{}).(*world)
	if !ok || neg || len(args) != 1 {
		ts.Fatalf("usage: credential NAME")
	}
	ts.Check(w.credential(context.Background(), args[0], ts.Getenv("GOOD"), ts.Getenv("HOST")))
}

func (w *world) credential(ctx context.Context, name, apiKey, host string) error {
	v, err := w.secrets.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: &name})
	if err != nil {
		return err
	}
	d, _ := catalog.Get("sendgrid")
	admin, err := payload.ParseAdmin(secret.New(*v.SecretString), d.Admin)
	if err != nil || admin.Field("apiKey").Reveal() != apiKey || fmt.Sprint(admin.Hosts) != "["+host+"]" {
		return fmt.Errorf("it holds %s: %w", *v.SecretString, err)
	}
	p, err := w.secrets.GetResourcePolicy(ctx, &sm.GetResourcePolicyInput{SecretId: &name})
	if err != nil || !strings.Contains(aws.ToString(p.ResourcePolicy), "OnlyFunctionsRead") || !strings.Contains(*p.ResourcePolicy, "keyturn-rotate-main") {
		return fmt.Errorf("policy %v: %w", aws.ToString(p.ResourcePolicy), err)
	}
	s, err := w.secrets.DescribeSecret(ctx, &sm.DescribeSecretInput{SecretId: &name})
	if err == nil && len(s.Tags) > 0 {
		err = errors.New("it has tags: the functions may write secrets by them")
	}
	return err
}

// cmdSpoil changes an admin secret behind the command's back.
func (w *world) cmdSpoil(ctx context.Context, args []string) (err error) {
	name := args[0]
	switch args[1] {
	case "policy": // the present one goes
		text := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/audit"},"Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`
		_, err = w.secrets.PutResourcePolicy(ctx, &sm.PutResourcePolicyInput{SecretId: &name, ResourcePolicy: &text})
	case "stale": // ours, of a time with other functions
		text := `{"Version":"2012-10-17","Statement":[{"Sid":"OnlyFunctionsRead","Effect":"Deny","Principal":"*","Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`
		_, err = w.secrets.PutResourcePolicy(ctx, &sm.PutResourcePolicyInput{SecretId: &name, ResourcePolicy: &text})
	case "deletion":
		_, err = w.secrets.DeleteSecret(ctx, &sm.DeleteSecretInput{SecretId: &name})
	case "rotation":
		err = w.enable(ctx, name)
	default:
		err = fmt.Errorf("unknown %s", args[1])
	}
	return err
}

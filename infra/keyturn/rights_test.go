package main

import (
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/keyturn/keyturn/infra/access"
	"github.com/keyturn/keyturn/shared/catalog"
	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/keysfile"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// cmdMay runs a program, and wants the policy of a role to allow every call to
// AWS that it makes.
func cmdMay(ts *testscript.TestScript, neg bool, args []string) {
	w, ok := ts.Value(worldKey{}).(*world)
	if !ok || neg || len(args) < 3 {
		ts.Fatalf("usage: may ROLE EXIT PROGRAM ARG...")
	}
	last := 0
	if before := w.cloud().Calls(); len(before) > 0 {
		last = before[len(before)-1].Seq
	}
	cmdExits(ts, false, args[1:])
	f, err := keysfile.LoadFiles(keysfile.Options{Vendors: catalog.All()}, ts.MkAbs("keyturn.yaml"))
	ts.Check(err)
	site, err := access.New(f, access.Environment{Account: wire.Account, Region: wire.Region})
	ts.Check(err)
	document, err := site.Person(args[0])
	if args[0] == "deploy" {
		document, err = site.Deploy()
	}
	ts.Check(err)
	looked := 0
	for _, c := range w.cloud().Calls(cloud.After(last)) {
		if c.Operation == "GetCallerIdentity" { // needs no right
			continue
		}
		looked++
		action, resource := asIAM(c)
		r := iam.Request{
			Principal: iam.NewSession("arn:aws:iam::"+wire.Account+":role/somebody", "s"), Action: action, Resource: resource,
			Absent: []string{"aws:MultiFactorAuthPresent", "aws:ResourceTag/*"},
		}
		policies := iam.Policies{Identity: []iam.Policy{{Name: args[0], Document: document}}}
		if c.Service == "kms" { // whose policy leaves it to the account's; the call's body is not kept, and each alias has the same right
			r.Context = map[string][]string{"kms:RequestAlias": {site.LedgerAlias()}}
			policies.Resource = &iam.Policy{Name: "the key policy", Document: iam.Document{Version: iam.Version, Statement: []iam.Statement{{
				Effect: iam.Allow, Principal: &iam.Principals{AWS: iam.Strings{"arn:aws:iam::" + wire.Account + ":root"}}, Action: iam.Strings{"kms:*"}, Resource: iam.Strings{"*"},
			}}}}
		}
		d, err := iam.Evaluate(r, policies)
		ts.Check(err)
		if d.Effect != iam.Allowed {
			ts.Fatalf("%s may not %s on %s: %s", args[0], action, resource, d.Effect)
		}
	}
	if looked == 0 {
		ts.Fatalf("it made no call")
	}
}

// asIAM returns the action and the resource of a call, as IAM sees them.
// https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
func asIAM(c cloud.CallRecord) (action, resource string) {
	action, resource = c.Service+":"+c.Operation, "*"
	arn := func(rest string) string {
		return "arn:aws:" + c.Service + ":" + wire.Region + ":" + wire.Account + ":" + rest
	}
	switch {
	case c.Service == "secretsmanager" && c.Operation != "ListSecrets":
		resource = arn("secret:" + c.Target + "-AbCdEf")
	case c.Service == "lambda" && c.Operation != "GetAccountSettings": // which one is in the path, and there is one
		action, resource = strings.Replace(action, "lambda:Invoke", "lambda:InvokeFunction", 1), arn("function:keyturn-rotate-main")
	case c.Service == "sns" && c.Operation != "GetSubscriptionAttributes":
		resource = arn("keyturn-notifications")
	case c.Service == "events":
		resource = arn("rule/" + c.Target)
	case c.Service == "kms": // by an alias: see rights
		resource = arn("key/x")
	case c.Service == "ssm":
		resource = arn("parameter/" + strings.TrimPrefix(c.Target, "/"))
	}
	return action, resource
}

package upgrade

import (
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/catalog"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	table "github.com/keyturn/keyturn/shared/keyrecord/dynamodb"
	"github.com/keyturn/keyturn/shared/payload"
	"github.com/keyturn/keyturn/shared/providertest"
	value "github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/test/cloud/dynamodb/attr"
	"github.com/keyturn/keyturn/test/cloud/lambda"
	"github.com/keyturn/keyturn/test/cloud/wire"
	"github.com/keyturn/keyturn/test/events"
	"github.com/keyturn/keyturn/test/stack"
)

var update = flag.Bool("update", false, "write what this version stores, where there is no file yet")

const v0 = "testdata/v0"

// fixture reads a file; with -update it makes one that is not there.
func fixture(t *testing.T, name string, made func() any, into any) {
	t.Helper()
	path := filepath.Join(v0, name)
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) && *update {
		if b, err = json.MarshalIndent(made(), "", "  "); err == nil {
			err = os.WriteFile(path, append(b, '\n'), 0o644)
		}
	}
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func keyOf(v Value) string {
	if v.Shape.Fields != nil {
		return `{"accessKeyId":"AKIAEXAMPLE","secretAccessKey":"not-a-real-one"}`
	}
	return "not-a-real-key"
}

func TestValues(t *testing.T) {
	t.Parallel()
	var values []Value
	fixture(t, "values.json", func() any {
		all := before()
		for i, v := range all {
			m := payload.Meta{}
			if v.Meta != nil {
				m = *v.Meta
			}
			built, err := payload.Build(value.New(v.Text), v.Shape, value.New(keyOf(v)), m)
			if err != nil {
				t.Fatal(v.Name, err)
			}
			all[i].Text, all[i].Key = built.Reveal(), keyOf(v)
		}
		return all
	}, &values)
	if len(values) != len(before()) {
		t.Fatalf("%d values", len(values))
	}
	for _, v := range values {
		got, err := payload.Key(value.New(v.Text), v.Shape)
		if err != nil || got.Reveal() != v.Key {
			t.Errorf("%s: another key: %v", v.Name, err)
		}
		m, ok := payload.Metadata(value.New(v.Text), v.Shape)
		if ok != (v.Meta != nil) || ok && !cmp.Equal(m, *v.Meta) {
			t.Errorf("%s: says %+v", v.Name, m)
		}
		// The same key put there again leaves everything beside as it is.
		again, err := payload.Build(value.New(v.Text), v.Shape, value.New(v.Key), m)
		if err != nil || again.Reveal() != v.Text {
			t.Errorf("%s: written again it is another text: %v", v.Name, err)
		}
	}
}

func TestRecords(t *testing.T) {
	t.Parallel()
	r := events.Region()
	t.Cleanup(func() { _ = r.Close() })
	serve := func(operation string, in any) {
		t.Helper()
		b, err := json.Marshal(in)
		if err == nil {
			_, err = r.DynamoDB.Serve(t.Context(), &wire.Call{Operation: operation, Body: b, Now: time.Now()})
		}
		if err != nil {
			t.Fatal(operation, err)
		}
	}
	open := func(name string) *table.Table {
		serve("CreateTable", map[string]any{
			"TableName": name, "BillingMode": "PAY_PER_REQUEST",
			"AttributeDefinitions": []any{map[string]string{"AttributeName": "secret", "AttributeType": "S"}, map[string]string{"AttributeName": "item", "AttributeType": "S"}},
			"KeySchema":            []any{map[string]string{"AttributeName": "secret", "KeyType": "HASH"}, map[string]string{"AttributeName": "item", "KeyType": "RANGE"}},
		})
		tb := table.New(sdk.NewFromConfig(r.Cloud.Config()), name)
		tb.Now = func() time.Time { return at(10) }
		return tb
	}
	var items []attr.Item
	fixture(t, "records.json", func() any {
		tb := open("writing")
		for _, k := range book().Keys {
			k.Revision = 0
			if _, err := tb.Put(t.Context(), k); err != nil {
				t.Fatal(err)
			}
		}
		p := *book().Pause
		p.Revision = 0
		if _, err := tb.PutPause(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if err := tb.PutRequest(t.Context(), book().Requests[0]); err != nil {
			t.Fatal(err)
		}
		if err := tb.SetFailure(t.Context(), *book().Failure); err != nil {
			t.Fatal(err)
		}
		if _, err := tb.First(t.Context(), secret, "told", time.Hour); err != nil {
			t.Fatal(err)
		}
		return r.DynamoDB.Items("writing")
	}, &items)
	tb := open("reading")
	for _, it := range items {
		serve("PutItem", map[string]any{"TableName": "reading", "Item": it})
	}
	got, err := tb.Load(t.Context(), secret)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(book(), got); d != "" {
		t.Errorf("-stored by v0 +read:\n%s", d)
	}
	if first, err := tb.First(t.Context(), secret, "told", time.Hour); err != nil || first {
		t.Errorf("what v0 has told is told again: %v", err)
	}
	for _, k := range got.Keys { // and what is read can be written over
		if _, err := tb.Put(t.Context(), k); err != nil {
			t.Errorf("%s: %v", k.KeyID, err)
		}
	}
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join(v0, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse(raw, catalog.All())
	if err != nil {
		t.Fatal(err)
	}
	k, ok := c.Key(secret)
	if !ok || k.VendorAccount != account || k.Owner != "mailer@example.com" || k.Tier != 1 || k.Admin != "keyturn/admin/sendgrid-main" {
		t.Errorf("another key: %+v", k)
	}
	if d := cmp.Diff(config.Value{Field: "token", Strict: true}, k.Value); d != "" {
		t.Error(d)
	}
	if k.Grace.Min != time.Hour || k.Grace.Quiet != 6*time.Hour || k.Grace.Max != 72*time.Hour || k.Grace.Disabled != 2*time.Hour || k.Grace.OnMax != "hold" || k.Grace.NoUsage != "revoke" {
		t.Errorf("another grace: %+v", k.Grace)
	}
	if _, frozen := k.Frozen(time.Date(2026, 12, 24, 0, 0, 0, 0, time.UTC)); !frozen {
		t.Error("the freeze is lost")
	}
	if k, _ = c.Key("prod/plain/sendgrid"); !k.Value.Plain {
		t.Errorf("not plain: %+v", k.Value)
	}
	if k, _ = c.Key("prod/files/aws"); !slices.Equal(k.Value.Fields, []string{"id", "key"}) {
		t.Errorf("other fields: %+v", k.Value)
	}
}

// world is a deployment of today's functions with v0's events.
// It counts the keys that are made at the vendor.
func world(t *testing.T) (*stack.Stack, *events.Vendors, *atomic.Int64) {
	t.Helper()
	const host = "vendor.test"
	r := events.Region()
	v := events.NewVendors(r.Cloud.Clock().Now)
	o := events.Options(v, "https://"+host, host)
	posts := new(atomic.Int64)
	o.Vendors = &providertest.Transport{Host: host, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/api_keys") {
			posts.Add(1)
		}
		v.ServeHTTP(w, r)
	})}
	o.Sweep = true
	k := o.Keys[secret]
	k.Grace = map[string]any{"max": "48h", "noUsage": "revoke"} // this vendor tells nothing of use
	o.Keys[secret] = k
	s, err := stack.Deploy(t.Context(), r, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(); _ = r.Close() })
	return s, v, posts
}

// TestEvents sends what v0 sent: Secrets Manager's steps, its own schedules,
// people's requests.
func TestEvents(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(v0 + "/*/*.json")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d events, %v", len(files), err)
	}
	for _, f := range files {
		event, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		function, sample := filepath.Base(filepath.Dir(f)), strings.TrimSuffix(filepath.Base(f), ".json")
		t.Run(function+"/"+sample, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, v, _ := world(t)
				if err := events.Prepare(t.Context(), s, v, function, sample); err != nil {
					t.Fatal(err)
				}
				d, err := sm.NewFromConfig(s.Region.Cloud.Config()).DescribeSecret(t.Context(), &sm.DescribeSecretInput{SecretId: aws.String(events.Secret)})
				if err != nil {
					t.Fatal(err)
				}
				sent := strings.ReplaceAll(string(event), "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/mailer/sendgrid-AbCdEf", aws.ToString(d.ARN))
				out, failure, err := s.Region.Lambda.Invoke(t.Context(), events.Function(function, sample), []byte(sent))
				if err != nil || failure != "" {
					t.Errorf("%v %s: %s", err, failure, out)
				}
				synctest.Wait()
			})
		})
	}
}

// halfway is a rotation that v0 began: createSecret is done. @current@ and
// @pending@ stand for the keys, which the vendor's simulator makes.
type halfway struct {
	CurrentName, PendingName string
	Current, Pending         string // values
}

// begun is what createSecret leaves behind. The bubble's year is 2000.
func begun() halfway {
	then := time.Date(1999, 12, 30, 0, 0, 0, 0, time.UTC)
	lineage := keyname.Lineage(wire.Account, wire.Region, secret)
	name := func(token string) string { return keyname.New(lineage, keyname.Rotation(token), then, 7).String() }
	text := func(which, token string) string {
		return `{"apiKey":"@` + which + `@","keyturn":{"provider":"sendgrid","keyId":"@` + which + `-id@","keyName":"` + name(token) + `","createdAt":"1999-12-30T00:00:00Z"}}`
	}
	return halfway{name(oldToken), name(newToken), text("current", oldToken), text("pending", newToken)}
}

// TestHalfway carries v0's rotation to its end with today's functions, and lets
// the replaced key die.
func TestHalfway(t *testing.T) {
	t.Parallel()
	var h halfway
	fixture(t, "halfway.json", func() any { return begun() }, &h)
	synctest.Test(t, func(t *testing.T) {
		s, v, posts := world(t)
		client := sm.NewFromConfig(s.Region.Cloud.Config())
		current, pending := v.Mailer.Add(h.CurrentName, "mail.send"), v.Mailer.Add(h.PendingName, "mail.send")
		put := func(token, text, stage string) {
			t.Helper()
			text = strings.NewReplacer("@current@", current.Value.Reveal(), "@current-id@", current.ID, "@pending@", pending.Value.Reveal(), "@pending-id@", pending.ID).Replace(text)
			if _, err := client.PutSecretValue(t.Context(), &sm.PutSecretValueInput{
				SecretId: aws.String(secret), SecretString: &text, ClientRequestToken: &token, VersionStages: []string{stage},
			}); err != nil {
				t.Fatal(err)
			}
		}
		put(oldToken, h.Current, "AWSCURRENT")
		if _, err := client.RotateSecret(t.Context(), &sm.RotateSecretInput{
			SecretId: aws.String(secret), ClientRequestToken: aws.String(newToken), RotationLambdaARN: aws.String(lambda.ARN(stack.Rotate(account))),
		}); err != nil {
			t.Fatal(err)
		}
		_ = s.Region.Cloud.Rotated(t.Context(), secret)
		put(newToken, h.Pending, "AWSPENDING")
		for _, step := range []string{"createSecret", "setSecret", "testSecret", "finishSecret"} {
			event, err := json.Marshal(map[string]string{"Step": step, "SecretId": secret, "ClientRequestToken": newToken})
			if err != nil {
				t.Fatal(err)
			}
			if out, failure, err := s.Region.Lambda.Invoke(t.Context(), stack.Rotate(account), event); err != nil || failure != "" {
				t.Fatalf("%s: %v %s: %s", step, err, failure, out)
			}
		}
		out, err := client.GetSecretValue(t.Context(), &sm.GetSecretValueInput{SecretId: aws.String(secret)})
		if err != nil || aws.ToString(out.VersionId) != newToken || !strings.Contains(aws.ToString(out.SecretString), pending.Value.Reveal()) {
			t.Fatalf("current is %s: %v", aws.ToString(out.VersionId), err)
		}
		if !v.Mailer.Works(current.Value) || !v.Mailer.Works(pending.Value) {
			t.Fatal("a key died with the rotation")
		}
		if n := posts.Load(); n != 0 {
			t.Errorf("%d keys were made for a token that has one", n)
		}
		time.Sleep(10 * 24 * time.Hour)
		book, err := table.New(sdk.NewFromConfig(s.Region.Cloud.Config()), stack.Table).Load(t.Context(), secret)
		if err != nil {
			t.Fatal(err)
		}
		old, ok := book.Key(current.ID)
		if !ok || old.State != keyrecord.Dead || old.KeyName != h.CurrentName || v.Mailer.Works(current.Value) {
			t.Errorf("the replaced key %s is %q: %s", old.KeyName, old.State, old.Why)
		}
		if !v.Mailer.Works(pending.Value) {
			t.Error("the new key is dead")
		}
	})
}

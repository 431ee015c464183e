package rules_test

import (
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/cloud/rules"
)

func world(t *testing.T, r rules.Rule, p rules.Path) *region.Region {
	t.Helper()
	w := region.New(region.Options{})
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := w.SQS.Create("trail", nil); err != nil {
		t.Fatal(err)
	}
	r.Queue = "trail"
	if _, err := rules.Put(w.Cloud, w.SQS, r, p); err != nil {
		t.Fatal(err)
	}
	return w
}

func emit(t *testing.T, w *region.Region, kind, detail string) {
	t.Helper()
	w.Cloud.Emit(cloud.Event{Source: "aws.secretsmanager", DetailType: kind, Detail: json.RawMessage(detail)})
}

func TestRules(t *testing.T) {
	t.Parallel()
	const call = "AWS API Call via CloudTrail"
	for _, tt := range []struct {
		name                  string
		state                 rules.State
		pattern, kind, detail string
		want                  int
	}{
		{"read", rules.EnabledFull, `{"source":["aws.secretsmanager"]}`, call, `{"readOnly":true}`, 1},
		{"read, enabled only", rules.Enabled, `{"source":["aws.secretsmanager"]}`, call, `{"readOnly":true}`, 0},
		{"write, enabled only", rules.Enabled, `{"source":["aws.secretsmanager"]}`, call, `{"readOnly":false}`, 1},
		{"no call", rules.Enabled, `{"detail-type":["Secret Label Updated"]}`, "Secret Label Updated", `{}`, 1},
		{"disabled", rules.Disabled, `{"source":["aws.secretsmanager"]}`, call, `{}`, 0},
		{"another source", rules.EnabledFull, `{"source":["aws.kms"]}`, call, `{}`, 0},
		{"nested", rules.EnabledFull, `{"detail":{"eventName":["A","B"]}}`, call, `{"eventName":"B"}`, 1},
		{"all members", rules.EnabledFull, `{"source":["aws.kms"],"detail":{"eventName":["B"]}}`, call, `{"eventName":"B"}`, 0},
		{"exists", rules.EnabledFull, `{"detail":{"errorCode":[{"exists":true}]}}`, call, `{"errorCode":"AccessDenied"}`, 1},
		{"exists not", rules.EnabledFull, `{"detail":{"errorCode":[{"exists":true}]}}`, call, `{}`, 0},
		{"prefix", rules.EnabledFull, `{"detail":{"eventName":[{"prefix":"Get"}]}}`, call, `{"eventName":"GetSecretValue"}`, 1},
		{"anything but", rules.EnabledFull, `{"detail":{"eventName":[{"anything-but":["A"]}]}}`, call, `{"eventName":"A"}`, 0},
		{"anything but one", rules.EnabledFull, `{"detail":{"account":[{"anything-but":"1"}]}}`, call, `{"account":"2"}`, 1},
		{"anything but a prefix", rules.EnabledFull, `{"detail":{"eventName":[{"anything-but":{"prefix":"Get"}}]}}`, call, `{"eventName":"GetX"}`, 0},
		{"anything but nothing", rules.EnabledFull, `{"detail":{"account":[{"anything-but":"1"}]}}`, call, `{}`, 0},
		{"suffix", rules.EnabledFull, `{"detail":{"eventName":[{"suffix":"Value"}]}}`, call, `{"eventName":"GetSecretValue"}`, 1},
		{"case", rules.EnabledFull, `{"detail":{"eventName":[{"equals-ignore-case":"getsecretvalue"}]}}`, call, `{"eventName":"GetSecretValue"}`, 1},
		{"wildcard", rules.EnabledFull, `{"detail":{"role":[{"wildcard":"*:role*/keyturn*"}]}}`, call, `{"role":"arn:aws:iam::1:role/x/keyturn-audit"}`, 1},
		{"wildcard not", rules.EnabledFull, `{"detail":{"role":[{"wildcard":"*:role*/keyturn*"}]}}`, call, `{"role":"arn:aws:iam::1:user/keyturn"}`, 0},
		{"wildcard whole", rules.EnabledFull, `{"detail":{"role":[{"wildcard":"a*a"}]}}`, call, `{"role":"a"}`, 0},
		{"one or the other", rules.EnabledFull, `{"detail":{"$or":[{"eventName":["A"]},{"errorCode":[{"exists":true}],"eventName":["B"]}]}}`, call, `{"eventName":"B","errorCode":"x"}`, 1},
		{"neither", rules.EnabledFull, `{"detail":{"$or":[{"eventName":["A"]},{"errorCode":[{"exists":true}],"eventName":["B"]}]}}`, call, `{"eventName":"B"}`, 0},
		{"or, and", rules.EnabledFull, `{"source":["aws.kms"],"detail":{"$or":[{"eventName":["B"]}]}}`, call, `{"eventName":"B"}`, 0},
		{"null is there", rules.EnabledFull, `{"detail":{"responseElements":[null]}}`, call, `{"responseElements":null}`, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := world(t, rules.Rule{State: tt.state, Pattern: tt.pattern}, rules.Path{})
			emit(t, w, tt.kind, tt.detail)
			if err := w.Cloud.Idle(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := len(w.SQS.Messages("trail")); got != tt.want {
				t.Errorf("%d messages, want %d", got, tt.want)
			}
		})
	}
}

func TestPath(t *testing.T) {
	t.Parallel()
	w := world(t, rules.Rule{State: rules.EnabledFull, Pattern: `{"source":["aws.secretsmanager"]}`}, rules.Path{Seed: 1, Delay: time.Hour, Duplicates: 50})
	const n = 100
	for i := range n {
		emit(t, w, "x", `{"n":`+strconv.Itoa(i)+`}`)
	}
	if err := w.Cloud.Idle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if early := len(w.SQS.Messages("trail")); early > n/2 {
		t.Errorf("%d came at once", early)
	}
	w.Cloud.Clock().Advance(2 * time.Hour)
	count := map[int]int{}
	deadline := time.Now().Add(10 * time.Second)
	for len(count) < n && time.Now().Before(deadline) {
		clear(count)
		for _, m := range w.SQS.Messages("trail") {
			var e struct{ Detail struct{ N int } }
			if err := json.Unmarshal([]byte(m.Body), &e); err != nil {
				t.Fatal(err)
			}
			count[e.Detail.N]++
		}
	}
	twice := 0
	for _, c := range count {
		if c > 1 {
			twice++
		}
	}
	if len(count) != n || twice < 20 || twice > 80 {
		t.Errorf("%d of %d events came, %d twice", len(count), n, twice)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	w := region.New(region.Options{})
	t.Cleanup(func() { _ = w.Close() })
	for _, r := range []rules.Rule{
		{State: rules.Enabled, Pattern: `{`},
		{State: rules.Enabled, Pattern: `{}`},
		{State: rules.Enabled, Pattern: `{"source":"aws.kms"}`},
		{State: rules.Enabled, Pattern: `{"source":[{"cidr":"10.0.0.0/8"}]}`},
		{State: rules.Enabled, Pattern: `{"source":[{"anything-but":{"exists":true}}]}`},
		{State: rules.Enabled, Pattern: `{"$or":["x"]}`},
		{State: "ON", Pattern: `{"source":["aws.kms"]}`},
	} {
		if _, err := rules.Put(w.Cloud, w.SQS, r, rules.Path{}); err == nil {
			t.Errorf("%+v is accepted", r)
		}
	}
}

// Package chat follows a rotation's news to the topics of chat channels, through the
// whole chat function on the local AWS.
package chat

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sns"

	"github.com/keyturn/keyturn/shared/provider/sendgrid/sendgridtest"
	"github.com/keyturn/keyturn/shared/providertest"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/region"
	topics "github.com/keyturn/keyturn/test/cloud/sns"
	"github.com/keyturn/keyturn/test/cloud/wire"
	"github.com/keyturn/keyturn/test/stack"
)

const name, host = "prod/app/key", "vendor.test"

// The channels, by alias: one of everything, one of what is bad, one of others' keys.
const all, bad, others = "call", "cbad", "cothers"

// shown is what a channel shows of a notification.
type shown struct {
	Version, Source, ID string
	Content             struct {
		TextType, Title, Description string
		NextSteps                    []string
	}
	Metadata struct{ ThreadID, EventType string }
}

type world struct {
	t      *testing.T
	region *region.Region
	stack  *stack.Stack
	sm     *sm.Client
}

// within deploys, makes a first value and a schedule, and runs a test in a bubble.
func within(t *testing.T, f func(*world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, region: region.New(region.Options{})}
		vendor := sendgridtest.New(w.region.Cloud.Clock().Now, sendgridtest.Options{})
		w.sm = sm.NewFromConfig(w.region.Cloud.Config())
		var err error
		w.stack, err = stack.Deploy(t.Context(), w.region, stack.Options{
			Accounts: map[string]stack.Account{"main": {Provider: "sendgrid", Base: "https://" + host, Hosts: []string{host}, Admin: vendor.Admin(host)}},
			Keys:     map[string]stack.Key{name: {Account: "main", Settings: map[string]any{"scopes": []string{"mail.send"}}}},
			Vendors:  &providertest.Transport{Handler: vendor, Host: host},
			Channels: map[string]string{all: "", bad: `{"severity":["warning","critical",{"exists":false}]}`, others: `{"key":["prod/other"]}`},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.stack.Close(); _ = w.region.Close() })
		if err := w.stack.Init(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		if err := w.stack.Enable(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		f(w)
	})
}

func (w *world) rotate() {
	w.t.Helper()
	if _, err := w.sm.RotateSecret(w.t.Context(), &sm.RotateSecretInput{SecretId: aws.String(name)}); err != nil {
		w.t.Fatal(err)
	}
	_ = w.region.Cloud.Rotated(w.t.Context(), name) // what came of it is in the news
	synctest.Wait()
}

// heard is what a channel was told, in the form that it shows.
func (w *world) heard(alias string) (list []shown) {
	w.t.Helper()
	for _, m := range w.region.SNS.Inbox(stack.Channel(alias)) {
		var s shown
		if err := json.Unmarshal([]byte(m.Text), &s); err != nil || s.Version != "1.0" || s.Source != "custom" || s.Content.TextType != "client-markdown" || s.Content.Description == "" {
			w.t.Errorf("the channel drops %.300s: %v", m.Text, err)
		}
		for _, secret := range []string{"SG.", "s3cr3t"} {
			if strings.Contains(m.Text, secret) {
				w.t.Errorf("%s is in %s", secret, m.Text)
			}
		}
		list = append(list, s)
	}
	return list
}

func (w *world) is(alias string, kinds ...string) []shown {
	w.t.Helper()
	list := w.heard(alias)
	var got []string
	for _, s := range list {
		got = append(got, strings.TrimPrefix(s.Metadata.EventType, "keyturn-"))
	}
	if !slices.Equal(got, kinds) {
		w.t.Errorf("the channel %s heard of %q, not %q", alias, got, kinds)
	}
	return list
}

// TestNews: a channel hears of what happens to a key, as its filters say, all of one
// thread; and somebody's text and an alarm reach it too.
func TestNews(t *testing.T) {
	t.Parallel()
	within(t, func(w *world) {
		before := len(w.heard(all))
		w.rotate()
		list := w.heard(all)
		if len(list) <= before {
			w.t.Fatal("the channel heard nothing of a rotation")
		}
		_, err := w.sm.PutSecretValue(w.t.Context(), &sm.PutSecretValueInput{SecretId: aws.String("keyturn/admin/main"), SecretString: aws.String(`{"apiKey":"SG.s3cr3t","hosts":["` + host + `"]}`)})
		if err != nil {
			w.t.Fatal(err)
		}
		w.rotate()
		failed := w.is(bad, "failed")
		for _, s := range w.heard(all) {
			if s.Metadata.ThreadID != name || s.ID == "" {
				w.t.Errorf("%+v is not of the key's thread, or has no id", s)
			}
		}
		if last := w.heard(all); len(failed) == 1 && (last[len(last)-1].ID != failed[0].ID || !strings.Contains(failed[0].Content.Title, "failed: "+name) || len(failed[0].Content.NextSteps) == 0) {
			w.t.Errorf("the failure is shown as %+v", failed[0])
		}
		w.is(others)
		for _, text := range []string{`{"AlarmName":"keyturn-overdue","NewStateValue":"ALARM","NewStateReason":"it is late","AlarmDescription":"a key"}`, "hello"} {
			w.publish(text)
		}
		w.is(others)
		w.is(bad, "failed", "alarm", "")
		// All that its role may do but its dead letters, which are Lambda's to send.
		for _, c := range w.region.Cloud.Calls() {
			if c.AccessKey == stack.Channels && (c.Service != "sns" || c.Operation != "Publish") {
				w.t.Errorf("the chat function called %s %s", c.Service, c.Operation)
			}
		}
	})
}

func (w *world) publish(text string) {
	w.t.Helper()
	if _, err := sns.NewFromConfig(w.region.Cloud.Config()).Publish(w.t.Context(), &sns.PublishInput{TopicArn: aws.String(topics.ARN(stack.Topic)), Message: &text}); err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
}

// TestAgain: what could not be passed on is tried again, and comes with the same id;
// what was, although the function could not know, comes twice, with one id.
func TestAgain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		effect cloud.Effect
		times  int
		heard  int
	}{
		{"not taken", cloud.FailBefore, 3, 1}, // the SDK tries three times, and Lambda after that
		{"taken, and no answer", cloud.FailAfter, 1, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			within(t, func(w *world) {
				before := len(w.heard(all))
				remove := w.region.Cloud.Inject(cloud.Fault{
					Service: "sns", Operation: "Publish", Effect: tt.effect, Nth: 1, Count: tt.times,
					Match: func(c *wire.Call) bool {
						return c.AccessKey == stack.Channels && bytes.Contains(c.Body, []byte(stack.Channels+"-"+all))
					},
				})
				defer remove()
				w.publish(`{"version":1,"id":"failed-t9","kind":"failed","severity":"critical","secret":"prod/app/key","summary":"It failed."}`)
				time.Sleep(time.Minute) // of the bubble: the SDK waits between its tries
				synctest.Wait()
				w.region.Cloud.Clock().Advance(2 * time.Minute)
				synctest.Wait()
				list := w.heard(all)[before:]
				if len(list) != tt.heard {
					t.Errorf("heard %d times, not %d", len(list), tt.heard)
				}
				for _, s := range list {
					if s.ID != "failed-t9" {
						t.Errorf("it came as %+v", s)
					}
				}
			})
		})
	}
}

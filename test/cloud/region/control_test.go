package region_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	snssdk "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/test/cloud/region"
)

// served is a Region on a socket.
func served(t *testing.T) (*region.Region, aws.Config) {
	t.Helper()
	r, cfg, _ := open(t)
	l, err := r.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- r.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return r, cfg
}

// ask sends a request of the control API, and returns the status and the answer.
func ask(t *testing.T, method, url, body string, change func(*http.Request)) (int, map[string]any) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(q)
	}
	reply, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	_ = json.Unmarshal(text, &out)
	return reply.StatusCode, out
}

func TestControl(t *testing.T) {
	t.Parallel()
	r, cfg := served(t)
	base := r.Endpoint() + "/_local/"
	must := func(method, path, body string) map[string]any {
		t.Helper()
		status, out := ask(t, method, base+path, body, nil)
		if status != http.StatusOK {
			t.Fatalf("%s %s: %d %v", method, path, status, out)
		}
		return out
	}
	before := r.Cloud.Clock().Now()
	must("POST", "clock", `{"advance":"720h"}`)
	if got := r.Cloud.Clock().Now().Sub(before); got < 720*time.Hour || got > 721*time.Hour {
		t.Errorf("moved by %s", got)
	}
	to := before.AddDate(1, 0, 0).Format(time.RFC3339)
	must("POST", "clock", `{"to":"`+to+`"}`)
	if now, _ := must("GET", "clock", "")["now"].(string); now[:19] < to[:19] {
		t.Errorf("it is %s, want %s", now, to)
	}

	secrets, topics := sm.NewFromConfig(cfg), snssdk.NewFromConfig(cfg)
	fault := must("POST", "faults", `{"service":"secretsmanager","operation":"CreateSecret","effect":"fail-after","code":"Odd","status":418}`)
	_, err := secrets.CreateSecret(t.Context(), &sm.CreateSecretInput{Name: aws.String("s"), SecretString: aws.String("v")})
	if err == nil || !strings.Contains(err.Error(), "Odd") {
		t.Errorf("the fault did nothing: %v", err)
	}
	if diff := cmp.Diff(map[string]any{"faults": []any{fault}}, must("GET", "faults", "")); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
	must("DELETE", "faults/1", "")
	if _, err := secrets.GetSecretValue(t.Context(), &sm.GetSecretValueInput{SecretId: aws.String("s")}); err != nil {
		t.Error(err)
	}
	calls, _ := must("GET", "calls?service=secretsmanager&operation=GetSecretValue&target=s", "")["calls"].([]any)
	if len(calls) != 1 {
		t.Errorf("calls %v, want one", calls)
	}
	topic, err := topics.CreateTopic(t.Context(), &snssdk.CreateTopicInput{Name: aws.String("alerts")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := topics.Publish(t.Context(), &snssdk.PublishInput{TopicArn: topic.TopicArn, Message: aws.String("hello")}); err != nil {
		t.Fatal(err)
	}
	messages, _ := must("GET", "inbox/alerts", "")["messages"].([]any)
	if len(messages) != 1 || messages[0].(map[string]any)["text"] != "hello" {
		t.Errorf("inbox %v", messages)
	}
	if err := r.Cloud.Idle(t.Context()); err != nil {
		t.Fatal(err)
	}
	events, _ := must("GET", "events", "")["events"].([]any)
	if len(events) == 0 || events[0].(map[string]any)["source"] != "aws.secretsmanager" {
		t.Errorf("events %v", events)
	}
}

func TestControl_refuses(t *testing.T) {
	t.Parallel()
	r, _ := served(t)
	for _, tt := range []struct {
		name, method, path, body string
		change                   func(*http.Request)
		want                     int
	}{
		{"back", "POST", "clock", `{"advance":"-1h"}`, nil, 400},
		{"no time", "POST", "clock", `{}`, nil, 400},
		{"no duration", "POST", "clock", `{"advance":"soon"}`, nil, 400},
		{"no JSON", "POST", "clock", `advance`, nil, 400},
		{"effect", "POST", "faults", `{"effect":"explode"}`, nil, 400},
		{"fault", "DELETE", "faults/7", ``, nil, 404},
		{"path", "GET", "else", ``, nil, 404},
		{"web page", "POST", "clock", `{"advance":"1h"}`, func(q *http.Request) { q.Header.Set("Origin", "http://example.com") }, 403},
		{"another name", "GET", "calls", ``, func(q *http.Request) { q.Host = "example.com" }, 403},
		{"meant for AWS", "GET", "clock", ``, func(q *http.Request) {
			q.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIALOCALLOCALLOCAL0/20260101/us-east-1/ec2/aws4_request")
		}, 501},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got, out := ask(t, tt.method, r.Endpoint()+"/_local/"+tt.path, tt.body, tt.change); got != tt.want {
				t.Errorf("status %d %v, want %d", got, out, tt.want)
			}
		})
	}
}

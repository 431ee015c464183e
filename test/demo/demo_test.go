package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/lambda"
	"github.com/keyturn/keyturn/test/demo/internal/report"
)

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		args     []string
		code     int
		out, err string
	}{
		{"help", []string{"-h"}, 0, help, ""},
		{"unknown flag", []string{"-fast"}, 2, "", "demo: flag provided but not defined: -fast\ndemo: hint: go run ./test/demo -h\n"},
		{"an argument", []string{"everything"}, 2, "", "demo: there is no \"everything\" to show\ndemo: hint: go run ./test/demo -h\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out, err strings.Builder
			code := run(t.Context(), tt.args, &out, &err)
			if code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			if diff := cmp.Diff([]string{tt.out, tt.err}, []string{out.String(), err.String()}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestScreen(t *testing.T) {
	t.Parallel()
	const want = "\nAct 1\n   0.0s  one\n         two\n         │ a\n         │ b\n"
	for _, tt := range []struct {
		name            string
		terminal, color bool
		want            string
	}{
		{"not a terminal", false, false, want},
		{"no colors", true, false, "\nAct 1\n\r\x1b[K   0.0s  soon\r\x1b[K   0.0s  one\n         two\n         │ a\n         │ b\n"},
		{
			"colors", true, true, "\n\x1b[1;36mAct 1\x1b[0m\n\r\x1b[K\x1b[2m   0.0s  soon\x1b[0m\r\x1b[K\x1b[2m   0.0s  \x1b[0m\x1b[32mone\x1b[0m\n" +
				"\x1b[2m         \x1b[0m\x1b[32mtwo\x1b[0m\n\x1b[2m         │ \x1b[0ma\n\x1b[2m         │ \x1b[0mb\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			s := newScreen(&b, func() time.Time { return time.Time{} }, tt.terminal, tt.color)
			s.head("Act 1")
			s.wait("soon")
			s.say(good, "one\n%s", "two")
			s.block("a\nb\n")
			if diff := cmp.Diff(tt.want, b.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want, s.text()); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLogged(t *testing.T) {
	t.Parallel()
	const log = `f: START RequestId: r1 Version: $LATEST
f: {"msg":"step done","outcome":"minted","request_id":"r1"}
f: REPORT RequestId: r1	Duration: 12.34 ms	Billed Duration: 13 ms
f: {"msg":"step done","outcome":"verified","request_id":"r2"}
f: REPORT RequestId: r3	Duration: 5.00 ms
`
	for _, tt := range []struct{ id, outcome, took string }{{"r1", "minted", "12.34 ms"}, {"r2", "verified", ""}, {"r3", "", "5.00 ms"}, {"r4", "", ""}} {
		if outcome, took := logged(log, tt.id); outcome != tt.outcome || took != tt.took {
			t.Errorf("%s: %q after %q", tt.id, outcome, took)
		}
	}
}

// watch puts a rotation together from what the local AWS tells.
func TestWatch(t *testing.T) {
	t.Parallel()
	const (
		arn   = "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/a-AbCdEf"
		token = "5f0c8a52-1d0b-4c5e-9a57-3b1f6f6f2c11"
	)
	at := func(s int) time.Time { return time.Date(2026, 3, 1, 0, 0, s, 0, time.UTC) }
	w := newWatch()
	service := func(name string, s int) {
		w.event(cloud.Event{Time: at(s), Detail: []byte(`{"eventName":"` + name + `","requestID":"Rotation-` + arn + `-` + token + `","additionalEventData":{"SecretId":"` + arn + `"}}`)})
	}
	w.event(cloud.Event{Time: at(0), Detail: []byte(`{"name":"prod/a","labelUpdated":"AWSCURRENT","versionId":"old"}`)})
	service("RotationStarted", 1)
	w.invoked(lambda.Invocation{Function: "f", RequestID: "r1", AccessKey: "A1", Payload: []byte(`{"Step":"createSecret","SecretId":"` + arn + `","ClientRequestToken":"` + token + `","RotationToken":"hidden"}`)})
	w.invoked(lambda.Invocation{Function: "g", RequestID: "r2", AccessKey: "A2", Payload: []byte(`{"version":1,"sweep":true}`)})
	w.crashed("prod/a")
	w.event(cloud.Event{Time: at(2), Detail: []byte(`{"name":"prod/a","labelUpdated":"AWSCURRENT","versionId":"` + token + `"}`)})
	service("RotationSucceeded", 3)
	got, ok := w.last("prod/a")
	want := turn{
		Secret: "prod/a", Token: token, Started: at(1), Promoted: at(2), Ended: at(3), Event: "RotationSucceeded",
		Steps: []step{{"createSecret", "r1"}}, Crashes: 1,
	}
	if diff := cmp.Diff(want, got); diff != "" || !ok {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if version, previous := w.current("prod/a"); version != token || previous != "old" {
		t.Errorf("current %q, before %q", version, previous)
	}
	if w.caller("A1") != "f" || w.caller("A3") != "" || len(w.tokens) != 1 {
		t.Errorf("callers %v, %d tokens", w.callers, len(w.tokens))
	}
	if _, ok := w.last("prod/b"); ok {
		t.Error("a rotation of a secret that has none")
	}
}

// A RotationToken is found in a file, however it is written.
func TestLeaky(t *testing.T) {
	t.Parallel()
	const token = "5f0c8a52-1d0b-4c5e-9a57-3b1f6f6f2c11"
	d := &demo{watch: newWatch(), run: report.Run{}}
	d.watch.tokens = []string{token}
	for _, tt := range []struct {
		name, text string
		want       bool
	}{
		{"nothing", "a line of a log with another id: 0a1b2c3d-1d0b-4c5e-8888-3b1f6f6f0000", false},
		{"whole", "token=" + token, true},
		{"a part", "x" + token[10:22] + "x", true},
		{"base64, in the middle of something", "eHg1ZjBjOGE1Mi0xZDBiLTRjNWUtOWE1Ny0zYjFmNmY2ZjJjMTF4eA", true},
		{"hex", "35663063386135322d316430622d346335652d396135372d336231663666366632633131", true},
		{"the key of the fingerprints", "Qx7vZk2mWp9s", true},
	} {
		if got := d.leaky(tt.text); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

package events_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyturn/keyturn/shared/providertest"
	"github.com/keyturn/keyturn/test/events"
	"github.com/keyturn/keyturn/test/stack"
)

// want is what each sample must come to: an error type, or what the answer
// holds.
var want = map[string]map[string]struct{ failure, answer string }{
	"rotate": {
		"create-secret":         {"", "null"},
		"create-secret-by-name": {"", "null"},
		"set-secret":            {"", "null"},
		"test-secret":           {"", "null"},
		"finish-secret":         {"", "null"},
		"init":                  {"", "null"},
		"plan":                  {"", `"strategy":"Overlap"`},
		"adopt":                 {"", `"status":"adopted"`},
		"adopt-observe":         {"", `"status":"observed"`},
		"odd-adopt-wrong-id":    {"", `"status":"refused"`},
		"odd-unknown-step":      {"UnknownStep", ""},
		"odd-no-token":          {"BadEvent", ""},
		"odd-other-secret":      {"NotOurs", ""},
		"odd-name-prefix":       {"NotOurs", ""},
		"odd-not-staged":        {"NotStaged", ""},
		"odd-unknown-fields":    {"", "null"},
		"odd-not-an-object":     {"BadEvent", ""},
		"odd-unknown-mode":      {"BadEvent", ""},
	},
	"retire": {
		"label-event":        {"", "{}"},
		"label-queue":        {"", "{}"},
		"schedule":           {"", "{}"},
		"sweep":              {"", "{}"},
		"rotation-failed":    {"", "{}"},
		"rotation-abandoned": {"", "{}"},
		"odd-queue-mixed":    {"", `"itemIdentifier":"059f36b4-87a3-44ab-83d2-661975560001"`},
		"odd-other-label":    {"", "{}"},
		"odd-other-secret":   {"", "{}"},
		"odd-unknown-event":  {"BadEvent", ""},
		"odd-not-an-object":  {"BadEvent", ""},
		"rollback":           {"", `"status":"rolled_back"`},
		"restore":            {"", `"status":"restored"`},
		"odd-no-reason":      {"BadEvent", ""},
		"odd-no-disable":     {"NoDisable", ""},
	},
	"rotatenow": {
		"rotate":               {"", `"status":"started"`},
		"plan":                 {"", `"status":"planned"`},
		"pause":                {"", `"status":"paused"`},
		"resume":               {"", `"status":"resumed"`},
		"ack":                  {"", `"status":"none_open"`},
		"odd-pause-no-end":     {"BadEvent", ""},
		"odd-everything-wrong": {"BadEvent", ""},
		"odd-no-reason":        {"BadEvent", ""},
		"odd-other-secret":     {"NotOurs", ""},
		"odd-unknown-field":    {"BadEvent", ""},
	},
	"chat": {
		"notification":      {"", "{}"},
		"alarm":             {"", "{}"},
		"odd-text":          {"", "{}"},
		"odd-queue":         {"BadEvent", ""},
		"odd-not-an-object": {"BadEvent", ""},
	},
}

func TestSamples(t *testing.T) {
	t.Parallel()
	for function, samples := range want {
		files, err := events.Samples(function)
		if err != nil {
			t.Fatal(err)
		}
		for name := range samples {
			if !slices.Contains(files, name) {
				t.Errorf("no sample %s/%s", function, name)
			}
		}
		for _, name := range files {
			w, ok := samples[name]
			if !ok {
				t.Errorf("nobody says what %s/%s must come to", function, name)
			}
			t.Run(function+"/"+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { send(t, function, name, w.failure, w.answer) })
			})
		}
	}
}

func send(t *testing.T, function, name, failure, answer string) {
	t.Helper()
	deployed(t, function, name, func(s *stack.Stack) {
		out, functionError, err := events.Send(t.Context(), s, function, name)
		if err != nil {
			t.Fatal(err)
		}
		checked(t, out, functionError, failure, answer)
	})
}

// deployed calls f with a deployment that is in the state that a sample speaks of.
func deployed(t *testing.T, function, name string, f func(*stack.Stack)) {
	t.Helper()
	time.Sleep(24 * time.Hour) // records of before the year 2000, when a bubble begins, are refused
	r := events.Region()
	defer r.Close()
	vendors := events.NewVendors(r.Cloud.Clock().Now)
	o := events.Options(vendors, "https://vendors.test", "vendors.test")
	o.Vendors, o.Watch = &providertest.Transport{Handler: vendors}, events.Watch(function)
	o.Channels = events.Channels(function)
	s, err := stack.Deploy(t.Context(), r, o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err = events.Prepare(t.Context(), s, vendors, function, name); err != nil {
		t.Fatal(err)
	}
	f(s)
}

// checked wants what a function answered to have an error type, or to hold an answer.
func checked(t *testing.T, out []byte, functionError, failure, answer string) {
	t.Helper()
	if failure == "" {
		if functionError != "" || !strings.Contains(string(out), answer) {
			t.Errorf("%s%s, want an answer with %s", functionError, out, answer)
		}
		return
	}
	var e struct{ ErrorType, ErrorMessage string }
	if err := json.Unmarshal(out, &e); err != nil || e.ErrorType != failure || e.ErrorMessage == "" {
		t.Errorf("%s, want errorType %s with a message", out, failure)
	}
	if strings.Contains(e.ErrorMessage, "synthetic-rotation-token") {
		t.Errorf("the message shows the RotationToken: %s", e.ErrorMessage)
	}
}

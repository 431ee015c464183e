// Package refusal gives the rotate function bad input, and looks that it says
// what to do, and changes nothing.
package refusal

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/provider"
)

// Each of these ends a whole rotation with its own error type, and with one
// alert for all its tries. AWSCURRENT stays what it is. At the vendor there is
// no new key, but where one was stored before the trouble began.
func TestRotation(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		do   func(*world)
		step string // "": createSecret
		want string
		kept int // new keys, stored as AWSPENDING
	}{
		{name: "admin credential missing", do: (*world).dropAdmin, want: "AdminMissing"},
		{name: "admin credential empty", do: func(w *world) { w.put(admin, `{"hosts":["`+host+`"],"apiKey":""}`) }, want: "AdminMissing"},
		{name: "admin credential refused", do: func(w *world) { w.put(admin, `{"hosts":["`+host+`"],"apiKey":"SG.dead"}`) }, want: "AdminRefused"},
		{name: "host not in the admin secret", do: func(w *world) { w.put(admin, `{"hosts":["other.test"],"apiKey":"SG.x"}`) }, want: "HostNotAllowed"},
		{name: "key limit", do: func(w *world) {
			for len(w.vendor.Live()) < 100 {
				w.vendor.Add("by hand")
			}
		}, want: "VendorFull"},
		{name: "another shape", do: func(w *world) { w.put(name, `{"token":"made by hand"}`) }, want: "WrongShape"},
		{name: "a plain string", do: func(w *world) { w.put(name, "made by hand") }, want: "WrongShape"},
		{name: "a page with status 200", do: func(w *world) { w.from("", "200 with a page, not applied") }, want: "VendorUnavailable"},
		{name: "rate limit for a day", do: func(w *world) { w.from("", "429 for a day") }, want: "VendorRateLimited"},
		{name: "redirect", do: func(w *world) { w.from("", "307 to another host") }, want: "VendorRefused"},
		{name: "outage in createSecret", do: func(w *world) { w.from("", "500 not applied") }, want: "VendorUnavailable"},
		{name: "outage in testSecret", do: func(w *world) { w.from("testSecret", "500 not applied") }, step: "testSecret", want: "VendorUnavailable", kept: 1},
		{name: "outage in finishSecret", do: func(w *world) { w.from("finishSecret", "500 not applied") }, step: "finishSecret", want: "VendorUnavailable", kept: 1},
		{name: "rate limit in testSecret", do: func(w *world) { w.from("testSecret", "429 for a day") }, step: "testSecret", want: "VendorRateLimited", kept: 1},
		{name: "redirect in finishSecret", do: func(w *world) { w.from("finishSecret", "307 to another host") }, step: "finishSecret", want: "VendorRefused", kept: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.enable()
				tt.do(w)
				value, keys := w.current(), w.vendor.Live()
				w.rotate()
				if w.current() != value {
					t.Error("AWSCURRENT has another value")
				}
				if w.unchanged(keys); len(w.vendor.Live()) != len(keys)+tt.kept {
					t.Errorf("%d keys at the vendor, want %d and %d", len(w.vendor.Live()), len(keys), tt.kept)
				}
				if s := w.wires.Strays(); len(s) != 0 {
					t.Errorf("requests went to %v", s)
				}
				told := w.failures()
				if len(told) != 1 {
					t.Fatalf("%d alerts, want 1: %+v", len(told), told)
				}
				step := "createSecret"
				if tt.step != "" {
					step = tt.step
				}
				if m := told[0]; m.Step != step || m.ErrorType != tt.want || len(m.Known) == 0 || len(m.Next) == 0 || m.Secret != name || m.Owner == "" {
					t.Errorf("the alert does not help: %+v", m)
				}
			})
		})
	}
}

// What no rotation of Secrets Manager's sent is refused by its type.
func TestEvent(t *testing.T) {
	t.Parallel()
	const token = `"ClientRequestToken":"99999999-9999-4999-8999-999999999999"`
	for _, tt := range []struct{ name, event, want string }{
		{"unknown step", `{"Step":"create_secret","SecretId":"` + name + `",` + token + `}`, "UnknownStep"},
		{"token that is not staged", `{"Step":"createSecret","SecretId":"` + name + `",` + token + `}`, "NotStaged"},
		{"the same in testSecret", `{"Step":"testSecret","SecretId":"` + name + `",` + token + `}`, "NotStaged"},
		{"the same in finishSecret", `{"Step":"finishSecret","SecretId":"` + name + `",` + token + `}`, "NotStaged"},
		{"a secret that is not ours", `{"Step":"createSecret","SecretId":"` + admin + `",` + token + `}`, "NotOurs"},
		{"no token", `{"Step":"createSecret","SecretId":"` + name + `"}`, "BadEvent"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.enable()
				w.refused(tt.event, tt.want)
				// Each value of a dimension is a metric to be paid for: an event must not choose it.
				steps := w.steps()
				if len(steps) < 3 { // init, the test when rotation was turned on, and this
					t.Fatalf("%d metrics: %v", len(steps), steps)
				}
				for _, s := range steps {
					if !slices.Contains([]string{"init", "retire", "none", "createSecret", "testSecret", "finishSecret"}, s) {
						t.Errorf("the metrics have a step %q", s)
					}
				}
			})
		})
	}
	t.Run("rotation is not enabled", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			newWorld(t).refused(`{"Step":"createSecret","SecretId":"`+name+`",`+token+`}`, "RotationDisabled")
		})
	})
}

func (w *world) refused(event, want string) {
	w.t.Helper()
	value, keys := w.current(), w.vendor.Live()
	if got := w.call(event); got != want {
		w.t.Errorf("%s, want %s", got, want)
	}
	if w.current() != value {
		w.t.Error("AWSCURRENT has another value")
	}
	if w.unchanged(keys); len(w.vendor.Live()) != len(keys) {
		w.t.Error("the vendor holds a new key")
	}
}

// unchanged checks that the keys that the vendor held are still there.
func (w *world) unchanged(before []provider.Key) {
	w.t.Helper()
	if live := w.vendor.Live(); len(live) < len(before) {
		w.t.Errorf("the vendor holds %v, want %v and more", live, before)
	} else if diff := cmp.Diff(before, live[:len(before)]); diff != "" {
		w.t.Errorf("keys (-want +got):\n%s", diff)
	}
}

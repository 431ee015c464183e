package keyrecord_test

import (
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/keyrecord"
)

func TestBook(t *testing.T) {
	t.Parallel()
	b := keyrecord.Book{
		Keys:     []keyrecord.Record{{KeyID: "a"}, {KeyID: "b", Why: "found"}},
		Requests: []keyrecord.Request{{Rotation: "r", Reason: "found"}},
	}
	if r, ok := b.Key("b"); !ok || r.Why != "found" {
		t.Errorf("Key = %+v, %v", r, ok)
	}
	if r, ok := b.Key("c"); ok {
		t.Errorf("Key of none = %+v", r)
	}
	if r, ok := b.Request("r"); !ok || r.Reason != "found" {
		t.Errorf("Request = %+v, %v", r, ok)
	}
	if r, ok := b.Request(""); ok {
		t.Errorf("Request of none = %+v", r)
	}
}

func TestState_Alive(t *testing.T) {
	t.Parallel()
	for _, s := range []keyrecord.State{
		keyrecord.Current, keyrecord.Grace, keyrecord.Held, keyrecord.Disabled, keyrecord.Revoked, keyrecord.Lost, "of a version to come",
	} {
		if !s.Alive() {
			t.Errorf("%s is not alive", s)
		}
	}
	if keyrecord.Dead.Alive() || keyrecord.Gone.Alive() {
		t.Error("dead and gone are alive")
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		p                *keyrecord.Pause
		inForce, expired bool
	}{
		"none":                     {nil, false, false},
		"in force":                 {&keyrecord.Pause{Until: now.Add(time.Second)}, true, false},
		"just over":                {&keyrecord.Pause{Until: now}, false, true},
		"ended before":             {&keyrecord.Pause{Until: now.Add(time.Hour), Ended: now.Add(-time.Hour)}, false, false},
		"ended, and its time over": {&keyrecord.Pause{Until: now.Add(-time.Minute), Ended: now.Add(-time.Hour)}, false, false},
	} {
		if in, over := tt.p.InForce(now), tt.p.Expired(now); in != tt.inForce || over != tt.expired {
			t.Errorf("%s: in force %v, expired %v; want %v, %v", name, in, over, tt.inForce, tt.expired)
		}
	}
}

func TestIDUnknown(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		r    keyrecord.Record
		want bool
	}{
		{keyrecord.Record{KeyID: keyrecord.UnknownID("0123456789abcdef"), Origin: keyrecord.Adopted}, true},
		{keyrecord.Record{KeyID: keyrecord.UnknownID("0123456789abcdef"), Origin: keyrecord.Minted}, false},
		{keyrecord.Record{KeyID: "unknown-key", Origin: keyrecord.Adopted}, false},
		{keyrecord.Record{KeyID: "my-unknown-0123456789abcdef", Origin: keyrecord.Adopted}, false},
	} {
		if got := tt.r.IDUnknown(); got != tt.want {
			t.Errorf("%+v: %v, want %v", tt.r, got, tt.want)
		}
	}
}

package keyrecord_test

import (
	"testing"

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

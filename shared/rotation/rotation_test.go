package rotation_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/rotation"
	"github.com/keyturn/keyturn/test/cloud"
)

func bubble(t *testing.T, f func(*testing.T, *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		f(t, newWorld(t))
	})
}

func TestRotate(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.first()
		w.enable()
		old := w.value("AWSCURRENT")
		mark := len(w.audit.records)
		token := w.rotate()
		fresh := w.value("AWSCURRENT")
		if fresh == old || !w.vendor.accepts(fresh) || !w.vendor.accepts(old) {
			t.Errorf("current key %q after %q; the vendor holds %v", fresh, old, w.vendor.live())
		}
		if diff := cmp.Diff([]string{
			"testSecret: checked", // when rotation was turned on
			"createSecret: minted", "setSecret: nothing", "testSecret: verified", "finishSecret: promoted",
		}, w.steps); diff != "" {
			t.Errorf("steps (-want +got):\n%s", diff)
		}
		want := map[string][]string{token: {"AWSCURRENT"}, "11111111-1111-4111-8111-111111111111": {"AWSPREVIOUS"}}
		if diff := cmp.Diff(want, w.stages()); diff != "" {
			t.Errorf("stages (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"create intent", "create outcome", "promote fact"}, w.audit.acts()[mark:]); diff != "" {
			t.Errorf("audit (-want +got):\n%s", diff)
		}
		n, ok := keyname.Parse(w.vendor.keys[len(w.vendor.keys)-1].Name)
		if !ok || n.Rotation != keyname.Rotation(token) || n.Lineage != keyname.Lineage("123456789012", "us-east-1", name) {
			t.Errorf("the new key's name proves nothing: %+v", n)
		}
		if len(w.inbox.messages) != 0 || len(w.records.failures) != 0 {
			t.Errorf("a rotation that went well told %v and recorded %v", w.inbox.messages, w.records.failures)
		}
	})
}

// A whole cold rotation makes at most 8 calls on the rotated secret, exactly 2
// of them writes.
func TestRotate_secretsManagerCalls(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.first()
		w.enable()
		w.rotate()
		w.records.book = keyrecord.Book{}
		w.vendor.keys = slices.DeleteFunc(w.vendor.keys, func(k *vendorKey) bool { return k.value != w.value("AWSCURRENT") && k.Name != foreign })
		mark := len(w.cloud.Calls())
		w.rotate()
		reads, writes := 0, 0
		for _, c := range w.cloud.Calls()[mark:] {
			if !strings.HasSuffix(c.Target, name) && !strings.Contains(c.Target, ":secret:"+name+"-") {
				continue
			}
			switch c.Operation {
			case "DescribeSecret", "GetSecretValue":
				reads++
			case "PutSecretValue", "UpdateSecretVersionStage":
				writes++
			case "RotateSecret": // the test's own
			default:
				t.Errorf("unexpected call %s", c.Operation)
			}
			t.Logf("%s %s", c.Operation, c.Target)
		}
		if reads == 0 || reads > 6 || writes != 2 {
			t.Errorf("%d reads and %d writes, want at most 6 and exactly 2", reads, writes)
		}
	})
}

// Any step can be run twice; the second time changes nothing.
// Promise: killed-anywhere
func TestSteps_again(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.first()
		w.enable()
		token := w.rotate()
		keys, stages := w.vendor.live(), w.stages()
		for _, s := range []rotation.Step{rotation.CreateSecret, rotation.SetSecret, rotation.TestSecret, rotation.FinishSecret} {
			out, err := w.step(s, token)
			if err != nil || (out != rotation.Already && s != rotation.SetSecret) {
				t.Errorf("%s again: %s, %v; want already current", s, out, err)
			}
		}
		if diff := cmp.Diff(keys, w.vendor.live()); diff != "" {
			t.Errorf("keys (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(stages, w.stages()); diff != "" {
			t.Errorf("stages (-want +got):\n%s", diff)
		}
	})
}

// Nothing untested goes live.
// Promise: untested-never-live
func TestUntestedNeverGoesLive(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.first()
		w.enable()
		old := w.value("AWSCURRENT")
		w.vendor.delay = 365 * 24 * time.Hour // no new key is ever accepted
		w.rotate()
		if got := w.value("AWSCURRENT"); got != old {
			t.Errorf("AWSCURRENT moved to %q, which the vendor does not accept", got)
		}
		if !slices.Contains(w.steps, "testSecret: KeyRejected") {
			t.Errorf("steps %v", w.steps)
		}
		if len(w.inbox.messages) != 1 {
			t.Errorf("%d notifications for one token, want 1", len(w.inbox.messages))
		}
		// finishSecret by hand must refuse it too.
		for v, stages := range w.stages() {
			if slices.Contains(stages, "AWSPENDING") {
				if _, err := w.step(rotation.FinishSecret, v); errorType(err) != "KeyRejected" {
					t.Errorf("finishSecret by hand: %v", err)
				}
			}
		}
		if len(w.vendor.creates) != 2 { // the first key's and this one's
			t.Errorf("%d creates, want 2: a stored key is not minted again", len(w.vendor.creates))
		}
	})
}

// A create is never sent twice on an unknown outcome.
// Promise: create-once
func TestCreateOutcomeUnknown(t *testing.T) {
	t.Parallel()
	lost := &provider.Error{Op: "create", Kind: provider.KindUnknown, Status: 502}
	for _, tt := range []struct {
		name          string
		before, after error
	}{
		{"it was made", nil, lost},
		{"it was not made", lost, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(t *testing.T, w *world) {
				w.first()
				w.enable()
				failed := false
				w.vendor.fail = func(call string) (before, after error) {
					if call != "create" || failed {
						return nil, nil
					}
					failed = true
					return tt.before, tt.after
				}
				w.rotate()
				if !slices.Contains(w.steps, "createSecret: CreateOutcomeUnknown") || !strings.HasSuffix(w.steps[len(w.steps)-1], "promoted") {
					t.Errorf("steps %v", w.steps)
				}
				seen := map[string]bool{}
				for _, n := range w.vendor.creates {
					if seen[n] {
						t.Errorf("%s was asked for twice", n)
					}
					seen[n] = true
				}
				if got := w.vendor.ours(); len(got) != 2 {
					t.Errorf("the vendor holds %v, want the old key and the new one", got)
				}
			})
		})
	}
}

// PutSecretValue is the arbiter; the loser revokes only its own key.
// Promise: put-is-arbiter
func TestCreate_lostRace(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.first()
		w.enable()
		var winner string
		w.vendor.fail = func(call string) (before, after error) {
			if call == "create" && winner == "" {
				winner = "acme-99-zzzzzzzzzzzzzzzzzzzzzzzz"
				w.vendor.keys = append(w.vendor.keys, &vendorKey{Key: provider.Key{ID: "winner", Name: "keyturn-0000000000-0000000000000000-mtwwwwww0000"}, value: winner, scopes: []string{"mail.send"}})
				for v, s := range w.stages() {
					if slices.Contains(s, "AWSPENDING") {
						w.putPending(v, `{"apiKey":"`+winner+`"}`)
					}
				}
			}
			return nil, nil
		}
		w.rotate()
		if got := w.value("AWSCURRENT"); got != winner {
			t.Errorf("current key %q, want the winner's", got)
		}
		if diff := cmp.Diff([]string{"hand", "id1", "winner"}, w.vendor.live()); diff != "" {
			t.Errorf("keys (-want +got):\n%s", diff)
		}
	})
}

// At most two generations live; a scheduled rotation waits.
// Promise: two-generations
func TestHeld(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.first()
		w.enable()
		w.rotate()
		current, creates := w.value("AWSCURRENT"), len(w.vendor.creates)
		token := w.rotate()
		if !slices.Contains(w.steps, "createSecret: Held") || len(w.vendor.creates) != creates || w.value("AWSCURRENT") != current {
			t.Errorf("a third generation: %v", w.steps)
		}
		if len(w.inbox.messages) != 1 || w.inbox.messages[0].Kind != "held" {
			t.Errorf("notifications %+v, want one of kind held", w.inbox.messages)
		}
		// An emergency does not wait.
		w.records.book.Requests = []keyrecord.Request{{Rotation: keyname.Rotation(token), Mode: "emergency"}}
		if out, err := w.step(rotation.CreateSecret, token); err != nil || out != rotation.Minted {
			t.Errorf("emergency: %s, %v", out, err)
		}
	})
}

func TestTestSecret_alone(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.first()
		w.enable()
		if diff := cmp.Diff([]string{"testSecret: checked"}, w.steps); diff != "" {
			t.Fatalf("steps (-want +got):\n%s", diff)
		}
		w.vendor.fail = func(call string) (before, after error) {
			if call == "list" {
				return &provider.Error{Op: "list", Kind: provider.KindAuth, Status: 401}, nil
			}
			return nil, nil
		}
		w.enable()
		if got := w.steps[len(w.steps)-1]; got != "testSecret: AdminRefused" {
			t.Errorf("with a dead admin credential: %s", got)
		}
	})
}

func TestSettle(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.vendor.settle = provider.Settle{Within: 30 * time.Second, Every: 3 * time.Second, Successes: 3}
		w.vendor.delay = 10 * time.Second
		w.first()
		w.enable()
		mark := len(w.vendor.calls)
		w.rotate()
		if !strings.HasSuffix(w.steps[len(w.steps)-1], "promoted") {
			t.Fatalf("steps %v", w.steps)
		}
		refused, accepted := 0, 0
		for _, c := range w.vendor.calls[mark:] {
			if c == "verify" {
				accepted++
			}
		}
		if accepted < 4+3+3 { // refused at 0, 3, 6, 9 s; then 3 in testSecret and 3 in finishSecret
			t.Errorf("%d verifies (%d refused), want at least 10", accepted, refused)
		}
	})
}

func TestInit(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.first()
		if got := w.value("AWSCURRENT"); !w.vendor.accepts(got) {
			t.Errorf("first value %q is not a key of the vendor", got)
		}
		err := w.engine.Init(t.Context(), name, "22222222-2222-4222-8222-222222222222")
		if errorType(err) != "HasCurrent" || len(w.vendor.ours()) != 1 {
			t.Errorf("init again: %v, and the vendor holds %v", err, w.vendor.ours())
		}
	})
}

// A first key that does not verify is never stored.
// Promise: untested-never-live
func TestInit_unverified(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.vendor.delay = time.Hour
		err := w.engine.Init(t.Context(), name, "22222222-2222-4222-8222-222222222222")
		if errorType(err) != "KeyRejected" || len(w.stages()) != 0 || len(w.vendor.ours()) != 0 {
			t.Errorf("%v; stages %v; keys %v", err, w.stages(), w.vendor.ours())
		}
	})
}

func TestPlan(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		p, err := w.engine.Plan(t.Context(), name)
		if err != nil || len(p.Problems) != 2 { // rotation is off, no value
			t.Fatalf("plan of an empty secret: %+v, %v", p, err)
		}
		w.first()
		w.enable()
		before := w.vendor.live()
		p, err = w.engine.Plan(t.Context(), name)
		if err != nil || len(p.Problems) != 0 || p.KeyID != "id1" || len(p.Steps) == 0 {
			t.Errorf("plan: %+v, %v", p, err)
		}
		if diff := cmp.Diff(before, w.vendor.live()); diff != "" {
			t.Errorf("a plan changed keys (-want +got):\n%s", diff)
		}
		w.rotate()
		w.vendor.max = 3
		p, _ = w.engine.Plan(t.Context(), name)
		var types []rotation.Type
		for _, q := range p.Problems {
			types = append(types, q.Type)
		}
		if diff := cmp.Diff([]rotation.Type{rotation.Held, rotation.VendorFull}, types); diff != "" {
			t.Errorf("problems (-want +got):\n%s", diff)
		}
	})
}

// Unknown is never read as absent: where the pending version cannot be read,
// nothing is minted.
func TestCreate_pendingUnreadable(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		w.first()
		w.enable()
		creates := len(w.vendor.creates)
		remove := w.cloud.Inject(cloud.Fault{Service: "secretsmanager", Operation: "GetSecretValue", Count: 1 << 20, Nth: 1})
		w.rotate()
		remove()
		if len(w.vendor.creates) != creates {
			t.Errorf("minted although the pending version could not be read: %v", w.steps)
		}
	})
}

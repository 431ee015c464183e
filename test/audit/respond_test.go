package audit

import (
	"strings"
	"testing"
	"time"

	record "github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/boot"
	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/test/cloud/rules"
	"github.com/keyturn/keyturn/test/stack"
)

// responding lets findings start emergency rotations.
func responding(_ *world, watch *stack.Watch) {
	watch.Env = map[string]string{string(boot.RotateNowARN): stack.RotateNow}
	watch.Know = func(s *detect.Site) { s.Respond = &detect.Respond{Rules: []string{"D-01"}} }
}

// TestRespond: what a thief read beside the honey token is rotated, once, by a request
// that is in the ledger with its reason; a denial rotates nothing.
func TestRespond(t *testing.T) {
	t.Parallel()
	run(t, rules.Path{}, func(w *world) {
		ctx := w.t.Context()
		w.must("init", w.stack.Init(ctx, key))
		w.must("enable", w.stack.Enable(ctx, key))
		w.must("read", w.read(app, key))
		time.Sleep(30 * time.Minute)
		w.attack()
		time.Sleep(time.Hour)
		w.must("read again", w.read(thief, honey)) // the same matter
		time.Sleep(time.Hour)
		w.must("rotate", w.region.Cloud.Rotated(ctx, key))
		w.settle()
		requests := map[string]string{} // by ID: rotatenow records one, and so does its rotation
		var responses []string
		for _, f := range w.facts() {
			if f.Act != nil && f.Act.Act == record.Request && f.Act.Phase == record.Intent {
				requests[f.Act.ID] = f.Act.Secret + " " + f.Act.Detail["mode"] + " " + f.Act.Detail["requester_says"] + " " + f.Act.Detail["reason"]
			}
			if f.Alert != nil && f.Alert.Response != "" {
				responses = append(responses, f.Alert.Response)
			}
		}
		want := key + " " + keyrecord.Emergency + " " + role(stack.Auditor) + " finding D-01-"
		for _, text := range requests {
			if !strings.HasPrefix(text, want) {
				w.t.Errorf("requested %q", text)
			}
		}
		if len(requests) != 1 {
			w.t.Errorf("requests %q", requests)
		}
		if len(responses) != 1 || !strings.HasPrefix(responses[0], key+": started, version ") {
			w.t.Errorf("responses %q", responses)
		}
		told := 0
		for _, m := range w.findings() {
			if strings.Contains(m.Text, "Emergency rotation of "+key+": started") {
				told++
			}
		}
		if told == 0 {
			w.t.Error("nobody was told that a rotation was started")
		}
	}, responding)
}

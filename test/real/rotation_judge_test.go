//go:build real

package real_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/providertest"
	"github.com/keyturn/keyturn/test/stack"
)

// judgeAudit checks that each act at the vendor was recorded before it was done
// and after, once, and that the request is there with its reason.
func (w *scene) judgeAudit(keys ...key) {
	w.t.Helper()
	var acts []string
	intents := map[string]bool{}
	var asked *audit.Record
	for _, m := range w.region.SQS.Messages(stack.Audit) {
		var r audit.Record
		if err := json.Unmarshal([]byte(m.Body), &r); err != nil {
			w.t.Fatalf("audit record: %v", err)
		}
		switch {
		case r.Phase == audit.Intent && r.Act == audit.Request:
			asked = &r
		case r.Act == audit.Promote: // no act at the vendor
		case r.Phase == audit.Intent:
			intents[r.ID] = true
		case r.Phase == audit.Outcome:
			if !intents[r.ID] || r.Result != audit.Done {
				w.t.Errorf("%s of key %s: intent before it: %v, result %q", r.Act, r.KeyID, intents[r.ID], r.Result)
			}
			delete(intents, r.ID)
			acts = append(acts, string(r.Act)+" "+r.KeyID)
		}
	}
	first, second, third := keys[0].id, keys[1].id, keys[2].id
	want := []string{"create " + first, "create " + second, "revoke " + first, "create " + third, "revoke " + second}
	if diff := cmp.Diff(want, acts); diff != "" || len(intents) > 0 {
		w.t.Errorf("acts at the vendor (-want +got), and %d intents without an outcome:\n%s", len(intents), diff)
	}
	if asked == nil || asked.Version != keys[2].version || !strings.Contains(asked.Detail["reason"], "laptop") {
		w.t.Errorf("the audit trail's request: %+v", asked)
	}
	for i, act := range acts {
		verb, id, _ := strings.Cut(act, " ")
		acts[i] = verb + " " + short(id)
	}
	w.logf("the audit trail: %s; each with its intent before it", strings.Join(acts, ", "))
}

// judgeLeaks looks for secrets in everything that was said, for failures of
// functions, and for news that nobody should have got.
func (w *scene) judgeLeaks(byHand handmade, keys ...key) {
	w.t.Helper()
	w.mu.Lock()
	secrets := slices.Concat(w.tokens, w.secrets(), []string{byHand.value, stack.FingerprintKey})
	rotationTokens := len(w.tokens)
	w.mu.Unlock()
	for _, k := range keys {
		secrets = append(secrets, k.value)
	}
	said := map[string]string{}
	for _, f := range w.functions() {
		said[f] = strings.Join(w.region.Lambda.Logs(f), "\n")
		if s := w.region.Lambda.Stats(f); s.Errors > 0 || s.Invocations == 0 {
			w.t.Errorf("%s: %d invocations, %d of them failed", f, s.Invocations, s.Errors)
		}
	}
	for _, m := range w.region.SNS.Inbox(stack.Topic) {
		said["SNS"] += fmt.Sprintf("%+v\n", m)
	}
	for _, queue := range []string{stack.Audit, "keyturn-labels-" + w.name} {
		for _, m := range w.region.SQS.Messages(queue) {
			said["SQS"] += fmt.Sprintf("%+v\n", m)
		}
	}
	for _, item := range w.region.DynamoDB.Items(stack.Table) {
		b, err := json.Marshal(item)
		if err != nil {
			w.t.Fatal(err)
		}
		said["DynamoDB"] += string(b) + "\n"
	}
	var sizes []string
	for where, text := range said {
		if leak := providertest.Leak(text, secrets); leak != "" {
			w.t.Errorf("%s shows %q of a secret", where, leak)
		}
		sizes = append(sizes, fmt.Sprintf("%s %d", where, len(text)))
	}
	slices.Sort(sizes)
	// A search that finds nothing because there is nothing proves nothing.
	if len(said) != 6 || rotationTokens < 8 || slices.ContainsFunc(sizes, func(s string) bool { return strings.HasSuffix(s, " 0") }) {
		w.t.Errorf("%d RotationTokens were marked, and there is no text somewhere: %v", rotationTokens, sizes)
	}
	w.logf("no secret of %d (keys, admin credential, RotationTokens, fingerprint key) in: %s bytes", len(secrets), strings.Join(sizes, ", "))
	w.judgeNews()
}

func (w *scene) judgeNews() {
	w.t.Helper()
	kinds := map[notify.Kind]int{}
	for _, m := range w.news() {
		kinds[m.Kind]++
	}
	want := map[notify.Kind]int{notify.Rotated: 3, notify.Retired: 2}
	if w.lastUsed != nil {
		// The second rotation may be held too, if its consumer was slow.
		want[notify.Held] = min(max(kinds[notify.Held], 1), 2)
	}
	if diff := cmp.Diff(want, kinds); diff != "" {
		w.t.Errorf("notifications (-want +got):\n%s", diff)
	}
	b, err := w.records.Load(w.t.Context(), w.secret)
	if err != nil {
		w.t.Fatal(err)
	}
	states := map[keyrecord.State]int{}
	for _, k := range b.Keys {
		states[k.State]++
	}
	if diff := cmp.Diff(map[keyrecord.State]int{keyrecord.Current: 1, keyrecord.Dead: 2}, states); diff != "" || b.Failure != nil {
		w.t.Errorf("records (-want +got), failure %v:\n%s", b.Failure, diff)
	}
}

//go:build real

package real_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/test/binaries"
	"github.com/keyturn/keyturn/test/stack"
)

// TestRotation rotates real keys of real servers through the real binaries:
// minted, verified, promoted, used by a consumer, kept for the grace, revoked,
// refused. Then once more, on demand. A consumer uses its key all the time and
// must never be refused.
//
// Nothing is sped up: the servers live in real time, so the graces are seconds.
// Nobody but the deployment starts the retire function: label events do, and
// the schedules that it makes itself.
func TestRotation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := binaries.Build(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	for name, start := range map[string]func(*testing.T) vendor{"gitea": startGitea, "redis": startRedis, "vault": startVault} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newScene(t, start(t), dir).live()
		})
	}
}

// live is the whole story. It is no helper: its lines are those of the log.
func (w *scene) live() {
	byHand := w.mint(w.t)
	w.logf("somebody makes a key by hand: %s", short(byHand.id))

	first := w.initialize()
	w.consume()
	w.enable()
	second := w.rotate(first)
	if w.lastUsed != nil {
		w.waitHeld(first)
	} else {
		w.waitHalf(first)
	}
	w.fetch(second)
	w.waitDead(first, second)

	third := w.rotateNow(second)
	w.fetch(third)
	w.waitDead(second, third)

	w.consumer.stop()
	w.judgeVendor(third, byHand)
	w.judgeAudit(first, second, third)
	w.judgeLeaks(byHand, first, second, third)
}

// fetch has the consumer read the secret again.
func (w *scene) fetch(current key) {
	w.t.Helper()
	w.consumer.fetch(w.t.Context(), w.t)
	w.logf("the consumer reads the secret again, and uses key %s", current)
}

// initialize has the first key minted, as `keyturn init` does.
func (w *scene) initialize() key {
	w.t.Helper()
	if err := w.stack.Init(w.t.Context(), w.secret); err != nil {
		w.t.Fatal(err)
	}
	k := w.current()
	w.made(w.t, k)
	w.accepts(k)
	w.logf("minted, verified and stored: key %s, %q", k, k.name)
	w.untilNews(notify.Rotated, k.version) // or the next key's news may come in its place
	return k
}

// enable attaches the schedule: Secrets Manager tries testSecret alone.
func (w *scene) enable() {
	w.t.Helper()
	if err := w.stack.Enable(w.t.Context(), w.secret); err != nil {
		w.t.Fatal(err)
	}
	w.logf("rotation is enabled; testSecret alone was fine")
}

// rotate has Secrets Manager rotate the secret.
func (w *scene) rotate(old key) key {
	w.t.Helper()
	w.logf("RotateSecret")
	out, err := w.sm.RotateSecret(w.t.Context(), &sm.RotateSecretInput{SecretId: aws.String(w.secret)})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.promoted(old, aws.ToString(out.VersionId))
}

// rotateNow asks the rotatenow function for a rotation.
func (w *scene) rotateNow(old key) key {
	w.t.Helper()
	w.logf("lambda invoke %s, reason: the laptop of an operator was stolen", stack.RotateNow)
	out, err := sdk.NewFromConfig(w.region.Cloud.Config()).Invoke(w.t.Context(), &sdk.InvokeInput{
		FunctionName: aws.String(stack.RotateNow),
		Payload:      []byte(`{"version":1,"mode":"rotate","secret":"` + w.secret + `","reason":"the laptop of an operator was stolen"}`),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	var a struct{ Status, Token string }
	if err := json.Unmarshal(out.Payload, &a); err != nil || out.FunctionError != nil || a.Status != "started" {
		w.t.Fatalf("rotatenow answered %s, %v", out.Payload, err)
	}
	return w.promoted(old, a.Token)
}

// promoted waits for the end of a rotation, and checks what it left.
func (w *scene) promoted(old key, version string) key {
	w.t.Helper()
	if err := w.region.Cloud.Rotated(w.t.Context(), w.secret); err != nil {
		w.t.Fatal(err)
	}
	k := w.current()
	if k.version != version || k.id == old.id || k.value == old.value {
		w.t.Fatalf("version %s with key %s is current, want version %s and not key %s", k.version, k, version, old)
	}
	d, err := w.sm.DescribeSecret(w.t.Context(), &sm.DescribeSecretInput{SecretId: aws.String(w.secret)})
	if err != nil {
		w.t.Fatal(err)
	}
	want := map[string][]string{k.version: {"AWSCURRENT"}, old.version: {"AWSPREVIOUS"}}
	if diff := cmp.Diff(want, d.VersionIdsToStages); diff != "" {
		w.t.Errorf("labels (-want +got):\n%s", diff)
	}
	w.accepts(old)
	w.accepts(k)
	w.logf("promoted: key %s, %q; the server accepts it, and key %s too", k, k.name, old)
	return k
}

// waitHeld waits until the old key is held because it is in use.
func (w *scene) waitHeld(old key) {
	w.t.Helper()
	rec := w.until("key "+old.String()+" is held", 90*time.Second, func() (keyrecord.Record, bool) {
		rec := w.record(old)
		return rec, rec.State == keyrecord.Held
	})
	if rec.Version != old.version || !rec.LastUsed.After(rec.Replaced) || !rec.Revoked.IsZero() {
		w.t.Errorf("held record: %+v", rec)
	}
	if late := time.Since(rec.LastUsed); late > 5*time.Second {
		w.t.Errorf("the key is in use, and its record says that it was last used %s ago", late)
	}
	w.untilNews(notify.Held, "it was last used at "+rec.LastUsed.UTC().Format("2006-01-02 15:04:05 UTC"))
	w.logf("held: %s", rec.Why)

	// What it rests on: in use, the time at the server is never much older than now.
	var most time.Duration
	for range 10 {
		<-w.tick.C
		most = max(most, time.Since(w.lastUsed(w.t, old.id)))
	}
	if most > w.lag {
		w.t.Errorf("the key is in use, and the server said that it was last used %s ago; want at most %s", most, w.lag)
	}
	w.accepts(old)
	w.logf("it works on; the last use that the server tells was at most %s old", most.Round(time.Millisecond))
}

// waitHalf waits for half of the grace. Nothing may happen to a key in use.
func (w *scene) waitHalf(old key) {
	w.t.Helper()
	rec := w.until("half of the grace of key "+old.String()+" is over", 90*time.Second, func() (keyrecord.Record, bool) {
		rec := w.record(old)
		return rec, !rec.Replaced.IsZero() && time.Since(rec.Replaced) > graceMost/2
	})
	if rec.State != keyrecord.Grace || !rec.Revoked.IsZero() {
		w.t.Errorf("record in the grace: %+v", rec)
	}
	w.accepts(old)
	w.logf("half of the grace is over, and the old key %s works on", old)
}

// waitDead waits until the old key is proven dead, and tries it.
func (w *scene) waitDead(old, current key) {
	w.t.Helper()
	lastUse := w.consumer.lastUse(old.value)
	rec := w.until("key "+old.String()+" is dead", 90*time.Second, func() (keyrecord.Record, bool) {
		rec := w.record(old)
		return rec, rec.State == keyrecord.Dead
	})
	wantQuiet, wantKept := graceQuiet, graceLeast
	if w.lastUsed == nil {
		wantQuiet, wantKept = 0, graceMost
	}
	if quiet, kept := rec.Revoked.Sub(lastUse), rec.Revoked.Sub(rec.Replaced); quiet < wantQuiet || kept < wantKept {
		w.t.Errorf("revoked %s after its last use and %s after it was replaced; want at least %s and %s", quiet, kept, wantQuiet, wantKept)
	}
	if !strings.Contains(rec.Proof, "refused this one") || rec.Ended.Before(rec.Revoked) || rec.LastErr != "" {
		w.t.Errorf("dead record: %+v", rec)
	}
	w.want("the old key", old.value, false)
	w.accepts(current)
	w.untilNews(notify.Retired, rec.Proof)
	w.logf("dead: key %s, kept for %s, and quiet for %s before it was revoked; the server refuses it, and accepts key %s",
		old, rec.Revoked.Sub(rec.Replaced).Round(time.Millisecond), rec.Revoked.Sub(lastUse).Round(time.Millisecond), current)
	w.logf("proof: %s", rec.Proof)
}

// judgeVendor looks at what is left at the vendor and with the consumer.
func (w *scene) judgeVendor(current key, byHand handmade) {
	w.t.Helper()
	left := w.list(w.t)
	if diff := cmp.Diff(slices.Sorted(slices.Values([]string{byHand.id, current.id})), slices.Sorted(maps.Keys(left))); diff != "" {
		w.t.Errorf("keys left (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(byHand.listed, left[byHand.id]); diff != "" {
		w.t.Errorf("the key made by hand (-before +after):\n%s", diff)
	}
	w.want("the key made by hand", byHand.value, true)
	requests, failed := w.consumer.counts()
	if requests < 20 || len(failed) > 0 {
		w.t.Errorf("consumer: %d requests, failed: %v", requests, failed)
	}
	w.logf("the consumer sent %d requests, %d failed; keys left: the current one and the one made by hand, untouched; orphans: 0", requests, len(failed))
}

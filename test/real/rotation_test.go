//go:build real

package real_test

import (
	"encoding/json"
	"net/http"
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
	"github.com/keyturn/keyturn/test/stack"
)

// TestGiteaRotation rotates a real token of the real server through the real
// binaries: minted, verified, promoted, used by a consumer, held while it is in
// use, quiet, revoked, refused. Then once more, on demand. A consumer uses its
// token all the time and must never be refused.
//
// Nothing is sped up: Gitea lives in real time, so the graces are seconds.
// Nobody but the deployment starts the retire function: label events do, and
// the schedules that it makes itself.
func TestGiteaRotation(t *testing.T) {
	t.Parallel()
	w := newGiteaWorld(t)
	byHand := w.mintByHand("laptop")

	first := w.initialize()
	w.consume()
	w.enable()
	second := w.rotate(first)
	w.waitHeld(first)
	w.consumer.fetch(t.Context(), t)
	w.logf("the consumer reads the secret again, and uses key %s", second.id)
	w.waitDead(first, second)

	third := w.rotateNow(second)
	w.consumer.fetch(t.Context(), t)
	w.logf("the consumer reads the secret again, and uses key %s", third.id)
	w.waitDead(second, third)

	w.consumer.stop()
	w.judgeVendor(third, byHand)
	w.judgeAudit(first, second, third)
	w.judgeLeaks(byHand, first, second, third)
}

// mintByHand makes a token that is none of ours.
func (w *giteaWorld) mintByHand(name string) token {
	w.t.Helper()
	var k token
	w.git.create(w.t, name, []string{"read:user"}).into(w.t, http.StatusCreated, &k)
	value := k.SHA1
	k = w.git.find(w.t, k.ID)
	k.SHA1 = value
	w.logf("somebody makes a token by hand: %d, %q", k.ID, k.Name)
	return k
}

// initialize has the first key minted, as `keyturn init` does.
func (w *giteaWorld) initialize() key {
	w.t.Helper()
	if err := w.stack.Init(w.t.Context(), giteaSecret); err != nil {
		w.t.Fatal(err)
	}
	k := w.current()
	listed := w.git.find(w.t, k.number)
	if !strings.HasPrefix(listed.Name, "keyturn-") || listed.Name != k.name || !slices.Equal(listed.Scopes, []string{"read:user"}) {
		w.t.Fatalf("Gitea lists %+v, the secret says %q", listed, k.name)
	}
	w.accepts(k)
	w.logf("minted, verified and stored: key %s, %q", k.id, k.name)
	w.untilNews(notify.Rotated, k.version) // or the next key's news may come in its place
	return k
}

// enable attaches the schedule: Secrets Manager tries testSecret alone.
func (w *giteaWorld) enable() {
	w.t.Helper()
	if err := w.stack.Enable(w.t.Context(), giteaSecret); err != nil {
		w.t.Fatal(err)
	}
	w.logf("rotation is enabled; testSecret alone was fine")
}

// rotate has Secrets Manager rotate the secret.
func (w *giteaWorld) rotate(old key) key {
	w.t.Helper()
	w.logf("RotateSecret")
	out, err := w.sm.RotateSecret(w.t.Context(), &sm.RotateSecretInput{SecretId: aws.String(giteaSecret)})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.promoted(old, aws.ToString(out.VersionId))
}

// rotateNow asks the rotatenow function for a rotation.
func (w *giteaWorld) rotateNow(old key) key {
	w.t.Helper()
	w.logf("lambda invoke %s, reason: the laptop of an operator was stolen", stack.RotateNow)
	out, err := sdk.NewFromConfig(w.region.Cloud.Config()).Invoke(w.t.Context(), &sdk.InvokeInput{
		FunctionName: aws.String(stack.RotateNow),
		Payload:      []byte(`{"version":1,"mode":"rotate","secret":"` + giteaSecret + `","reason":"the laptop of an operator was stolen"}`),
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
func (w *giteaWorld) promoted(old key, version string) key {
	w.t.Helper()
	if err := w.region.Cloud.Rotated(w.t.Context(), giteaSecret); err != nil {
		w.t.Fatal(err)
	}
	k := w.current()
	if k.version != version || k.id == old.id || k.value == old.value {
		w.t.Fatalf("version %s with key %s is current, want version %s and not key %s", k.version, k.id, version, old.id)
	}
	d, err := w.sm.DescribeSecret(w.t.Context(), &sm.DescribeSecretInput{SecretId: aws.String(giteaSecret)})
	if err != nil {
		w.t.Fatal(err)
	}
	want := map[string][]string{k.version: {"AWSCURRENT"}, old.version: {"AWSPREVIOUS"}}
	if diff := cmp.Diff(want, d.VersionIdsToStages); diff != "" {
		w.t.Errorf("labels (-want +got):\n%s", diff)
	}
	w.accepts(old)
	w.accepts(k)
	w.logf("promoted: key %s, %q; Gitea accepts it, and key %s too", k.id, k.name, old.id)
	return k
}

// waitHeld waits until the old key is held because it is in use.
func (w *giteaWorld) waitHeld(old key) {
	w.t.Helper()
	rec := w.until("key "+old.id+" is held", 90*time.Second, func() (keyrecord.Record, bool) {
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

	// What it rests on: in use, the time at Gitea is never much older than now.
	var most time.Duration
	for range 10 {
		<-w.tick.C
		most = max(most, time.Since(w.git.find(w.t, old.number).LastUsedAt))
	}
	if most > usageLag {
		w.t.Errorf("the key is in use, and Gitea said that it was last used %s ago; want at most %s", most, usageLag)
	}
	w.accepts(old)
	w.logf("it works on; its last_used_at at Gitea was at most %s old", most.Round(time.Millisecond))
}

// waitDead waits until the old key is proven dead, and tries it.
func (w *giteaWorld) waitDead(old, current key) {
	w.t.Helper()
	lastUse := w.consumer.lastUse(old.value)
	rec := w.until("key "+old.id+" is dead", 90*time.Second, func() (keyrecord.Record, bool) {
		rec := w.record(old)
		return rec, rec.State == keyrecord.Dead
	})
	if quiet := rec.Revoked.Sub(lastUse); quiet < graceQuiet || rec.Revoked.Sub(rec.Replaced) < graceLeast {
		w.t.Errorf("revoked %s after its last use and %s after it was replaced; want at least %s and %s",
			quiet, rec.Revoked.Sub(rec.Replaced), graceQuiet, graceLeast)
	}
	if !strings.Contains(rec.Proof, "refused this one") || rec.Ended.Before(rec.Revoked) || rec.LastErr != "" {
		w.t.Errorf("dead record: %+v", rec)
	}
	w.git.whoAmI(w.t, old.value).named("the old token").want(w.t, http.StatusUnauthorized)
	w.accepts(current)
	w.untilNews(notify.Retired, rec.Proof)
	w.logf("dead: key %s, quiet for %s before it was revoked; Gitea answers it 401, and key %s 200",
		old.id, rec.Revoked.Sub(lastUse).Round(time.Millisecond), current.id)
	w.logf("proof: %s", rec.Proof)
}

// judgeVendor looks at what is left at the vendor and with the consumer.
func (w *giteaWorld) judgeVendor(current key, byHand token) {
	w.t.Helper()
	var left []int64
	for _, k := range w.git.list(w.t, "").tokens {
		left = append(left, k.ID)
	}
	slices.Sort(left)
	if diff := cmp.Diff([]int64{byHand.ID, current.number}, left); diff != "" {
		w.t.Errorf("tokens left (-want +got):\n%s", diff)
	}
	untouched := byHand
	untouched.SHA1 = ""
	if diff := cmp.Diff(untouched, w.git.find(w.t, byHand.ID)); diff != "" {
		w.t.Errorf("the token made by hand (-before +after):\n%s", diff)
	}
	w.git.whoAmI(w.t, byHand.SHA1).named("the token made by hand").want(w.t, http.StatusOK)
	requests, failed := w.consumer.counts()
	if requests < 20 || len(failed) > 0 {
		w.t.Errorf("consumer: %d requests, failed: %v", requests, failed)
	}
	w.logf("the consumer sent %d requests, %d failed; tokens left: the current one and the one made by hand, untouched; orphans: 0", requests, len(failed))
}

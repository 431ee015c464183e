package fault

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/providertest"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// toy is an engine that does something bad besides. What it asks the vendor for
// takes the way of its process, so it is seen as the engine's own deed.
type toy struct {
	*World

	done bool
	made uint32 // keys
}

func (y *toy) keys(p *process) creatorRevoker {
	o, ok := y.strategyBy(&port{process: p}).(provider.Overlap)
	if !ok {
		panic(y.subject.Name + " has no keys of its own")
	}
	return o.Keys
}

type creatorRevoker interface {
	provider.Creator
	provider.Revoker
}

// name is one that a rotation might have given a key.
func (y *toy) name(rotation string) string {
	y.made++
	return keyname.New(keyname.Lineage(wire.Account, wire.Region, secretName), keyname.Rotation(rotation), y.now(), y.made).String()
}

// once does something in the first invocation for which it can be done.
func (y *toy) once(p *process, function, step string, do func()) {
	if !y.done && p.function == function && strings.HasPrefix(p.step, step) && y.started {
		y.done = true
		do()
	}
}

// older is the id of the key that was replaced.
func (y *toy) older() string {
	for id, r := range y.records() {
		if r.State.Alive() && r.State != keyrecord.Current {
			return id
		}
	}
	return ""
}

// deaf is a vendor that says yes to the end of a key, and ends nothing.
type deaf struct{ providertest.Fake }

// ServeHTTP implements [http.Handler].
func (d deaf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodDelete {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	d.Fake.ServeHTTP(w, r)
}

// The judge names what a bad engine breaks: each of what is promised is broken
// here on purpose, or else a judge that sees nothing would be believed.
func TestJudge(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the whole without the race detector")
	}
	for _, c := range []struct {
		name, row string
		plan      []Fault
		besides   func(context.Context, *toy, *process)
		after     func(*toy) // before the judge comes
		want      []string   // that the judge says, in any order
	}{
		{name: "nothing is broken", row: "overlap-plain"},
		{name: "no more is broken by one who heals", row: "overlap-plain", plan: []Fault{{3, KillBefore}, {20, KillAfter}}},
		{
			name: "the current key ends", row: "overlap-plain", want: []string{"does not accept AWSCURRENT", "a consumer that fetched the secret", "without an accepted intent"},
			besides: func(ctx context.Context, y *toy, p *process) {
				y.once(p, retiring, "", func() {
					for id, r := range y.records() {
						if r.State == keyrecord.Current {
							check(y.keys(p).Revoke(ctx, id))
						}
					}
				})
			},
		},
		{
			name: "a key is made again and again", row: "overlap-plain", want: []string{"it is not over", "lives, recorded as"},
			besides: func(_ context.Context, y *toy, p *process) {
				if p.function == retiring {
					y.fake.Add(y.name("of nobody"))
				}
			},
		},
		{
			name: "a key of others ends", row: "overlap-plain", want: []string{", which is somebody else's", "was touched", "without an accepted intent"},
			besides: func(ctx context.Context, y *toy, p *process) {
				y.once(p, retiring, "", func() { check(y.keys(p).Revoke(ctx, y.foreign[1].ID)) })
			},
		},
		{
			name: "an act without an intent", row: "overlap-plain", want: []string{"revoke of key", "without an accepted intent"},
			besides: func(ctx context.Context, y *toy, p *process) {
				y.once(p, retiring, "", func() { check(y.keys(p).Revoke(ctx, y.older())) })
			},
		},
		{
			name: "a create without an intent, and its key is left", row: "overlap-plain", want: []string{"create of key", "without an accepted intent", "has ended and left key"},
			besides: func(ctx context.Context, y *toy, p *process) {
				y.once(p, rotating, "createSecret", func() {
					_, err := y.keys(p).Create(ctx, y.name("of nobody"))
					check(err)
				})
			},
		},
		{
			name: "a key ends that may still be stored", row: "overlap-plain", want: []string{"0s old, which a rotation may still store"},
			besides: func(ctx context.Context, y *toy, p *process) {
				y.once(p, retiring, "", func() { check(y.keys(p).Revoke(ctx, y.fake.Add(y.name("under way")).ID)) })
			},
		},
		{
			name: "reruns", row: "overlap-plain", want: []string{"it took 3 reruns to heal, and may take 2"},
			plan: []Fault{{3, KillBefore}, {8, KillBefore}, {13, KillBefore}},
		},
		{
			name: "a secret is said", row: "overlap-plain", want: []string{"of a secret was said"},
			besides: func(_ context.Context, y *toy, p *process) {
				y.once(p, rotating, "testSecret", func() {
					_, key := y.version("AWSPENDING")
					_, err := fmt.Fprintf(&voice{p}, "key %s\n", key.Reveal())
					check(err)
				})
			},
		},
		{
			name: "a RotationToken is said", row: "overlap-plain", want: []string{"of a secret was said"},
			besides: func(_ context.Context, y *toy, p *process) {
				y.once(p, rotating, "finishSecret", func() { y.hear([]byte(y.tokens[0])) })
			},
		},
		{
			name: "the end has no effect", row: "overlap-plain", want: []string{"it is not over", "the old key still works"},
			besides: func(_ context.Context, y *toy, p *process) {
				y.once(p, rotating, "createSecret", func() { y.fake = deaf{y.fake} })
			},
		},
		{
			name: "death without proof", row: "overlap-plain", want: []string{"recorded as dead without proof"},
			besides: func(_ context.Context, y *toy, p *process) {
				y.once(p, retiring, "", func() {
					y.must(y.dynamo, "PutItem", map[string]any{"TableName": table, "Item": map[string]any{
						"secret": text(secretName), "item": text("key#of nobody"), "state": text(string(keyrecord.Dead)),
					}})
				})
			},
		},
		{
			name: "AWSPENDING stays", row: "overlap-plain", want: []string{"AWSPENDING stays"},
			after: func(y *toy) {
				y.must(y.cloud.SecretsManager(), "PutSecretValue", map[string]any{
					"SecretId": secretName, "ClientRequestToken": y.requestID(), "VersionStages": []string{"AWSPENDING"}, "SecretString": "{}",
				})
			},
		},
		{
			name: "AWSCURRENT does not move", row: "overlap-plain", want: []string{"AWSCURRENT has not moved", "it took 6 reruns"},
			besides: func(_ context.Context, y *toy, p *process) {
				from, _ := y.version("AWSCURRENT")
				to, _ := y.version("AWSPREVIOUS")
				if p.step != "finishSecret" || to == "" {
					return
				}
				y.must(y.cloud.SecretsManager(), "UpdateSecretVersionStage", map[string]any{
					"SecretId": secretName, "VersionStage": "AWSCURRENT", "MoveToVersionId": to, "RemoveFromVersionId": from,
				})
			},
		},
		{
			name: "nothing is current", row: "overlap-plain", want: []string{"nothing is AWSCURRENT"},
			after: func(y *toy) {
				y.must(y.cloud.SecretsManager(), "DeleteSecret", map[string]any{"SecretId": secretName})
			},
		},
		{
			name: "a window that is not printed", row: "rollinplace", want: []string{"which is in no window that was printed"},
			after: func(y *toy) {
				said := strings.ReplaceAll(y.said.String(), "value replaced in place", "")
				y.said.Reset()
				y.said.WriteString(said)
			},
		},
		{
			name: "a value is replaced without an intent", row: "rollwithgrace", want: []string{"roll of key", "without an accepted intent"},
			besides: func(_ context.Context, y *toy, p *process) {
				y.once(p, rotating, "createSecret", func() {
					y.intents = nil
					r, err := http.NewRequest(http.MethodPost, y.base+"/api/v2/tokens/nobody/reset", nil)
					check(err)
					_, err = (&port{process: p}).RoundTrip(r)
					check(err)
				})
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := NewWorld(row(t, c.row))
				defer w.Close()
				w.plan = c.plan
				y := &toy{World: w}
				if c.besides != nil {
					w.besides = func(ctx context.Context, p *process) { c.besides(ctx, y, p) }
				}
				var old Known
				old.version, old.key = w.version("AWSCURRENT")
				w.Live()
				if c.after != nil {
					c.after(y)
				}
				broken := w.Judge(old, 2)
				for _, want := range c.want {
					if !slices.ContainsFunc(broken, func(b string) bool { return strings.Contains(b, want) }) {
						t.Errorf("%q is not among what the judge says: %q", want, broken)
					}
				}
				if len(c.want) == 0 && len(broken) > 0 {
					t.Errorf("the judge says %q", broken)
				}
			})
		})
	}
}

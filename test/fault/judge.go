package fault

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// records returns the keys' records, read past all faults.
func (w *World) records() map[string]keyrecord.Record {
	out := map[string]keyrecord.Record{}
	for _, item := range w.dynamo.Items(table) {
		id, ok := strings.CutPrefix(item["item"].Text, "key#")
		if !ok {
			continue // an alert names its key, too
		}
		out[id] = keyrecord.Record{
			KeyID: id, KeyName: item["key_name"].Text, Version: item["version"].Text,
			State: keyrecord.State(item["state"].Text), Why: item["why"].Text, Proof: item["proof"].Text, LastErr: item["last_err"].Text,
		}
	}
	return out
}

// ours returns the keys at the vendor that are ours.
func (w *World) ours() []provider.Key {
	lineage := keyname.Lineage(wire.Account, wire.Region, secretName)
	return slices.DeleteFunc(w.fake.Live(), func(k provider.Key) bool {
		if w.subject.Named {
			n, ok := keyname.Parse(k.Name)
			return !ok || n.Lineage != lineage
		}
		return slices.ContainsFunc(w.foreign, func(f provider.Issued) bool { return f.ID == k.ID })
	})
}

// settled reports whether one key of ours is left, and every other record says
// how its key ended.
func (w *World) settled() bool {
	if len(w.ours()) != 1 {
		return false
	}
	if w.rival && w.unfinished() != "" { // that one, a sweep takes away
		return false
	}
	ended := 0
	for _, r := range w.records() {
		switch {
		case !r.State.Alive():
			ended++
		case r.State != keyrecord.Current:
			return false
		}
	}
	return ended > 0 || w.rival
}

// unfinished is the version that is pending and not current, "" if there is none.
func (w *World) unfinished() string {
	pending, _ := w.version("AWSPENDING")
	if current, _ := w.version("AWSCURRENT"); pending == current {
		return ""
	}
	return pending
}

// rest says what is left, for a person.
func (w *World) rest() string {
	var out []string
	records := w.records()
	for _, k := range w.ours() {
		r := records[k.ID]
		out = append(out, fmt.Sprintf("key %s (%s) lives, recorded as %q: %s%s", k.ID, k.Name, r.State, r.Why, r.LastErr))
	}
	for id, r := range records {
		if r.State != keyrecord.Current {
			out = append(out, fmt.Sprintf("record %s: %q %s%s", id, r.State, r.Why, r.LastErr))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

// breach notes what is broken: a few times each, for one thing that goes on must
// not hide another.
func (w *World) breach(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken[format]++; w.broken[format] <= 3 {
		w.breaches = append(w.breaches, fmt.Sprintf(format, args...))
	}
}

// Judge looks at the world after all is over, and returns what is broken.
// reruns is how often Secrets Manager may have had to begin again.
func (w *World) Judge(old Known, reruns int) []string {
	w.consumer.quiet = true
	id, key := w.version("AWSCURRENT")
	switch {
	case id == "":
		w.breach("nothing is AWSCURRENT")
	case !w.fake.Works(key):
		w.breach("the vendor does not accept AWSCURRENT")
	case id == old.version && !w.back && !w.rival:
		w.breach("AWSCURRENT has not moved")
	}
	if !w.back && old.key.Reveal() != "" && !key.Equal(old.key) && w.fake.Works(old.key) {
		w.breach("the old key still works: %s", w.rest())
	}
	if p := w.unfinished(); p != "" {
		w.breach("AWSPENDING stays on version %s", p)
	}
	for id, r := range w.records() {
		if r.State == keyrecord.Dead && r.Proof == "" {
			w.breach("key %s is recorded as dead without proof", id)
		}
	}
	for _, k := range w.foreign {
		if !w.fake.Works(k.Value) || !slices.ContainsFunc(w.fake.Live(), func(l provider.Key) bool { return l.ID == k.ID && l.Name == k.Name }) {
			w.breach("key %q, which is somebody else's, was touched", k.Name)
		}
	}
	if w.attempts > 1+reruns {
		w.breach("it took %d reruns to heal, and may take %d", w.attempts-1, reruns)
	}
	if len(w.plan) == 0 && w.race == nil {
		w.consumer.judge(w.said.String())
	}
	w.leaks()
	return w.breaches
}

// Known is a version and its key.
type Known struct {
	version string
	key     secret.Value
}

// leaks looks for secrets in what was said.
func (w *World) leaks() {
	text := w.said.String()
	const window = 12
	secrets := append(w.fake.Values(), w.tokens...)
	for _, s := range append(secrets, fingerprintKey) {
		if len(s) < window {
			if s != "" && strings.Contains(text, s) {
				w.breach("a secret of %d characters was said", len(s))
			}
			continue
		}
		for _, part := range []string{s[:window], s[(len(s)-window)/2:][:window], s[len(s)-window:]} {
			if strings.Contains(text, part) {
				w.breach("%q of a secret was said", part)
				break
			}
		}
	}
}

// staged returns the names of the keys in versions with a label.
func (w *World) staged() map[string]bool {
	out := map[string]bool{}
	for _, label := range []string{"AWSCURRENT", "AWSPENDING"} {
		b, err := w.do(w.cloud.SecretsManager(), "GetSecretValue", map[string]string{"SecretId": secretName, "VersionStage": label})
		if err != nil {
			continue
		}
		var v struct{ SecretString string }
		var value struct{ Keyturn struct{ KeyName string } }
		if json.Unmarshal(b, &v) == nil && json.Unmarshal([]byte(v.SecretString), &value) == nil {
			out[value.Keyturn.KeyName] = true
		}
	}
	return out
}

package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/providertest"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/sns"
	"github.com/keyturn/keyturn/test/cloud/wire"
	"github.com/keyturn/keyturn/test/demo/internal/report"
	"github.com/keyturn/keyturn/test/stack"
)

// lineage begins the names of a secret's keys.
func lineage(name string) string {
	return "keyturn-" + keyname.Lineage(wire.Account, wire.Region, name) + "-"
}

// calls counts the calls of Secrets Manager that the rotate function made on
// the secret, and the writes among them.
func (d *demo) calls(t turn) (all, writes int) {
	made := d.region.Cloud.Calls(cloud.ByService("secretsmanager"), cloud.ByTarget(t.Secret), func(c cloud.CallRecord) bool {
		return strings.HasPrefix(d.watch.caller(c.AccessKey), stack.Rotate("")) && !c.Time.Before(t.Started) && !c.Time.After(t.Ended)
	})
	for _, c := range made {
		if c.Operation == "PutSecretValue" || c.Operation == "UpdateSecretVersionStage" {
			writes++
		}
	}
	return len(made), writes
}

// turned adds a rotation to the report.
func (d *demo) turned(name string, r report.Rotation) {
	d.run.Notes = append(d.run.Notes, report.Note{At: r.Started, Secret: name, Kind: report.Started, Text: "A rotation begins: " + r.Cause + "."})
	k := d.key(name)
	k.Rotations = append(k.Rotations, r)
}

// key returns the report's key of that name.
func (d *demo) key(name string) *report.Key {
	if len(d.run.Keys) == 0 {
		for _, n := range names() {
			d.run.Keys = append(d.run.Keys, report.Key{Secret: n, Vendor: d.vendor(n).title})
		}
	}
	return &d.run.Keys[slices.IndexFunc(d.run.Keys, func(k report.Key) bool { return k.Secret == name })]
}

// trail is the audit trail.
func (d *demo) trail() (out []report.Entry) {
	for _, m := range d.region.SQS.Messages(stack.Audit) {
		var r audit.Record
		if json.Unmarshal([]byte(m.Body), &r) == nil {
			out = append(out, report.Entry{Record: r, At: m.Sent})
		}
	}
	return out
}

// judge looks at what has become of the keys, while the vendors still answer.
func (d *demo) judge(ctx context.Context) {
	d.run.To = d.now()
	trail := d.trail()
	d.run.Unasked = report.Unasked(trail)
	moves := d.watch.moved()
	for _, name := range names() {
		k, v := d.key(name), d.vendor(name)
		k.Lives = report.Lives(name, trail, moves, d.run.To)
		for _, l := range v.Live() {
			if strings.HasPrefix(l.Name, lineage(name)) {
				k.Live = append(k.Live, l.ID)
			}
		}
		values := d.values(name)
		for i := range k.Lives {
			l := &k.Lives[i]
			l.Answer = d.ask(ctx, v, *k, *l, values[l.Version])
		}
	}
}

// values returns the keys that the consumers fetched, by version.
func (d *demo) values(name string) map[string]secret.Value {
	out := map[string]secret.Value{}
	for _, u := range d.consumers {
		if u.secret == name {
			maps.Copy(out, u.Keys())
		}
	}
	return out
}

// ask tries a key at its vendor, if its value is known.
func (d *demo) ask(ctx context.Context, v *vendor, k report.Key, l report.Life, value secret.Value) report.Answer {
	if l.In(report.Lost) || value.Empty() {
		if slices.Contains(k.Live, l.ID) || l.ID == "" {
			return report.Listed
		}
		return report.Unlisted
	}
	if got := value.Fingerprint(secret.New(stack.FingerprintKey)); got != l.Fingerprint {
		return report.Answer("another key than the audit trail says")
	}
	accepted, err := v.try(ctx, value)
	switch {
	case err != nil:
		return report.Answer("not answered: " + err.Error())
	case accepted:
		return report.Accepted
	}
	return report.Refused
}

// counts puts what the consumers did into the report, when they have ended.
func (d *demo) counts() {
	for _, u := range d.consumers {
		s, k := u.Stats(), d.key(u.secret)
		k.Consumers = append(k.Consumers, report.Consumer{Name: s.Name, Stubborn: s.Stubborn, Requests: s.Requests, Failed: s.Failed, LastErr: s.LastErr})
	}
}

// finish writes the files, shows the table and the verdict.
func (d *demo) finish(failed error) (kept bool, err error) {
	dir := d.out
	if dir == "" {
		dir = filepath.Join(d.root, "dist", "demo")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return false, errors.Join(failed, err)
	}
	files := d.files(dir)
	d.leaks(files)
	for _, f := range files {
		d.run.Files = append(d.run.Files, report.File{Path: f.path, Name: filepath.Base(f.path), What: f.what})
	}
	page := file{path: d.relative(filepath.Join(dir, "timeline.html")), what: "the timeline, for a browser"}
	var b bytes.Buffer
	if err := d.run.HTML(&b); err != nil {
		return false, errors.Join(failed, err)
	}
	page.text = b.String()
	d.leaks([]file{page})
	promises := d.run.Promises()
	d.show(promises, append([]file{page}, files...))
	files = append(files, page, file{path: d.relative(filepath.Join(dir, "output.txt")), what: "what was shown", text: d.screen.text()})
	d.leaks(files[len(files)-1:])
	if now := report.Broken(d.run.Promises()); len(now) > len(report.Broken(promises)) {
		d.screen.print(bad, "broken: "+now[len(now)-1].What+"\n")
	}
	for _, f := range files {
		// A file with a secret in it is not written.
		if slices.Contains(d.run.Leaks, f.path) {
			continue
		}
		failed = errors.Join(failed, os.WriteFile(filepath.Join(dir, filepath.Base(f.path)), []byte(f.text), 0o600))
	}
	return len(report.Broken(d.run.Promises())) == 0, failed
}

// show prints the table, the promises that were broken, and where to read on.
func (d *demo) show(promises []report.Promise, files []file) {
	d.screen.head("Result")
	d.screen.print(plain, d.run.Table()+"\n")
	broken := report.Broken(promises)
	for _, p := range broken {
		d.screen.print(bad, "broken: "+p.What+"\n")
		for _, b := range p.Broken {
			d.screen.print(bad, "        "+b+"\n")
		}
	}
	if len(broken) == 0 {
		made, _ := d.run.Requests()
		d.screen.print(good, fmt.Sprintf("All %d promises kept: %d requests of consumers and none failed, no orphan, every old key refused, no secret shown, the theft noticed and %d entries of the ledger proven.\n", len(promises), made, d.run.Watch.Entries))
	}
	d.screen.print(plain, fmt.Sprintf("%s of the local AWS's time passed in %.0f s (and %.0f s to build).\n\n", report.Long(d.run.To.Sub(d.run.From)), d.run.Took.Seconds(), d.run.Build.Seconds()))
	for _, f := range files {
		d.screen.print(plain, fmt.Sprintf("%-30s %s\n", f.path, f.what))
	}
}

// file is something to be written.
type file struct{ path, what, text string }

func (d *demo) files(dir string) []file {
	var inbox bytes.Buffer
	_ = sns.Render(&inbox, d.region.SNS.Inbox(stack.Topic)) // a Buffer takes everything
	var trail strings.Builder
	for _, m := range d.region.SQS.Messages(stack.Audit) {
		trail.WriteString(m.Body + "\n")
	}
	at := func(name string) string { return d.relative(filepath.Join(dir, name)) }
	return []file{
		{at("messages.txt"), "the SNS messages, as an e-mail has them", inbox.String()},
		{at("audit.jsonl"), "the audit trail", trail.String()},
		{at("ledger.jsonl"), "the ledger's entries", d.ledger},
		{at("functions.log"), "what the functions logged, with their metrics", d.log.String()},
	}
}

// relative is a path as it is typed here.
func (d *demo) relative(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(here, path); err == nil && filepath.IsAbs(path) && !strings.HasPrefix(rel, "..") {
		return rel
	}
	return path
}

// leaks looks for secrets in files, and in all else that was kept.
func (d *demo) leaks(files []file) {
	var items strings.Builder
	for _, i := range d.region.DynamoDB.Items(stack.Table) {
		b, err := json.Marshal(i)
		if err == nil {
			items.Write(b)
		}
	}
	for _, f := range append(slices.Clone(files), file{path: "the keys' records", text: items.String()}, file{path: "the output", text: d.screen.text()}) {
		if d.leaky(f.text) && !slices.Contains(d.run.Leaks, f.path) {
			d.run.Leaks = append(d.run.Leaks, f.path)
		}
	}
}

// leaky reports whether a text shows a secret.
func (d *demo) leaky(text string) bool {
	values := []string{stack.FingerprintKey}
	for _, v := range d.vendors {
		values = append(values, v.Values()...)
	}
	if providertest.Leak(text, values) != "" {
		return true
	}
	// RotationTokens are UUIDs, of which eight characters in a row are not
	// enough to be one and no other.
	const window = 12
	d.watch.mu.Lock()
	defer d.watch.mu.Unlock()
	for _, t := range d.watch.tokens {
		for i := range len(t) - window + 1 {
			if strings.Contains(text, t[i:i+window]) {
				return true
			}
		}
		for i := range 3 {
			b := strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(t[i:])), "=")
			if strings.Contains(text, b[:len(b)-2]) {
				return true
			}
		}
		if strings.Contains(strings.ToLower(text), hex.EncodeToString([]byte(t))) {
			return true
		}
	}
	return false
}

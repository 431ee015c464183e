//go:build !race

package cdk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"

	"github.com/keyturn/keyturn/shared/catalog"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// resource is a part of a template.
type resource struct {
	Type           string
	Properties     map[string]any
	DependsOn      any
	DeletionPolicy string
}

// assembly is an app's stacks, synthesized.
type assembly struct {
	templates map[string][]byte
	resources map[string]map[string]resource // by stack and logical id
	depends   map[string][]string
	tags      map[string]map[string]string
	findings  []string // what cdk-nag says
}

// example is synthesized once for all tests.
var example = sync.OnceValues(func() (*assembly, error) {
	file, err := keysfile.LoadFiles(keysfile.Options{Vendors: catalog.All()}, "testdata/keyturn.yaml")
	if err != nil {
		return nil, err
	}
	return synth(StacksProps{File: file, Environment: file.Environments["prod"], Code: stub{}}, true)
})

func synth(props StacksProps, nag bool) (_ *assembly, err error) {
	defer func() {
		if r := recover(); r != nil { // what the validator finds
			err = fmt.Errorf("%v", r)
		}
	}()
	dir, err := os.MkdirTemp("", "keyturn-cdk")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	// So that TestNag can list every finding, rather than end at the first.
	app, err := newApp(dir, map[string]any{"@aws-cdk/core:annotationsInValidationReport": false})
	if err != nil {
		return nil, err
	}
	if err = Stacks(app, props); err != nil {
		return nil, err
	}
	if nag {
		awscdk.Aspects_Of(app).Add(cdknag.NewAwsSolutionsChecks(&cdknag.NagPackProps{Verbose: jsii.Bool(true), Reports: jsii.Bool(false)}), nil)
	}
	a := &assembly{templates: map[string][]byte{}, resources: map[string]map[string]resource{}, depends: map[string][]string{}, tags: map[string]map[string]string{}}
	for _, s := range *app.Synth(nil).Stacks() {
		name := *s.StackName()
		raw, err := os.ReadFile(*s.TemplateFullPath())
		if err != nil {
			return nil, err
		}
		a.templates[name] = raw
		var t struct{ Resources map[string]resource }
		if err = json.Unmarshal(raw, &t); err != nil {
			return nil, err
		}
		a.resources[name] = t.Resources
		a.tags[name] = map[string]string{}
		for k, v := range *s.Tags() {
			a.tags[name][k] = *v
		}
		for _, d := range *s.Dependencies() {
			a.depends[name] = append(a.depends[name], *d.Id())
		}
		if raw, err = os.ReadFile(filepath.Join(dir, name+".metadata.json")); err != nil {
			return nil, err
		}
		var notes map[string][]struct{ Data any }
		if err = json.Unmarshal(raw, &notes); err != nil {
			return nil, err
		}
		for path, all := range notes {
			for _, n := range all {
				if text, ok := n.Data.(string); ok && strings.HasPrefix(text, "AwsSolutions-") {
					a.findings = append(a.findings, path+" "+text)
				}
			}
		}
	}
	return a, nil
}

func synthesized(t *testing.T) *assembly {
	t.Helper()
	a, err := example()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// of returns all resources of a type, by stack and logical id.
func (a *assembly) of(kind string) map[string]resource {
	out := map[string]resource{}
	for stack, rs := range a.resources {
		for id, r := range rs {
			if r.Type == kind {
				out[stack+"/"+id] = r
			}
		}
	}
	return out
}

func written(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestGolden(t *testing.T) {
	a := synthesized(t)
	full := 0
	for _, name := range slices.Sorted(maps.Keys(a.templates)) {
		if len(a.resources[name]) == 0 { // see TestStable_lastOfShard
			continue
		}
		full++
		var indented bytes.Buffer
		if err := json.Indent(&indented, a.templates[name], "", "  "); err != nil {
			t.Fatal(err)
		}
		got := append(indented.Bytes(), '\n')
		path := filepath.Join("testdata", "golden", name+".json")
		if *update {
			err := os.MkdirAll(filepath.Dir(path), 0o755)
			if err == nil {
				err = os.WriteFile(path, got, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Errorf("%v: run go test ./infra/cdk -run TestGolden -update, and read the diff", err)
			continue
		}
		if !bytes.Equal(got, want) {
			t.Errorf("the template of %s is another (%s): if it should be, run go test ./infra/cdk -run TestGolden -update, and read the diff", name, firstDifference(want, got))
		}
	}
	files, err := filepath.Glob("testdata/golden/*.json")
	if err != nil || len(files) != full {
		t.Errorf("%d golden templates of %d stacks: %v", len(files), full, err)
	}
}

func firstDifference(want, got []byte) string {
	w, g := strings.Split(string(want), "\n"), strings.Split(string(got), "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d: %q, was %q", i+1, g[i], w[i])
		}
	}
	return "one is longer"
}

// TestNag lists what cdk-nag's AwsSolutions finds and nobody gave a reason for.
func TestNag(t *testing.T) {
	for _, f := range synthesized(t).findings {
		t.Errorf("%.400s", f)
	}
}

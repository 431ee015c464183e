package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/infra/access"
	"github.com/keyturn/keyturn/shared/catalog"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// TestStays: whatever the templates retain is told.
func TestStays(t *testing.T) {
	t.Parallel()
	f, err := keysfile.LoadFiles(keysfile.Options{Vendors: catalog.All()}, "../cdk/testdata/keyturn.yaml")
	if err != nil {
		t.Fatal(err)
	}
	site, err := access.New(f, access.Environment{Account: "111122223333", Region: "eu-west-1"})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, s := range stays(f, site, []string{"eu-central-1"}, nil) {
		lines = append(lines, s.Names...)
	}
	for _, stack := range []string{"keyturn-retained", "keyturn-keys-03", "keyturn-keys-07"} {
		kept := retained(t, stack)
		if len(kept) == 0 {
			t.Errorf("%s retains nothing", stack)
		}
		for _, name := range kept {
			if !slices.ContainsFunc(lines, func(l string) bool { return l == name || strings.HasSuffix(l, " "+name) }) {
				t.Errorf("%s of %s stays, and is not told", name, stack)
			}
		}
	}
}

// retained are the names of what a golden template retains.
func retained(t *testing.T, stack string) (names []string) {
	t.Helper()
	data, err := os.ReadFile("../cdk/testdata/golden/" + stack + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Resources map[string]struct {
			DeletionPolicy string
			Properties     map[string]any
		}
	}
	if err := json.Unmarshal(data, &template); err != nil {
		t.Fatal(err)
	}
	for _, r := range template.Resources {
		for _, field := range []string{"Name", "TableName", "QueueName", "BucketName", "AliasName"} {
			if name, ok := r.Properties[field].(string); ok && strings.HasPrefix(r.DeletionPolicy, "Retain") {
				names = append(names, name)
			}
		}
	}
	return names
}

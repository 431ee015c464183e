//go:build !race

package main

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDestroy holds make destroy to the stacks that there are: all but those that
// have to stay, with replicas in another Region.
func TestDestroy(t *testing.T) {
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	recipe := regexp.MustCompile(`\n\t\$\(CDK\) destroy .*`).FindString(string(makefile))
	patterns := regexp.MustCompile(`'([^']+)'`).FindAllStringSubmatch(recipe, -1)
	yaml := strings.Replace(example, "region: eu-west-1}", "region: eu-west-1, replicas: [eu-central-1]}", 1)
	dir, stderr, code := app(t, yaml, "KEYTURN_ENVIRONMENT=prod")
	if code != 0 {
		t.Fatal(stderr)
	}
	templates, err := filepath.Glob(filepath.Join(dir, "cdk.out", "*.template.json"))
	if err != nil || len(templates) < 7 {
		t.Fatalf("%v, %v", templates, err)
	}
	for _, file := range templates {
		stack := strings.TrimSuffix(filepath.Base(file), ".template.json")
		goes := false
		for _, p := range patterns {
			ok, err := path.Match(p[1], stack)
			if err != nil {
				t.Fatal(err)
			}
			goes = goes || ok
		}
		if stays := strings.HasPrefix(stack, "keyturn-retained"); goes == stays {
			t.Errorf("make destroy takes %s: %v", stack, goes)
		}
	}
}

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// made is what was written for CloudFormation.
type made struct{ stacks, resources, findings, warnings int }

// read counts what is in a cloud assembly.
func read(dir string) (made, error) {
	templates, err := filepath.Glob(filepath.Join(dir, "*.template.json"))
	if err != nil {
		return made{}, err
	}
	if len(templates) == 0 {
		return made{}, errors.New("no template was written")
	}
	m := made{}
	for _, path := range templates {
		var t struct{ Resources map[string]json.RawMessage }
		if err := decode(path, &t); err != nil {
			return m, err
		}
		if m.resources += len(t.Resources); len(t.Resources) > 0 { // others are deleted, if they are there
			m.stacks++
		}
		// What is found is beside the template, by the construct's path.
		var found map[string][]note
		if err := decode(strings.TrimSuffix(path, ".template.json")+".metadata.json", &found); err != nil {
			return m, err
		}
		for _, all := range found {
			m.count(all)
		}
	}
	return m, nil
}

// note is what the CDK has noted of a construct.
type note struct{ Type string }

func (m *made) count(all []note) {
	for _, n := range all {
		switch n.Type {
		case "aws:cdk:error":
			m.findings++
		case "aws:cdk:warning":
			m.warnings++
		}
	}
}

func decode(path string, v any) error {
	raw, err := os.ReadFile(path) //nolint:gosec // what was just written
	if err != nil {
		return err
	}
	if err = json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("read %s: %w", filepath.Base(path), err)
	}
	return nil
}

// say is the last line of a synthesis. Wrong cells have ended it before.
func (m made) say(keys, cells int, nag bool) string {
	asked := "cdk-nag"
	if !nag {
		asked = "cdk-nag not asked"
	}
	return fmt.Sprintf("keyturn: %d stacks with %d resources for %d keys; %d cells of access proven, none wrong; %d findings and %d warnings (%s)",
		m.stacks, m.resources, keys, cells, m.findings, m.warnings, asked)
}

// harmless is what the CDK's runtime for Go says when it waits twice for the end
// of its node process, which has ended well.
const harmless = "Runtime process exited abnormally: waitid: no child processes"

// quietly runs f with a stderr that leaves out what is harmless, and passes on
// all the rest, line by line. It returns what f does.
func quietly(f func() int) int {
	r, w, err := os.Pipe()
	if err != nil {
		return f()
	}
	stderr, done := os.Stderr, make(chan struct{})
	os.Stderr = w
	go func() {
		defer close(done)
		filter(stderr, r)
	}()
	code := f()
	_ = w.Close() // nobody else has it: node writes to a pipe of its own
	<-done
	return code
}

func filter(to io.Writer, from io.Reader) {
	for b := bufio.NewReader(from); ; {
		line, err := b.ReadString('\n')
		if rest := strings.ReplaceAll(line, harmless, ""); rest == line || strings.TrimSpace(rest) != "" {
			_, _ = io.WriteString(to, rest)
		}
		if err != nil {
			return
		}
	}
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/payload"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// maxCredential is more than any admin credential, in bytes. Secrets Manager
// takes 65,536.
const maxCredential = 32 << 10

// readCredential asks for each of the vendor's fields on the terminal, without
// echo, or else reads them from stdin as a JSON object. Whoever sees an
// argument, the environment or a history sees none of it.
func (a *app) readCredential(ctx context.Context, d provider.Definition, hosts []string) (provider.Admin, error) {
	var fields map[string]secret.Value
	var err error
	switch {
	case a.in == nil:
		fields, hosts, err = readFields(strings.NewReader(""), d, hosts)
	case isTerminal(a.in):
		fields, err = a.askFields(ctx, d)
	default:
		fields, hosts, err = readFields(a.in, d, hosts)
	}
	return provider.Admin{Fields: fields, Hosts: hosts}, err
}

func (a *app) askFields(ctx context.Context, d provider.Definition) (map[string]secret.Value, error) {
	out := map[string]secret.Value{}
	_, _ = fmt.Fprintf(a.err, "The admin credential of %s. What you type is not shown.\n", d.Title)
	for _, f := range d.Admin {
		_, _ = fmt.Fprintf(a.err, "%s (%s): ", f.Name, f.Doc)
		typed, err := hidden(ctx, a.in)
		_, _ = fmt.Fprintln(a.err)
		if err != nil {
			return nil, err
		}
		text := strings.TrimSpace(string(typed))
		clear(typed)
		if text == "" {
			return nil, usage("nothing was typed for "+f.Name, "begin again: it is "+f.Doc)
		}
		out[f.Name] = secret.New(text)
	}
	return out, nil
}

// hidden reads a line without echo. When ctx ends it gives the terminal its
// echo back, which reading itself would not.
func hidden(ctx context.Context, in *os.File) ([]byte, error) {
	fd := int(in.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return nil, failed("Terminal", "the terminal's echo cannot be turned off", "give the credential on stdin, as a JSON object")
	}
	type line struct {
		text []byte
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		read <- line{text, err}
	}()
	select {
	case l := <-read:
		if l.err != nil {
			return nil, failed(typeStopped, "the terminal was closed: nothing was stored")
		}
		return l.text, nil
	case <-ctx.Done():
		_ = term.Restore(fd, before)
		return nil, failed(typeStopped, "interrupted: nothing was stored")
	}
}

// readFields reads a JSON object with the vendor's fields, and perhaps "hosts",
// which narrows the configuration's. What is wrong is told without a word of
// what was read.
func readFields(in io.Reader, d provider.Definition, hosts []string) (map[string]secret.Value, []string, error) {
	var names []string
	for _, f := range d.Admin {
		names = append(names, f.Name)
	}
	again := `give a JSON object on stdin: {"` + strings.Join(names, `": "...", "`) + `": "..."}`
	data, err := io.ReadAll(io.LimitReader(in, maxCredential+1))
	defer func() { clear(data) }()
	var all map[string]json.RawMessage
	switch {
	case err != nil:
		return nil, nil, failed("Stdin", "stdin cannot be read", again)
	case len(bytes.TrimSpace(data)) == 0:
		return nil, nil, usage("there is no credential on stdin", again)
	case len(data) > maxCredential:
		return nil, nil, usage(fmt.Sprintf("what is on stdin is longer than %d bytes", maxCredential), again)
	case json.Unmarshal(data, &all) != nil:
		return nil, nil, usage("what is on stdin is no JSON object", again)
	}
	for name := range all {
		if name != "hosts" && !slices.Contains(names, name) { // its name may be a misplaced secret
			return nil, nil, usage("the object on stdin has a field that the credential of "+d.Name+" does not have", again)
		}
	}
	if _, own := all["hosts"]; !own {
		all["hosts"], _ = json.Marshal(hosts) //nolint:errchkjson // strings
	}
	whole, _ := json.Marshal(all) //nolint:errchkjson // what JSON was read from
	defer clear(whole)
	admin, err := payload.ParseAdmin(secret.New(string(whole)), d.Admin)
	if bad, ok := errors.AsType[*payload.Error](err); ok {
		f := usage("the credential on stdin is not usable", again)
		for _, p := range bad.Problems {
			f.Problems = append(f.Problems, problem{Path: p.Field, What: p.What, Hint: p.Hint})
		}
		return nil, nil, f
	}
	if err != nil {
		return nil, nil, usage("the credential on stdin is not usable", again)
	}
	for _, h := range admin.Hosts {
		if !slices.Contains(hosts, h) {
			return nil, nil, usage("a host of the credential on stdin is not one of the vendor account's", "its hosts are "+strings.Join(hosts, ", "), "list it in the configuration first, if it is the vendor's")
		}
	}
	return admin.Fields, admin.Hosts, nil
}

// adminValue is the secret's value: what [payload.ParseAdmin] reads.
func adminValue(admin provider.Admin, d provider.Definition) (secret.Value, error) {
	all := map[string]any{"hosts": admin.Hosts}
	for name, v := range admin.Fields {
		all[name] = v.Reveal()
	}
	data, err := json.Marshal(all)
	if err != nil {
		return secret.Value{}, failed("Credential", "the credential cannot be written as JSON")
	}
	defer clear(data)
	value := secret.New(string(data))
	if _, err := payload.ParseAdmin(value, d.Admin); err != nil || slices.ContainsFunc(admin.Hosts, func(h string) bool { return !config.ValidHost(h) }) {
		return secret.Value{}, failed("Credential", "the credential would not be usable once it is stored", "look for odd characters in what you gave")
	}
	return value, nil
}

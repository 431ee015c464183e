package catalog_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/build"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/catalog"
	"github.com/keyturn/keyturn/shared/provider"
)

const module = "github.com/keyturn/keyturn/shared/"

// named are the vendors whose names a package cannot have.
var named = map[string]string{"awsiam": "aws-iam"}

// folders returns the names of the vendors' packages.
func folders(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("../provider")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, e.Name())
		}
	}
	return out
}

// names returns the names of the catalog's vendors.
func names() (out []string) {
	for _, d := range catalog.All() {
		out = append(out, d.Name)
	}
	return out
}

func TestAll_everyFolder(t *testing.T) {
	t.Parallel()
	vendors := folders(t)
	for i, folder := range vendors {
		if name, ok := named[folder]; ok {
			vendors[i] = name
		}
	}
	slices.Sort(vendors)
	if d := cmp.Diff(vendors, names()); d != "" {
		t.Errorf("folders of vendors and shared/catalog/catalog.go (import and All), sorted (-folders +catalog):\n%s", d)
	}
}

// TestAll_filled: nothing is left of what go run ./test/newvendor invents.
func TestAll_filled(t *testing.T) {
	t.Parallel()
	for _, folder := range folders(t) {
		err := fs.WalkDir(os.DirFS("../provider/"+folder), ".", func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" {
				return err
			}
			b, err := os.ReadFile(filepath.Join("..", "provider", folder, path))
			for i, line := range strings.Split(string(b), "\n") {
				if strings.Contains(line, "FILL") {
					t.Errorf("shared/provider/%s/%s:%d is not the vendor's own yet: %s", folder, path, i+1, strings.TrimSpace(line))
				}
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	for _, d := range catalog.All() {
		if text := fmt.Sprint(d.Links, d.Hosts); strings.Contains(text, ".example") {
			t.Errorf("%s: links and hosts are invented: %s", d.Name, text)
		}
	}
}

func TestAll_complete(t *testing.T) {
	t.Parallel()
	for _, d := range catalog.All() {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			if d.Title == "" || len(d.Links) == 0 || len(d.Admin) == 0 {
				t.Error("want a title, links and the admin credential's fields")
			}
			for _, l := range d.Links {
				if u, err := url.Parse(l); err != nil || u.Scheme != "https" || u.Host == "" {
					t.Errorf("link %q", l)
				}
			}
			for _, f := range d.Admin {
				if f.Name == "" || f.Doc == "" || f.Name == "hosts" {
					t.Errorf("admin field %+v", f)
				}
			}
			for _, h := range d.Hosts {
				if h != strings.ToLower(h) || strings.ContainsAny(h, "/ ") {
					t.Errorf("host %q", h)
				}
			}
			if _, err := regexp.Compile(d.Shape); err != nil {
				t.Error(err)
			}
			if !slices.Contains([]string{"Overlap", "DualSlot", "RollInPlace", "RollWithGrace"}, d.Strategy) {
				t.Errorf("strategy %q", d.Strategy)
			}
			tags(t, reflect.TypeOf(d.Example()))
		})
	}
}

// tags checks that documentation and schemas can be made from the settings.
func tags(t *testing.T, s reflect.Type) {
	t.Helper()
	if s.Kind() != reflect.Struct || s.NumField() == 0 {
		t.Fatalf("settings are a %v", s)
	}
	for f := range s.Fields() {
		if name := f.Tag.Get("json"); name == "" || strings.Contains(name, ",") || f.Tag.Get("doc") == "" {
			t.Errorf("setting %s: want tags json and doc", f.Name)
		}
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	known := strings.Join(names(), ", ")
	for _, tt := range []struct{ name, vendor, settings, want string }{
		{"known", "sendgrid", `{"scopes": ["mail.send"]}`, ""},
		{"a typing error", "sendgird", `{}`, `unknown vendor "sendgird", did you mean "sendgrid"? Known vendors: ` + known},
		{"another case", "Gitea", `{}`, `unknown vendor "Gitea", did you mean "gitea"? Known vendors: ` + known},
		{"something else", "acme\n", `{}`, `unknown vendor "acme\n" Known vendors: ` + known},
		{"wrong settings", "sendgrid", `{}`, "no scopes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			st, err := catalog.Open(tt.vendor, json.RawMessage(tt.settings), provider.Admin{}, http.DefaultClient, nil)
			if tt.want == "" {
				if _, ok := st.(provider.Overlap); !ok || err != nil {
					t.Errorf("got %T and %v", st, err)
				}
				return
			}
			if provider.KindOf(err) != provider.KindPermanent || !strings.HasSuffix(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

// A vendor is opened with what it speaks through, and with nothing else.
func TestOpen_net(t *testing.T) {
	t.Parallel()
	dial := func(context.Context, string, string) (provider.Conn, error) { return nil, errors.New("not here") }
	for _, tt := range []struct {
		vendor, settings string
		http             bool
	}{
		{"redis", `{"address": "redis.test:6379", "user": "app"}`, false},
		{"sendgrid", `{"scopes": ["mail.send"]}`, true},
	} {
		d, _ := catalog.Get(tt.vendor)
		raw := json.RawMessage(tt.settings)
		if st, err := catalog.Open(tt.vendor, raw, provider.Admin{}, http.DefaultClient, dial); err != nil || st == nil || d.SpeaksHTTP() != tt.http {
			t.Errorf("%s: got %T and %v; speaks HTTP: %v", tt.vendor, st, err, d.SpeaksHTTP())
		}
		_, asHTTP := d.Open(raw, provider.Admin{}, http.DefaultClient)
		_, asNet := d.OpenNet(raw, provider.Admin{}, dial)
		if (asHTTP == nil) != tt.http || (asNet == nil) == tt.http {
			t.Errorf("%s: opened as HTTP: %v; opened as something else: %v", tt.vendor, asHTTP, asNet)
		}
	}
	if _, err := catalog.Open("redis", json.RawMessage(`{}`), provider.Admin{}, http.DefaultClient, dial); provider.KindOf(err) != provider.KindPermanent {
		t.Errorf("wrong settings: %v", err)
	}
}

// A vendor's package reaches the network through httpapi only, and nothing
// else of the machine at all.
func TestImports(t *testing.T) {
	t.Parallel()
	every := build.Default
	every.UseAllFiles = true // whatever their build tags
	for _, vendor := range folders(t) {
		dir := filepath.Join("..", "provider", vendor)
		p, err := every.ImportDir(dir, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range p.Imports {
			if !allowed(vendor, path) {
				t.Errorf("%s imports %s", dir, path)
			}
		}
	}
	for path, want := range map[string]bool{
		"net/http": true, "encoding/json": true, module + "httpapi": true,
		"os": false, "os/exec": false, "net": false, "unsafe": false, "syscall": false, "C": false, "reflect": false,
		"github.com/aws/aws-sdk-go-v2/aws": false, module + "store": false, module + "provider/gitea": false, module + "secret/x": false,
	} {
		if allowed("gitea", path) != want {
			t.Errorf("the rule admits %s: %v", path, !want)
		}
	}
	if !allowed("redis", redigo) || allowed("gitea", redigo) || allowed("redis", "net") {
		t.Error("redis has a library of its own, and makes no connections itself")
	}
	for path, want := range map[string]bool{sdk: true, sdk + "/signer/v4": true, sdk + "/retry": false, "os": false} {
		if allowed("awsiam", path) != want || allowed("gitea", path) {
			t.Errorf("the rule admits %s for AWS: %v", path, !want)
		}
	}
}

// redigo speaks Redis' protocol, over connections that a provider.Dialer makes.
const redigo = "github.com/gomodule/redigo/redis"

// sdk has the types and the signer that AWS's own vendor signs with.
const sdk = "github.com/aws/aws-sdk-go-v2/aws"

func allowed(vendor, path string) bool {
	if vendor == "redis" && path == redigo {
		return true
	}
	if vendor == "awsiam" && slices.Contains([]string{sdk, sdk + "/signer/v4"}, path) {
		return true
	}
	if strings.Contains(strings.SplitN(path, "/", 2)[0], ".") {
		return slices.Contains([]string{module + "httpapi", module + "provider", module + "secret"}, path)
	}
	root, _, _ := strings.Cut(path, "/")
	return !slices.Contains([]string{"C", "os", "plugin", "reflect", "runtime", "syscall", "testing", "unsafe"}, root) &&
		!slices.Contains([]string{"net", "net/rpc", "net/smtp", "crypto/tls", "log", "log/slog", "expvar"}, path)
}

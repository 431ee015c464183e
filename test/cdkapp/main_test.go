//go:build !race

package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	keyturn "github.com/keyturn/keyturn/infra/cdk"
)

// bootstrap is code whose hash never changes.
type bootstrap string

func (b bootstrap) Asset(string) (string, error) { return string(b), nil }

// built is a folder with a function, as make build leaves it.
func built(t *testing.T) keyturn.Code {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bootstrap"), []byte("stub"), 0o755); err != nil {
		t.Fatal(err)
	}
	return bootstrap(dir)
}

// released is the zip files of a release, known by their SHA-256.
func released(t *testing.T) keyturn.Code {
	t.Helper()
	dir, release := t.TempDir(), keyturn.Release{}
	for _, function := range []string{"rotate", "retire", "rotatenow"} {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		f, err := w.Create("bootstrap")
		if err != nil {
			t.Fatal(err)
		}
		if _, err = f.Write([]byte("stub of " + function)); err != nil {
			t.Fatal(err)
		}
		if err = w.Close(); err != nil {
			t.Fatal(err)
		}
		path, sum := filepath.Join(dir, function+".zip"), sha256.Sum256(b.Bytes())
		if err = os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		release[function] = keyturn.Zip{Path: path, SHA256: hex.EncodeToString(sum[:])}
	}
	return release
}

type resource struct {
	Type           string
	Properties     map[string]any
	DependsOn      []string
	DeletionPolicy string
}

// template synthesizes the app, with the CDK's validator on.
func template(t *testing.T, env *awscdk.Environment, code keyturn.Code) map[string]resource {
	t.Helper()
	out := t.TempDir()
	app := awscdk.NewApp(&awscdk.AppProps{Outdir: &out, AnalyticsReporting: jsii.Bool(false), Context: &map[string]any{
		"@aws-cdk/core:validateAgainstDefaultRules": true, "@aws-cdk/core:appMode": "inmemory",
	}})
	NewMailer(app, "Mailer", &MailerProps{Code: code, StackProps: awscdk.StackProps{Env: env}})
	app.Synth(nil)
	raw, err := os.ReadFile(filepath.Join(out, "Mailer.template.json"))
	if err != nil {
		t.Fatal(err)
	}
	var tpl struct{ Resources map[string]resource }
	if err = json.Unmarshal(raw, &tpl); err != nil {
		t.Fatal(err)
	}
	for _, left := range []string{"000000000000", "nowhere-0", "${Token"} {
		if strings.Contains(string(raw), left) {
			t.Errorf("%s is left in the template", left)
		}
	}
	return tpl.Resources
}

func TestMailer(t *testing.T) {
	for name, tt := range map[string]struct {
		env  *awscdk.Environment
		code keyturn.Code
	}{
		"an environment":            {&awscdk.Environment{Account: jsii.String("111122223333"), Region: jsii.String("eu-west-1")}, built(t)},
		"none yet, and a release's": {nil, released(t)},
	} {
		t.Run(name, func(t *testing.T) {
			rs := template(t, tt.env, tt.code)
			// waits reports whether one resource is made after another, in
			// however many steps.
			var waits func(id, kind string, seen map[string]bool) bool
			waits = func(id, kind string, seen map[string]bool) bool {
				if seen[id] {
					return false
				}
				seen[id] = true
				props, err := json.Marshal(rs[id].Properties)
				if err != nil {
					t.Fatal(err)
				}
				for other, r := range rs {
					direct := strings.Contains(string(props), `"Ref":"`+other+`"`) || strings.Contains(string(props), `"Fn::GetAtt":["`+other+`"`)
					for _, d := range rs[id].DependsOn {
						direct = direct || d == other
					}
					if direct && (r.Type == kind || waits(other, kind, seen)) {
						return true
					}
				}
				return false
			}
			for from, kinds := range map[string][]string{
				"AWS::SecretsManager::RotationSchedule": {"Custom::KeyturnFirstValue", "AWS::Lambda::Permission", "AWS::SecretsManager::Secret"},
				"Custom::KeyturnFirstValue":             {"AWS::Lambda::Function", "AWS::IAM::Role", "AWS::DynamoDB::Table", "AWS::SecretsManager::ResourcePolicy", "AWS::SQS::Queue", "AWS::SNS::Topic"},
				"AWS::Scheduler::Schedule":              {"AWS::Scheduler::ScheduleGroup", "AWS::IAM::Role"},
			} {
				n := 0
				for id, r := range rs {
					if r.Type != from {
						continue
					}
					n++
					for _, kind := range kinds {
						if !waits(id, kind, map[string]bool{}) {
							t.Errorf("%s may be made before %s", id, kind)
						}
					}
				}
				if n != 1 {
					t.Errorf("%d of %s", n, from)
				}
			}
			for id, r := range rs {
				if r.Type == "AWS::SecretsManager::Secret" && r.DeletionPolicy != "Retain" {
					t.Errorf("%s: %s", id, r.DeletionPolicy)
				}
			}
		})
	}
}

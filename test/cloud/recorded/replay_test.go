// Package recorded_test replays against the local AWS what LocalStack's tests
// asked of AWS itself, and compares the whole answers with the recorded ones.
package recorded_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/secretsmanager"
)

// object is a JSON object.
type object = map[string]any

const lambdaARN = "arn:aws:lambda:us-east-1:123456789012:function:rotate"

// snapshots reads the recorded answers; nil if they are not on this machine,
// and nobody says that they are.
func snapshots(t *testing.T) map[string]object {
	t.Helper()
	root, said := os.LookupEnv("KEYTURN_REFERENCE")
	if !said {
		root = filepath.Join("..", "..", "..", "..", "shared")
	}
	raw, err := os.ReadFile(filepath.Join(root, "aws-recorded", "test_secretsmanager.snapshot.json"))
	if os.IsNotExist(err) && !said {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]struct {
		Content object `json:"recorded-content"`
	}
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	out := map[string]object{}
	for id, test := range all {
		parts := strings.SplitN(id, "::", 3)
		out[parts[2]] = test.Content
	}
	return out
}

func TestRecorded(t *testing.T) {
	t.Parallel()
	all := snapshots(t)
	if all == nil {
		t.Log("recorded: no recorded answers on this machine (KEYTURN_REFERENCE); nothing was compared")
		return
	}
	var met, asked atomic.Int64
	t.Cleanup(func() {
		t.Logf("recorded: %d tests, %d answers met of %d", len(all), met.Load(), asked.Load())
	})
	for id, content := range all {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			base, param, _ := strings.Cut(strings.TrimSuffix(id, "]"), "[")
			script := scripts()[base]
			if script == nil {
				t.Fatalf("no requests are known for %s", base)
			}
			r := newReplay(t, content)
			script(r, param)
			for key := range content {
				if !slices.Contains(r.compared, key) {
					t.Errorf("%s was recorded and not asked for", key)
				}
			}
			met.Add(int64(r.met))
			asked.Add(int64(len(content)))
		})
	}
}

// replay runs one recorded test.
type replay struct {
	t        *testing.T
	cloud    *cloud.Cloud
	content  object
	compared []string
	met      int
	names    []string // secrets, in the order of their index in placeholders
	arns     []string
	versions []string
}

func newReplay(t *testing.T, content object) *replay {
	t.Helper()
	r := &replay{t: t, content: content}
	r.cloud = cloud.New(cloud.Options{
		Invoker: cloud.InvokerFunc(r.lambda),
		SecretsManager: secretsmanager.Options{
			Invocable: func(function, _ string) bool { return function == lambdaARN },
		},
	})
	t.Cleanup(r.cloud.Close)
	return r
}

// answer is one answer of the local AWS.
type answer struct {
	op     string
	status int
	body   object
}

func (a answer) str(key string) string {
	s, _ := a.body[key].(string)
	return s
}

// raw sends a request as it is.
func (r *replay) raw(op string, in object) answer {
	r.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		r.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, "http://127.0.0.1/", bytes.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("X-Amz-Target", "secretsmanager."+op)
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+cloud.AccessKey+"/20250101/us-east-1/secretsmanager/aws4_request, SignedHeaders=host, Signature=none")
	resp, err := (&http.Client{Transport: r.cloud.Transport()}).Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	a := answer{op: op, status: resp.StatusCode, body: object{}}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &a.body); err != nil {
			r.t.Fatal(err)
		}
	}
	return a
}

// call sends a request as an SDK does: with a ClientRequestToken.
func (r *replay) call(op string, in object) answer {
	r.t.Helper()
	switch op {
	case "CreateSecret", "PutSecretValue", "UpdateSecret", "RotateSecret":
		if in["ClientRequestToken"] == nil {
			in["ClientRequestToken"] = uuid.NewString()
		}
	}
	return r.raw(op, in)
}

// create makes a secret and gives its name and ARN the next index.
func (r *replay) create(in object) answer {
	r.t.Helper()
	a := r.call("CreateSecret", in)
	if a.status != http.StatusOK {
		r.t.Fatalf("CreateSecret: %d %v", a.status, a.body)
	}
	r.names = append(r.names, a.str("Name"))
	r.arns = append(r.arns, a.str("ARN"))
	return a
}

// match compares an answer with the recorded one of that name.
func (r *replay) match(key string, a answer) answer {
	r.t.Helper()
	got := r.client(a)
	if want, _ := r.content[key].(object); want["ResponseMetadata"] == nil {
		delete(got, "ResponseMetadata")
	}
	r.compare(key, got)
	return a
}

// is is call and match.
func (r *replay) is(key, op string, in object) answer {
	r.t.Helper()
	return r.match(key, r.call(op, in))
}

func (r *replay) compare(key string, got any) {
	r.t.Helper()
	r.compared = append(r.compared, key)
	want, recorded := r.content[key]
	if !recorded {
		r.t.Errorf("%s was not recorded", key)
		return
	}
	if diff := cmp.Diff(r.plain("", want), r.plain("", got)); diff != "" {
		r.t.Errorf("%s (-recorded +local):\n%s", key, diff)
		return
	}
	r.met++
}

// client shows an answer as boto3 does: metadata beside it, errors unpacked,
// binary values decoded.
func (r *replay) client(a answer) object {
	out := object{"ResponseMetadata": object{"HTTPHeaders": object{}, "HTTPStatusCode": float64(a.status)}}
	if a.status == http.StatusOK {
		maps.Copy(out, a.body)
		if text, isText := out["SecretBinary"].(string); isText {
			out["SecretBinary"] = pythonBytes(r.t, text)
		}
		return out
	}
	message := a.str("message")
	if modeled, isModeled := a.body["Message"].(string); isModeled {
		message = modeled
		out["Message"] = modeled
	}
	out["Error"] = object{"Code": a.str("__type"), "Message": message}
	return out
}

func pythonBytes(t *testing.T, encoded string) string {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, c := range raw {
		if c < 0x20 || c > 0x7e {
			fmt.Fprintf(&b, `\x%02x`, c)
			continue
		}
		b.WriteByte(c)
	}
	return "b'" + b.String() + "'"
}

// plain replaces what changes from run to run by the snapshot's placeholders,
// and sorts what the snapshot sorts.
func (r *replay) plain(key string, v any) any {
	switch v := v.(type) {
	case object:
		return r.plainObject(v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = r.plain(key, e)
		}
		if key == "VersionStages" || key == "VersionIdsToStages" || key == "SecretVersionsToStages" {
			slices.SortFunc(out, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
		}
		return out
	case string:
		if key == "ResourcePolicy" {
			var policy any
			if json.Unmarshal([]byte(v), &policy) == nil {
				return policy
			}
		}
		return r.placeholders(v)
	case float64:
		if strings.HasSuffix(key, "Date") {
			return "datetime"
		}
	}
	return v
}

func (r *replay) plainObject(v object) object {
	if id, found := v["VersionId"].(string); found {
		r.placeholders(id) // numbers the answer's own version first
	}
	out := object{}
	for k, e := range v {
		inner := k
		if _, isVersion := e.([]any); isVersion && uuid.Validate(k) == nil {
			inner = "VersionStages"
		}
		if strings.HasPrefix(k, "<version_uuid") {
			inner = "VersionStages"
		}
		out[r.placeholders(k)] = r.plain(inner, e)
	}
	return out
}

func (r *replay) placeholders(s string) string {
	if uuid.Validate(s) == nil {
		if !slices.Contains(r.versions, s) {
			r.versions = append(r.versions, s)
		}
		return "<version_uuid:" + strconv.Itoa(slices.Index(r.versions, s)+1) + ">"
	}
	if s == lambdaARN {
		return "<lambda-arn:1>"
	}
	s = strings.ReplaceAll(s, "arn:aws:secretsmanager:us-east-1:123456789012:", "arn:<partition>:secretsmanager:<region>:111111111111:")
	for i := range r.arns {
		suffix := r.arns[i][len(r.arns[i])-7:]
		s = strings.ReplaceAll(s, suffix, "<ArnPart-"+strconv.Itoa(i)+"idx>")
		s = strings.ReplaceAll(s, r.names[i], "<SecretId-"+strconv.Itoa(slices.Index(r.names, r.names[i]))+"idx>")
	}
	return s
}

// lambda is the rotation function of the recorded tests, AWS's template with
// setSecret and testSecret left empty.
func (r *replay) lambda(_ context.Context, _ string, payload []byte) ([]byte, string, error) {
	var e struct {
		Step, ClientRequestToken string
		SecretID                 string `json:"SecretId"`
	}
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, "", err
	}
	switch e.Step {
	case "createSecret":
		r.raw("GetSecretValue", object{"SecretId": e.SecretID, "VersionStage": "AWSCURRENT"})
		in := object{"SecretId": e.SecretID, "VersionId": e.ClientRequestToken, "VersionStage": "AWSPENDING"}
		if r.raw("GetSecretValue", in).str("__type") == "ResourceNotFoundException" {
			r.raw("PutSecretValue", object{
				"SecretId": e.SecretID, "ClientRequestToken": e.ClientRequestToken,
				"SecretString": "rotated " + e.ClientRequestToken, "VersionStages": []string{"AWSPENDING"},
			})
		}
	case "finishSecret":
		stages, _ := r.raw("DescribeSecret", object{"SecretId": e.SecretID}).body["VersionIdsToStages"].(object)
		for id, labels := range stages {
			if slices.Contains(labels.([]any), any("AWSCURRENT")) && id != e.ClientRequestToken {
				r.raw("UpdateSecretVersionStage", object{
					"SecretId": e.SecretID, "VersionStage": "AWSCURRENT",
					"MoveToVersionId": e.ClientRequestToken, "RemoveFromVersionId": id,
				})
			}
		}
	}
	return []byte("null"), "", nil
}

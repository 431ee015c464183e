package boot_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/keyturn/keyturn/shared/boot"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/metric"
	"github.com/keyturn/keyturn/shared/payload"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/rotation"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/shared/store"
	"github.com/keyturn/keyturn/test/cloud"
)

// marked stands for a secret that must not come out anywhere.
const marked = "hunter2-hunter2"

const keys = `{"version":1,
  "vendorAccounts":{"main":{"provider":"sendgrid","admin":"keyturn/admin/sendgrid","hosts":["api.sendgrid.com","other.example:443"]}},
  "keys":{"prod/mailer":{"vendorAccount":"main","settings":{"scopes":["mail.send"]},"owner":"o"}}}`

// system is a whole environment; edit changes it.
func system(t *testing.T, edit map[string]string) (boot.System, *bytes.Buffer) {
	t.Helper()
	c := cloud.New(cloud.Options{})
	t.Cleanup(c.Close)
	cfg := c.Config()
	vars := map[string]string{
		"LAMBDA_TASK_ROOT": "/var/task", "KEYTURN_FINGERPRINT_KEY": "0123456789abcdef", "KEYTURN_LOG_LEVEL": "debug",
		"KEYTURN_TABLE": "keys", "KEYTURN_AUDIT_QUEUE_URL": "http://127.0.0.1/q",
	}
	maps.Copy(vars, edit)
	var out bytes.Buffer
	return boot.System{
		Getenv: func(name string) string { return vars[name] },
		ReadFile: func(name string) ([]byte, error) {
			if name != "/var/task/keyturn.json" {
				return nil, fs.ErrNotExist
			}
			return []byte(keys), nil
		},
		Stdout: &out, Now: time.Now, AWS: &cfg,
	}, &out
}

func TestNew(t *testing.T) {
	t.Parallel()
	sys, _ := system(t, nil)
	e, err := boot.New(t.Context(), sys, "rotate", boot.TableName, boot.AuditQueueURL)
	if err != nil {
		t.Fatal(err)
	}
	if k, ok := e.Config.Key("prod/mailer"); !ok || k.Vendor != "sendgrid" || e.Value(boot.TableName) != "keys" || e.Function != "rotate" {
		t.Errorf("config %+v, table %q", k, e.Value(boot.TableName))
	}
	if _, err := e.Store().Describe(t.Context(), "nobody"); store.KindOf(err) != store.KindNotFound {
		t.Errorf("Describe = %v, want an answer of the local AWS", err)
	}
}

func TestNew_everyProblemAtOnce(t *testing.T) {
	t.Parallel()
	sys, _ := system(t, map[string]string{
		"KEYTURN_TABLE": "", "KEYTURN_FINGERPRINT_KEY": "hunter2", "KEYTURN_LOG_LEVEL": "loud", "KEYTURN_CONFIG": "/elsewhere.json",
	})
	_, err := boot.New(t.Context(), sys, "rotate", boot.TableName, boot.TopicARN, boot.AuditQueueURL)
	if err == nil {
		t.Fatal("it started")
	}
	for _, w := range []string{"KEYTURN_TABLE is not set", "KEYTURN_TOPIC_ARN is not set", "KEYTURN_FINGERPRINT_KEY", "KEYTURN_LOG_LEVEL", `"/elsewhere.json" cannot be read`} {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not say %q", err, w)
		}
	}
	if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "AUDIT_QUEUE") || strings.Contains(err.Error(), "SCHEDULE") {
		t.Errorf("too much: %v", err)
	}
}

// Nothing is escalated unless it is said where to and after how long.
func TestEnv_Escalation(t *testing.T) {
	t.Parallel()
	const topic = "arn:aws:sns:us-east-1:123456789012:keyturn-escalation"
	for name, tt := range map[string]struct {
		topic, after string
		want         time.Duration // 0: none
		problem      bool
	}{
		"both":      {topic, "4h", 4 * time.Hour, false},
		"no topic":  {"", "4h", 0, false},
		"no time":   {topic, "", 0, false},
		"no number": {topic, "soon", 0, true},
		"negative":  {topic, "-4h", 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sys, _ := system(t, map[string]string{"KEYTURN_ESCALATION_TOPIC_ARN": tt.topic, "KEYTURN_ESCALATE_AFTER": tt.after})
			e, err := boot.New(t.Context(), sys, "retire")
			if tt.problem != (err != nil && strings.Contains(err.Error(), "KEYTURN_ESCALATE_AFTER")) {
				t.Fatalf("New = %v", err)
			}
			if to, after := e.Escalation(); !tt.problem && (after != tt.want || (to != nil) != (tt.want > 0)) {
				t.Errorf("to %v after %s, want %s", to, after, tt.want)
			}
		})
	}
}

func TestNew_badConfig(t *testing.T) {
	t.Parallel()
	sys, _ := system(t, nil)
	sys.ReadFile = func(string) ([]byte, error) { return []byte(`{"version":2}`), nil }
	_, err := boot.New(t.Context(), sys, "rotate")
	if e, ok := errors.AsType[*boot.Error](err); !ok || e.ErrorType() != "ConfigInvalid" || len(e.Problems) != 3 || !strings.HasPrefix(e.Problems[0], "/var/task/keyturn.json: version") {
		t.Errorf("New = %v", err)
	}
}

type handler = func(context.Context, json.RawMessage) (any, error)

// run invokes h once inside a boundary and returns its answer, and what it
// wrote: the log and the line of metrics.
func run(t *testing.T, h handler, event string) (string, messages.InvokeResponse_Error, []map[string]any, string) {
	t.Helper()
	sys, out := system(t, nil)
	e, err := boot.New(t.Context(), sys, "rotate")
	if err != nil {
		t.Fatal(err)
	}
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "r1"})
	b, err := boot.Wrap(e, func(ctx context.Context, raw json.RawMessage) (any, error) {
		e.Log.LogAttrs(ctx, slog.LevelInfo, "at work")
		return h(ctx, raw)
	}).Invoke(ctx, []byte(event))
	var answer messages.InvokeResponse_Error
	if err != nil && !errors.As(err, &answer) {
		t.Fatalf("%T is not what Lambda's library passes on", err)
	}
	var lines []map[string]any
	for line := range strings.Lines(out.String()) {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%q is not a line of JSON", line)
		}
		if l["request_id"] != "r1" || l["service"] != "rotate" {
			t.Errorf("%s lacks the request or the service", line)
		}
		lines = append(lines, l)
	}
	return string(b), answer, lines, out.String()
}

// bad panics when it is encoded.
type bad struct{}

func (bad) MarshalJSON() ([]byte, error) { panic(marked) }

func TestBoundary_errors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		err  error
		want string // errorType
		text string // in errorMessage
	}{
		{"typed", fmt.Errorf("outer %s: %w", marked, &payload.Error{Problems: []provider.Problem{{What: "bad", Hint: "do"}}}), "WrongShape", "bad: do"},
		{"configuration", &config.Error{Problems: []config.Problem{{What: "bad"}}}, "ConfigInvalid", "bad"},
		{"store, denied", &store.Error{Op: "GetSecretValue", Kind: store.KindDenied}, "StoreDenied", "GetSecretValue: access denied"},
		{"store, unknown", &store.Error{Op: "x"}, "StoreUnavailable", "x"},
		{"store, refused", &store.Error{Op: "x", Kind: store.KindInvalid}, "StoreRefused", "x"},
		{"vendor, auth", fmt.Errorf("y: %w", &provider.Error{Op: "GET /keys", Kind: provider.KindAuth}), "AdminRefused", "GET /keys"},
		{"vendor, unknown", &provider.Error{Op: "x"}, "VendorUnavailable", "x"},
		{"vendor, blocked", &provider.Error{Op: "x", Kind: provider.KindBlocked}, "HostNotAllowed", "x"},
		{"vendor, full", &provider.Error{Op: "x", Kind: provider.KindFull}, "VendorFull", "x"},
		{"vendor, slow down", &provider.Error{Op: "x", Kind: provider.KindRateLimited}, "VendorRateLimited", "x"},
		{"vendor, permanent", &provider.Error{Op: "x", Kind: provider.KindPermanent}, "VendorRefused", "x"},
		{"rejected", fmt.Errorf("%s: %w", marked, provider.ErrRejected), "KeyRejected", "key rejected"},
		{"conflict", keyrecord.ErrConflict, "Conflict", "changed"},
		{"time is up", fmt.Errorf("%s: %w", marked, context.DeadlineExceeded), "Timeout", "time"},
		{"foreign", fmt.Errorf("x: %w", errors.New(marked)), "Internal", "unexpected"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, answer, lines, out := run(t, func(context.Context, json.RawMessage) (any, error) { return nil, tt.err }, `{"RotationToken":"`+marked+`"}`)
			if answer.Type != tt.want || !strings.Contains(answer.Message, tt.text) || answer.ShouldExit {
				t.Errorf("answer %+v, want type %q with %q", answer, tt.want, tt.text)
			}
			if strings.Contains(out+answer.Message, "hunter2") {
				t.Errorf("leaked: %s %s", answer.Message, out)
			}
			if len(lines) != 3 || lines[1]["error_type"] != tt.want || lines[1]["level"] != "ERROR" || lines[1]["msg"] != "invocation failed" || lines[2]["outcome"] != tt.want || lines[2]["failures"] != 1.0 {
				t.Errorf("lines %v; want the handler's, the failure and the metrics", lines)
			}
		})
	}
}

// What a pause or a freeze refuses is an error to Lambda, and no failure to an
// alarm: it has an outcome of its own, and no line of the log is an error. So is
// a refusal that is somebody's answer, and nothing else that goes wrong with it.
func TestBoundary_refused(t *testing.T) {
	t.Parallel()
	wrong := func(kind rotation.Type) error { return &rotation.Error{Type: kind, What: "why"} }
	for name, tt := range map[string]struct {
		err    error
		asked  bool
		failed bool
	}{
		"a pause":               {fmt.Errorf("x: %w", rotation.PausedBy(rotation.CreateSecret, keyrecord.Pause{Secret: "prod/x", Reason: "why"})), false, false},
		"a freeze":              {wrong("Frozen"), false, false},
		"a request":             {wrong(rotation.InProgress), true, false},
		"the same, unasked":     {wrong(rotation.InProgress), false, true},
		"a request that failed": {wrong(rotation.AuditUnavailable), true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, answer, lines, out := run(t, func(ctx context.Context, _ json.RawMessage) (any, error) {
				if tt.asked {
					metric.From(ctx).Asked()
				}
				return nil, tt.err
			}, `{}`)
			if answer.Type == "" || !strings.Contains(answer.Message, "why") || len(lines) != 3 || lines[2]["outcome"] != answer.Type || lines[2]["installation"] != "keyturn" {
				t.Fatalf("answer %+v, %s", answer, out)
			}
			if got := lines[2]["failures"] == 1.0; got != tt.failed || strings.Contains(out, "ERROR") != tt.failed || strings.Contains(out, "invocation failed") != tt.failed {
				t.Errorf("failed %v, want %v: %s", got, tt.failed, out)
			}
		})
	}
}

func TestBoundary_panics(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]handler{
		"a string": func(context.Context, json.RawMessage) (any, error) { panic(marked) },
		"an error": func(context.Context, json.RawMessage) (any, error) { panic(errors.New(marked)) },
		"a foreign one": func(context.Context, json.RawMessage) (any, error) {
			return map[string]int{marked: 1}[marked] / zero(), nil
		},
		"in encoding": func(context.Context, json.RawMessage) (any, error) { return bad{}, nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, answer, lines, out := run(t, h, `{}`)
			if answer.Type != "Panic" || !answer.ShouldExit || len(answer.StackTrace) > 0 {
				t.Errorf("answer %+v", answer)
			}
			if strings.Contains(out+answer.Message, "hunter2") {
				t.Errorf("leaked: %s %s", answer.Message, out)
			}
			stack, _ := lines[1]["stack"].([]any)
			if len(stack) == 0 || !strings.Contains(fmt.Sprint(stack), "boot_test.") {
				t.Errorf("the stack %v does not show where", stack)
			}
		})
	}
}

func zero() int { return 0 }

func TestBoundary_answers(t *testing.T) {
	t.Parallel()
	echo := func(ctx context.Context, raw json.RawMessage) (any, error) {
		metric.From(ctx).Label(metric.Labels{Vendor: "acme", Step: "testSecret", Outcome: "verified"})
		return boot.Decode[struct {
			Name          string
			RotationToken secret.Value
		}](raw)
	}
	out, answer, lines, written := run(t, echo, `{"Name":"x","RotationToken":"`+marked+`"}`)
	if out != `{"Name":"x","RotationToken":"[secret]"}` || answer.Type != "" || strings.Contains(written, "hunter2") {
		t.Errorf("answer %s %+v", out, answer)
	}
	if m := lines[len(lines)-1]; m["vendor"] != "acme" || m["step"] != "testSecret" || m["outcome"] != "verified" || m["count"] != 1.0 {
		t.Errorf("metrics %v", m)
	}
	for _, event := range []string{`{"Name":` + marked, ``, `{"Name":{"` + marked + `":1}}`, `["` + marked + `"]`} {
		if _, answer, _, written := run(t, echo, event); answer.Type != "BadEvent" || strings.Contains(answer.Message+written, "hunter2") {
			t.Errorf("event %q: answer %+v", event, answer)
		}
	}
	if out, _, _, _ := run(t, func(context.Context, json.RawMessage) (any, error) { return json.RawMessage(nil), nil }, `{}`); out != "null" {
		t.Errorf("no answer is %q, want null", out)
	}
	if _, answer, _, _ := run(t, func(context.Context, json.RawMessage) (any, error) { return make(chan int), nil }, `{}`); answer.Type != "Internal" {
		t.Errorf("an answer that is not JSON: %+v", answer)
	}
}

// One environment serves many invocations at once.
// answered keeps the answers to CloudFormation.
type answered struct{ bodies []string }

func (a *answered) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	a.bodies = append(a.bodies, string(b))
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, err
}

// TestPrepare_cannotStartForCloudFormation: it would wait for an hour.
func TestPrepare_cannotStartForCloudFormation(t *testing.T) {
	t.Parallel()
	const bucket = "https://cloudformation-custom-resource-response-useast1.s3-us-east-1.amazonaws.com/x?X-Amz-Signature=" + marked
	opens := func(context.Context, *boot.Env) (boot.Handler, error) { return nil, errors.New(marked) }
	for _, tt := range []struct {
		name, kind, url string
		env             map[string]string
		want            string // "": no answer
	}{
		{"a first value", "Create", bucket, map[string]string{"KEYTURN_TABLE": ""}, `"Status":"FAILED","Reason":"the function cannot start: KEYTURN_TABLE is not set: set it in the function's environment"`},
		{"a change", "Update", bucket, map[string]string{"KEYTURN_LOG_LEVEL": "loud"}, `"Status":"FAILED","Reason":"the function cannot start: KEYTURN_LOG_LEVEL is not`},
		{"what is not ours to show", "Create", bucket, nil, `"Status":"FAILED","Reason":"the function cannot start: an unexpected error; the log shows its kind"`},
		{"a rollback", "Delete", bucket, map[string]string{"KEYTURN_TABLE": ""}, `{"Status":"SUCCESS","PhysicalResourceId"`},
		{"somewhere else", "Create", "https://example.com/x?" + marked, nil, ""},
		{"another event", "", "", nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := &answered{}
			sys, out := system(t, tt.env)
			sys.Answers = a
			event, err := json.Marshal(map[string]any{"RequestType": tt.kind, "ResponseURL": tt.url, "StackId": "s", "RequestId": "r", "LogicalResourceId": "l"})
			if err != nil {
				t.Fatal(err)
			}
			_, err = boot.Prepare(t.Context(), sys, "rotate", opens, boot.TableName).Invoke(t.Context(), event)
			e, ok := errors.AsType[messages.InvokeResponse_Error](err)
			if !ok || !e.ShouldExit {
				t.Errorf("%v: alarms do not see it", err)
			}
			got := strings.Join(a.bodies, "\n")
			if !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
				t.Errorf("answered %s, not %s", got, tt.want)
			}
			if strings.Contains(got+out.String(), marked) {
				t.Errorf("leaked: %s %s", got, out.String())
			}
		})
	}
}

func TestBoundary_concurrent(t *testing.T) {
	t.Parallel()
	sys, out := system(t, nil)
	e, err := boot.New(t.Context(), sys, "rotate")
	if err != nil {
		t.Fatal(err)
	}
	b := boot.Wrap(e, func(ctx context.Context, _ json.RawMessage) (any, error) {
		e.Log.LogAttrs(ctx, slog.LevelInfo, "at work")
		_, err := e.Store().Describe(ctx, "nobody")
		return nil, err
	})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { _, _ = b.Invoke(t.Context(), []byte("{}")) })
	}
	wg.Wait()
	metrics := 0
	for line := range strings.Lines(out.String()) {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%q: lines got mixed", line)
		}
		if l["_aws"] != nil {
			metrics++
			if l["aws_calls"] != 1.0 {
				t.Errorf("aws_calls %v, want 1: those of this invocation", l["aws_calls"])
			}
		}
	}
	if metrics != 20 {
		t.Errorf("%d lines of metrics, want 20", metrics)
	}
}

// requests counts what would reach a vendor.
type requests struct{ n int }

func (r *requests) RoundTrip(q *http.Request) (*http.Response, error) {
	r.n++
	return &http.Response{
		StatusCode: http.StatusUnauthorized, Header: http.Header{"Content-Type": {"application/json"}}, Request: q,
		Body: io.NopCloser(strings.NewReader(`{"errors":[{"message":"authorization required","field":null}]}`)),
	}, nil
}

func TestVendors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		hosts []string // of the admin credential
		want  provider.Kind
		sent  int
	}{
		{"a host that both list", []string{"api.sendgrid.com:443"}, provider.KindAuth, 1},
		{"no host in common", []string{"api.example.com"}, provider.KindBlocked, 0},
		{"another host in common", []string{"other.example"}, provider.KindBlocked, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sys, _ := system(t, nil)
			base := &requests{}
			sys.Vendors = base
			e, err := boot.New(t.Context(), sys, "rotate")
			if err != nil {
				t.Fatal(err)
			}
			k, _ := e.Config.Key("prod/mailer")
			st, err := e.Vendors().Open(k, provider.Admin{Hosts: tt.hosts, Fields: map[string]secret.Value{"apiKey": secret.New(marked)}})
			if err == nil {
				o, ok := st.(provider.Overlap)
				if !ok {
					t.Fatalf("strategy %T", st)
				}
				_, err = o.Keys.List(t.Context())
			}
			if provider.KindOf(err) != tt.want || base.n != tt.sent {
				t.Errorf("%d requests, %v; want %d and kind %v", base.n, err, tt.sent, tt.want)
			}
		})
	}
	if _, err := new(boot.Vendors).Info("nobody"); provider.KindOf(err) != provider.KindPermanent {
		t.Errorf("Info of an unknown vendor: %v", err)
	}
}

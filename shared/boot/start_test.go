package boot_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/boot"
	"github.com/keyturn/keyturn/shared/store"
)

// TestMain is a Lambda function when the Runtime API's address is there, as it
// is in [TestStart], which runs this binary.
func TestMain(m *testing.M) {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") == "" {
		os.Exit(m.Run())
	}
	boot.Start("rotate", func(context.Context, *boot.Env) (boot.Handler, error) {
		return func(_ context.Context, raw json.RawMessage) (any, error) {
			do, err := boot.Decode[string](raw)
			switch {
			case err != nil:
				return nil, err
			case do == "typed":
				return nil, &store.Error{Op: "GetSecretValue", Kind: store.KindDenied, Code: "AccessDeniedException"}
			case do == "foreign":
				return nil, errors.New(marked)
			case do == "panic":
				panic(marked)
			case do == "crash":
				go func() { panic(marked) }()
				select {}
			}
			return "fine", nil
		}, nil
	}, boot.TableName)
}

// runtimeAPI is as much of the Lambda Runtime API as one process needs: it
// gives out the events and keeps the answers.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
type runtimeAPI struct {
	mu      sync.Mutex
	events  []string
	answers []string
	drained chan struct{}
	once    sync.Once
}

func (a *runtimeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	if r.Method == http.MethodPost {
		b, _ := io.ReadAll(r.Body)
		a.answers = append(a.answers, r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]+" "+string(b)+" "+fmt.Sprint(r.Header))
		a.mu.Unlock()
		w.WriteHeader(http.StatusAccepted)
		return
	}
	if len(a.events) == 0 {
		a.mu.Unlock()
		a.once.Do(func() { close(a.drained) })
		<-r.Context().Done()
		return
	}
	event := a.events[0]
	a.events = a.events[1:]
	a.mu.Unlock()
	w.Header().Set("Lambda-Runtime-Aws-Request-Id", "r1")
	w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(time.Minute).UnixMilli(), 10))
	_, _ = io.WriteString(w, event)
}

// function runs this binary as a Lambda function until it has answered every
// event or has ended, and returns what it wrote.
func function(t *testing.T, a *runtimeAPI, env ...string) (stdout, stderr string, ended bool) {
	t.Helper()
	a.drained = make(chan struct{})
	srv := httptest.NewServer(a)
	t.Cleanup(srv.CloseClientConnections)
	file := filepath.Join(t.TempDir(), "keyturn.json")
	if err := os.WriteFile(file, []byte(keys), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Stdout, cmd.Stderr = &out, &errOut
	cmd.Env = append([]string{
		"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(srv.URL, "http://"), "AWS_REGION=us-east-1",
		"AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", "KEYTURN_CONFIG=" + file, "KEYTURN_FINGERPRINT_KEY=0123456789abcdef",
	}, env...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end := make(chan error, 1)
	go func() { end <- cmd.Wait() }()
	select {
	case <-end:
		ended = true
	case <-a.drained:
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		<-end
	}
	return out.String(), errOut.String(), ended
}

func TestStart(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		events []string
		want   []string // of each answer
		ended  bool     // the process has
	}{
		{"errors", []string{`"typed"`, `"foreign"`, `{"` + marked + `":1}`, `"x"`}, []string{
			`error {"errorMessage":"GetSecretValue: access denied (AccessDeniedException)","errorType":"StoreDenied"}`,
			`error {"errorMessage":"an unexpected error; the log shows its kind","errorType":"Internal"}`,
			`error {"errorMessage":"the event does not have the shape of one that this function receives","errorType":"BadEvent"}`,
			`response "fine"`,
		}, false},
		{"a panic ends the process", []string{`"panic"`, `"x"`}, []string{
			`error {"errorMessage":"the function panicked; its log shows where, and never with what","errorType":"Panic"}`,
		}, true},
		{"a panic that nobody can recover", []string{`"crash"`}, nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := &runtimeAPI{events: tt.events}
			stdout, stderr, ended := function(t, a, "KEYTURN_TABLE=keys")
			if ended != tt.ended {
				t.Errorf("the process has ended: %v, want %v", ended, tt.ended)
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			if len(a.answers) != len(tt.want) {
				t.Fatalf("%d answers, want %d: %q", len(a.answers), len(tt.want), a.answers)
			}
			for i, w := range tt.want {
				if !strings.HasPrefix(a.answers[i], w) {
					t.Errorf("answer %d: %s\nwant %s", i, a.answers[i], w)
				}
			}
			if all := stdout + stderr + strings.Join(a.answers, ""); strings.Contains(all, "hunter2") {
				t.Errorf("leaked:\n%s", all)
			}
			if stderr != "" {
				t.Errorf("stderr: %q, want nothing", stderr)
			}
			if len(tt.want) > 0 && !strings.Contains(stdout, `"_aws"`) {
				t.Errorf("no metrics in %q", stdout)
			}
		})
	}
}

func TestStart_cannot(t *testing.T) {
	t.Parallel()
	a := &runtimeAPI{events: []string{`"x"`}}
	_, _, ended := function(t, a, "KEYTURN_LOG_LEVEL=loud")
	want := `error {"errorMessage":"KEYTURN_TABLE is not set: set it in the function's environment\nKEYTURN_LOG_LEVEL is not`
	if !ended || len(a.answers) != 1 || !strings.HasPrefix(a.answers[0], want) || !strings.Contains(a.answers[0], `"errorType":"ConfigInvalid"`) {
		t.Errorf("ended: %v, answers %q; want one that begins %s", ended, a.answers, want)
	}
}

package lambda_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/keyturn/keyturn/test/cloud/clock"
	"github.com/keyturn/keyturn/test/cloud/lambda"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// newService has the function "f", whose program is this test.
func newService(t *testing.T, o lambda.Options, f lambda.Function) *lambda.Service {
	t.Helper()
	o.Clock = clock.New()
	t.Cleanup(o.Clock.Stop)
	s := lambda.New(o)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if f.Handler == nil {
		program, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		f.Path = program
		if f.Timeout == 0 {
			f.Timeout = time.Minute
		}
	}
	f.Name = "f"
	if err := s.Register(f); err != nil {
		t.Fatal(err)
	}
	return s
}

type echo struct {
	Text, ARN, Left, Request string
	PID                      int
}

func invokeEcho(t *testing.T, s *lambda.Service, function string) echo {
	t.Helper()
	result, functionError, err := s.Invoke(t.Context(), function, encode(t, request{Do: "echo", Text: "hello"}))
	if err != nil || functionError != "" {
		t.Fatalf("%s %s, %v", functionError, result, err)
	}
	var out echo
	if err := json.Unmarshal(result, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestProcess(t *testing.T) {
	t.Parallel()
	s := newService(t, lambda.Options{}, lambda.Function{Aliases: []string{"live"}})
	first := invokeEcho(t, s, "f")
	second := invokeEcho(t, s, lambda.ARN("f")+":live")
	if diff := cmp.Diff(echo{Text: "hello", ARN: lambda.ARN("f"), Left: "1m0s"}, first, cmpopts.IgnoreFields(echo{}, "PID", "Request")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if second.PID != first.PID || second.ARN != lambda.ARN("f")+":live" || second.Request == first.Request {
		t.Errorf("first %+v, second %+v", first, second)
	}
	s.Recycle("f")
	if third := invokeEcho(t, s, "f"); third.PID == first.PID {
		t.Error("the process outlived Recycle")
	}
	stats := s.Stats("f")
	if stats.Invocations != 3 || stats.ColdStarts != 2 || len(stats.Starts) != 2 || len(stats.Durations) != 3 || stats.Errors != 0 {
		t.Errorf("%+v", stats)
	}
	if _, err := os.Stat("/proc/self/status"); err == nil && stats.PeakRSS < 1<<20 {
		t.Errorf("peak %d bytes", stats.PeakRSS)
	}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	var tee strings.Builder
	s := newService(t, lambda.Options{Log: &tee}, lambda.Function{})
	invokeEcho(t, s, "f")
	var kinds []string
	for _, line := range s.Logs("f") {
		kinds = append(kinds, strings.Fields(line)[0])
	}
	// What the process writes comes through a pipe: its first line may be read late.
	if i := slices.Index(kinds, "init"); i < 0 || i > slices.Index(kinds, "echo") {
		t.Errorf("no init before echo in %q", kinds)
	}
	rest := slices.DeleteFunc(kinds, func(k string) bool { return k == "init" })
	if diff := cmp.Diff([]string{"START", "echo", "END", "REPORT"}, rest); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !strings.Contains(tee.String(), "f: echo hello\n") {
		t.Errorf("tee %q", tee.String())
	}
}

//nolint:paralleltest // it sets variables of this process
func TestEnvironment(t *testing.T) {
	for _, name := range []string{"KEYTURN_MARK", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_CA_BUNDLE", "HTTPS_PROXY", "HOME"} {
		t.Setenv(name, "parent's "+name)
	}
	s := newService(t, lambda.Options{Endpoint: func() string { return "http://127.0.0.1:4566" }}, lambda.Function{Env: map[string]string{"MINE": "yes"}})
	result, _, err := s.Invoke(t.Context(), "f", encode(t, request{Do: "environment"}))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(result), "parent's") {
		t.Errorf("a variable of the parent reached the process: %s", result)
	}
	var env []string
	if err := json.Unmarshal(result, &env); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		names = append(names, name)
	}
	slices.Sort(names)
	want := []string{
		"AWS_ACCESS_KEY_ID", "AWS_CONFIG_FILE", "AWS_DEFAULT_REGION", "AWS_EC2_METADATA_DISABLED", "AWS_ENDPOINT_URL",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE",
		"AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API", "AWS_REGION", "AWS_SECRET_ACCESS_KEY",
		"AWS_SESSION_TOKEN", "AWS_SHARED_CREDENTIALS_FILE", "LAMBDA_TASK_ROOT", "MINE", "PATH", "TZ", "_HANDLER", "_X_AMZN_TRACE_ID",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	for _, kv := range []string{"AWS_ENDPOINT_URL=http://127.0.0.1:4566", "AWS_SECRET_ACCESS_KEY=local", "MINE=yes", "TZ=UTC"} {
		if !slices.Contains(env, kv) {
			t.Errorf("no %s in %v", kv, env)
		}
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		function lambda.Function
		in       request
		kind     string
		message  string // part of it
		gone     bool   // the process does not survive
	}{
		{"error", lambda.Function{}, request{"fail", "sorry"}, "customError", "sorry", false},
		{"panic", lambda.Function{}, request{"panic", "help"}, "errorString", "help", true},
		{"exit", lambda.Function{}, request{Do: "exit"}, "Runtime.ExitError", "Error: Runtime exited with error: exit status 7", true},
		{"late", lambda.Function{Timeout: 2 * time.Second}, request{Do: "hang"}, "Sandbox.Timedout", "Error: Task timed out after 2.00 seconds", true},
		{"large answer", lambda.Function{}, request{Do: "large"}, "Function.ResponseSizeTooLarge", "Response payload size exceeded", true},
		{"exit in init", lambda.Function{Env: map[string]string{"MODE": "exit in init"}}, request{}, "Runtime.ExitError", "exit status 3", true},
		{"hang in init", lambda.Function{Env: map[string]string{"MODE": "hang in init"}}, request{}, "Sandbox.Timedout", "Task timed out after 2.00 seconds", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newService(t, lambda.Options{InitTimeout: 2 * time.Second}, tt.function)
			result, functionError, err := s.Invoke(t.Context(), "f", encode(t, tt.in))
			if err != nil || functionError != "Unhandled" {
				t.Fatalf("%q, %v", functionError, err)
			}
			var got struct{ ErrorType, ErrorMessage string }
			if err := json.Unmarshal(result, &got); err != nil {
				t.Fatal(err)
			}
			if got.ErrorType != tt.kind || !strings.Contains(got.ErrorMessage, tt.message) {
				t.Errorf("got %s", result)
			}
			cold := s.Stats("f").ColdStarts
			if tt.function.Env == nil {
				invokeEcho(t, s, "f")
				if again := s.Stats("f").ColdStarts > cold; again != tt.gone {
					t.Errorf("a cold start afterwards: %v, want %v", again, tt.gone)
				}
			}
		})
	}
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil && !zombie(pid) }

// zombie reports whether the process is dead but not collected: its new parent
// may be slow.
func zombie(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(stat), ") Z ")
}

func TestTimeoutKillsTheFamily(t *testing.T) {
	t.Parallel()
	s := newService(t, lambda.Options{}, lambda.Function{Timeout: time.Second})
	if _, functionError, err := s.Invoke(t.Context(), "f", encode(t, request{Do: "spawn"})); functionError == "" || err != nil {
		t.Fatal(functionError, err)
	}
	for _, line := range s.Logs("f") {
		if pid, err := strconv.Atoi(strings.TrimPrefix(line, "child ")); err == nil {
			// A busy machine takes a moment to end what was killed.
			for end := time.Now().Add(10 * time.Second); alive(pid); <-time.After(10 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("the child outlived the timeout")
				}
			}
			return
		}
	}
	t.Errorf("no child in %v", s.Logs("f"))
}

func TestKill(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		kill func(*lambda.Service, lambda.Invocation)
	}{
		{"function", func(s *lambda.Service, i lambda.Invocation) { s.Kill(i.Function) }},
		{"request", func(s *lambda.Service, i lambda.Invocation) { s.KillRequest(i.RequestID) }},
		{"caller", func(s *lambda.Service, i lambda.Invocation) { s.KillCaller(i.AccessKey) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			started := make(chan lambda.Invocation, 3) // as many as there are
			s := newService(t, lambda.Options{OnInvoke: func(i lambda.Invocation) { started <- i }}, lambda.Function{})
			invokeEcho(t, s, "f")
			<-started
			done := make(chan string)
			go func() {
				result, _, _ := s.Invoke(t.Context(), "f", encode(t, request{Do: "hang"}))
				done <- string(result)
			}()
			i := <-started
			if i.Number != 2 || !strings.Contains(string(i.Payload), "hang") {
				t.Errorf("%+v", i)
			}
			if name, ok := s.Caller(i.AccessKey); !ok || name != "f" {
				t.Errorf("caller %q, %v", name, ok)
			}
			tt.kill(s, i)
			if result := <-done; !strings.Contains(result, "Runtime.ExitError") || !strings.Contains(result, "signal: killed") {
				t.Errorf("got %s", result)
			}
			if s.KillRequest(i.RequestID) || s.KillCaller(i.AccessKey) {
				t.Error("killed twice")
			}
			invokeEcho(t, s, "f")
		})
	}
}

func TestConcurrency(t *testing.T) {
	t.Parallel()
	started := make(chan lambda.Invocation, 4)
	s := newService(t, lambda.Options{OnInvoke: func(i lambda.Invocation) { started <- i }}, lambda.Function{ReservedConcurrency: 2})
	gate := filepath.Join(t.TempDir(), "open")
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if result, functionError, err := s.Invoke(t.Context(), "f", encode(t, request{"wait for file", gate})); functionError != "" || err != nil {
				t.Errorf("%s %s %v", result, functionError, err)
			}
		})
	}
	<-started
	<-started
	_, _, err := s.Invoke(t.Context(), "f", nil)
	if e, ok := errors.AsType[*wire.Error](err); !ok || e.Code != "TooManyRequestsException" || e.Status != 429 {
		t.Errorf("the third: %v", err)
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if stats := s.Stats("f"); stats.ColdStarts != 2 || stats.Throttles != 1 {
		t.Errorf("%+v", stats)
	}
	invokeEcho(t, s, "f")
	if n := s.Stats("f").ColdStarts; n != 2 {
		t.Errorf("%d cold starts", n)
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	t.Parallel()
	started := make(chan lambda.Invocation, 2)
	s := newService(t, lambda.Options{OnInvoke: func(i lambda.Invocation) { started <- i }}, lambda.Function{})
	warm := invokeEcho(t, s, "f").PID
	<-started
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _, _ = s.Invoke(t.Context(), "f", encode(t, request{Do: "hang"}))
	}()
	<-started
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	<-done
	if alive(warm) {
		t.Error("a process is left")
	}
	if _, _, err := s.Invoke(t.Context(), "f", nil); err == nil {
		t.Error("invoked after Close")
	}
}

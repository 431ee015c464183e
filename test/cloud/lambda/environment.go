package lambda

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

// environment is one execution environment: a process and the Runtime API that
// only it talks to.
type environment struct {
	function  *function
	accessKey string
	cmd       *exec.Cmd
	server    *http.Server
	out       *output

	ready   chan struct{} // the process asked for work
	calls   chan *call    // to the process
	results chan outcome  // from it
	exited  chan struct{} // closed when it is gone and its log is read

	mu      sync.Mutex
	current *call  // the one it works on
	gone    bool   // its process ID may belong to another by now
	exit    string // how it ended
}

// call is one invocation on its way to a process.
type call struct {
	requestID string
	arn       string
	payload   []byte
	deadline  time.Time
}

// outcome is how an invocation ended. functionError is "" or Unhandled.
type outcome struct {
	result        []byte
	functionError string
}

// start starts a process of f and its Runtime API.
//
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
func (s *Service) start(f *function) (*environment, error) {
	program, err := f.entry()
	if err != nil {
		return nil, err
	}
	if program, err = filepath.Abs(program); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") // it does not wait
	if err != nil {
		return nil, err
	}
	out, err := newOutput(f.logs)
	if err != nil {
		_ = listener.Close() // nothing was accepted
		return nil, err
	}
	e := &environment{
		function: f, accessKey: s.nextAccessKey(), out: out,
		ready: make(chan struct{}, 1), calls: make(chan *call), results: make(chan outcome, 1), exited: make(chan struct{}),
	}
	e.server = &http.Server{Handler: e.api(), ReadHeaderTimeout: 10 * time.Second}
	e.cmd = exec.Command(program) // it is ended by hand, with its children
	e.cmd.Dir = filepath.Dir(program)
	e.cmd.Env = s.environ(f, e.accessKey, listener.Addr().String(), e.cmd.Dir)
	e.cmd.Stdout, e.cmd.Stderr = out.write, out.write
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := e.cmd.Start(); err != nil {
		out.close()
		_ = listener.Close() // nothing was accepted
		return nil, err
	}
	go func() { _ = e.server.Serve(listener) }() // it ends when watch closes it
	s.mu.Lock()
	s.alive[e] = true
	late := s.closed || s.functions[f.Name] != f
	s.mu.Unlock()
	go e.watch(s)
	if late {
		e.end()
	}
	return e, nil
}

// watch cleans up after the process.
func (e *environment) watch(s *Service) {
	err := e.cmd.Wait()
	exit := "Runtime exited without providing a reason"
	if err != nil {
		exit = "Runtime exited with error: " + err.Error()
	}
	e.mu.Lock()
	// What it started goes with it.
	_ = syscall.Kill(-e.cmd.Process.Pid, syscall.SIGKILL) // there may be nothing
	e.gone, e.exit = true, exit
	e.mu.Unlock()
	e.out.close()
	_ = e.server.Close() // the process is gone
	s.mu.Lock()
	delete(s.alive, e)
	e.function.warm = slices.DeleteFunc(e.function.warm, func(o *environment) bool { return o == e })
	s.mu.Unlock()
	close(e.exited)
}

// end kills the process group and waits until it is gone.
func (e *environment) end() {
	e.mu.Lock()
	if !e.gone {
		_ = syscall.Kill(-e.cmd.Process.Pid, syscall.SIGKILL) // it may be gone
	}
	e.mu.Unlock()
	<-e.exited
}

func (e *environment) serves(requestID string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.current != nil && e.current.requestID == requestID
}

func (e *environment) died() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.exit
}

// peak returns the largest resident set of the process in bytes, or 0.
func (e *environment) peak() int64 {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(e.cmd.Process.Pid) + "/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kb, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return 0
	}
	return kb << 10
}

// nextAccessKey returns an access key ID of the form that roles have.
func (s *Service) nextAccessKey() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made++
	return fmt.Sprintf("ASIALOCAL%011d", s.made)
}

// reserved returns a variable of env that only Lambda may set, or "".
//
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime
func reserved(env map[string]string) string {
	own := []string{
		"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV",
		"AWS_REGION", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT",
	}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if slices.Contains(own, name) || strings.HasPrefix(name, "AWS_LAMBDA_") {
			return name
		}
	}
	return ""
}

// environ is all that a process sees of the world: what Lambda sets, the local
// AWS's address, and the function's own variables. Nothing comes from this
// process. The configuration files are named because without a home the SDKs
// would look the user's up.
//
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
func (s *Service) environ(f *function, accessKey, runtimeAPI, root string) []string {
	env := maps.Clone(f.Env)
	if env == nil {
		env = map[string]string{}
	}
	maps.Copy(env, map[string]string{
		"_HANDLER":                        "bootstrap",
		"AWS_ACCESS_KEY_ID":               accessKey,
		"AWS_CONFIG_FILE":                 os.DevNull,
		"AWS_DEFAULT_REGION":              wire.Region,
		"AWS_EC2_METADATA_DISABLED":       "true",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(f.MemoryMB),
		"AWS_LAMBDA_FUNCTION_NAME":        f.Name,
		"AWS_LAMBDA_FUNCTION_VERSION":     "$LATEST",
		"AWS_LAMBDA_INITIALIZATION_TYPE":  "on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME":       "/aws/lambda/" + f.Name,
		"AWS_LAMBDA_LOG_STREAM_NAME":      s.options.Clock.Now().Format("2006/01/02") + "/[$LATEST]" + accessKey,
		"AWS_LAMBDA_RUNTIME_API":          runtimeAPI,
		"AWS_REGION":                      wire.Region,
		"AWS_SECRET_ACCESS_KEY":           "local",
		"AWS_SESSION_TOKEN":               "local",
		"AWS_SHARED_CREDENTIALS_FILE":     os.DevNull,
		"LAMBDA_TASK_ROOT":                root,
		"PATH":                            "/usr/local/bin:/usr/bin:/bin",
		"TZ":                              "UTC",
	})
	if s.options.Endpoint != nil {
		env["AWS_ENDPOINT_URL"] = s.options.Endpoint()
	} else {
		// Port 9 discards: better no answer than real AWS's.
		env["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
	}
	var out []string
	for _, k := range slices.Sorted(maps.Keys(env)) {
		out = append(out, k+"="+env[k])
	}
	return out
}

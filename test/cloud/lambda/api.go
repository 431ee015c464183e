package lambda

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

func (s *Service) serveInvoke(ctx context.Context, c *wire.Call) (*wire.Reply, error) {
	f, arn, err := s.resolve(routeOf(c.HTTP).function, c.HTTP.URL.Query().Get("Qualifier"))
	if err != nil {
		return nil, err
	}
	header := http.Header{"X-Amz-Executed-Version": {"$LATEST"}}
	switch kind := c.HTTP.Header.Get("X-Amz-Invocation-Type"); kind {
	case "DryRun":
		return &wire.Reply{Status: http.StatusNoContent, Header: header}, nil
	case "Event":
		if len(c.Body) > 1<<20 {
			return nil, &wire.Error{Code: "RequestTooLargeException", Message: "Request must be smaller than 1048576 bytes for the InvokeFunction operation", Status: http.StatusRequestEntityTooLarge}
		}
		if len(c.Body) > 0 && !json.Valid(c.Body) {
			return nil, &wire.Error{Code: "InvalidRequestContentException", Message: "Could not parse request body into json: the payload is not JSON"}
		}
		return &wire.Reply{Status: http.StatusAccepted, Header: header}, s.InvokeAsync(ctx, arn, c.Body)
	case "", "RequestResponse":
		o, log, err := s.invoke(ctx, f, arn, c.Body)
		if err != nil {
			return nil, err
		}
		header.Set("Content-Type", "application/json")
		if o.functionError != "" {
			header.Set("X-Amz-Function-Error", o.functionError)
		}
		if c.HTTP.Header.Get("X-Amz-Log-Type") == "Tail" {
			tail := strings.Join(log, "\n") + "\n"
			header.Set("X-Amz-Log-Result", base64.StdEncoding.EncodeToString([]byte(tail[max(0, len(tail)-4096):])))
		}
		return &wire.Reply{Header: header, Body: o.result}, nil
	default:
		return nil, invalidParameter("Unknown invocation type: " + kind)
	}
}

func invalidParameter(message string) error {
	return &wire.Error{Code: "InvalidParameterValueException", Message: message}
}

type environmentVariables struct {
	Variables map[string]string `json:",omitempty"`
}

type createFunctionInput struct {
	FunctionName string
	Role         string
	Runtime      string
	Handler      string
	PackageType  string
	Code         struct{ ZipFile []byte }
	Environment  environmentVariables
	Timeout      int
	MemorySize   int
}

// configuration is a function as the API shows it.
type configuration struct {
	FunctionName     string
	FunctionArn      string
	Role             string `json:",omitempty"`
	Runtime          string
	Handler          string
	CodeSize         int
	CodeSha256       string `json:",omitempty"`
	Timeout          int
	MemorySize       int
	LastModified     string
	Version          string
	State            string
	LastUpdateStatus string
	PackageType      string
	Environment      *environmentVariables `json:",omitempty"`
	Layers           []layer               `json:",omitempty"`
}

type layer struct{ Arn string }

func (f *function) describe() *configuration {
	out := &configuration{
		FunctionName: f.Name, FunctionArn: ARN(f.Name), Role: f.role, Runtime: "provided.al2023", Handler: "bootstrap",
		CodeSize: len(f.code), Timeout: int(f.Timeout / time.Second), MemorySize: f.MemoryMB,
		LastModified: f.created.Format("2006-01-02T15:04:05.000-0700"), Version: "$LATEST", State: "Active", LastUpdateStatus: "Successful", PackageType: "Zip",
	}
	if f.code != nil {
		sum := sha256.Sum256(f.code)
		out.CodeSha256 = base64.StdEncoding.EncodeToString(sum[:])
	}
	for _, arn := range f.layers {
		out.Layers = append(out.Layers, layer{arn})
	}
	if len(f.Env) > 0 {
		out.Environment = &environmentVariables{f.Env}
	}
	return out
}

func (s *Service) createFunction(_ context.Context, _ *wire.Call, in *createFunctionInput) (*configuration, error) {
	name, _, ok := parse(in.FunctionName)
	switch {
	case !ok:
		return nil, invalidName(in.FunctionName)
	case !strings.HasPrefix(in.Runtime, "provided"):
		return nil, invalidParameter("The local AWS runs provided.al2 and provided.al2023 only.")
	case in.Timeout < 0 || in.Timeout > 900:
		return nil, invalidParameter("1 validation error detected: Value at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900")
	case s.Exists(name):
		return nil, &wire.Error{Code: "ResourceConflictException", Message: "Function already exist: " + name, Status: http.StatusConflict}
	}
	dir, err := s.unpack(name, in.Code.ZipFile)
	if err != nil {
		return nil, invalidParameter("Could not unzip uploaded file. Please check your file, then try to upload again. " + err.Error())
	}
	if err := s.Register(Function{
		Name: name, Path: dir, Env: in.Environment.Variables, Timeout: time.Duration(in.Timeout) * time.Second, MemoryMB: in.MemorySize,
	}); err != nil {
		return nil, invalidParameter(err.Error())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.functions[name]
	f.code, f.role = in.Code.ZipFile, in.Role
	return f.describe(), nil
}

// maxUnpacked is how large a function's code may be.
const maxUnpacked = 250 << 20

// unpack writes the zip's files to a new folder.
func (s *Service) unpack(name string, code []byte) (string, error) {
	archive, err := zip.NewReader(bytes.NewReader(code), int64(len(code)))
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	if s.dir == "" {
		s.dir, err = os.MkdirTemp("", "keyturn-lambda-")
	}
	base := s.dir
	s.mu.Unlock()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(base, name+"-")
	if err != nil {
		return "", err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer func() { _ = root.Close() }() // only used to write through
	left := int64(maxUnpacked)
	for _, file := range archive.File {
		if file.FileInfo().IsDir() {
			continue
		}
		n, err := extract(root, file, left)
		if err != nil {
			return "", err
		}
		left -= n
	}
	return dir, nil
}

// extract writes one file; the root keeps it inside.
func extract(root *os.Root, file *zip.File, most int64) (n int64, err error) {
	in, err := file.Open()
	if err != nil {
		return 0, err
	}
	defer func() { _ = in.Close() }() // only read from
	if dir := filepath.Dir(file.Name); dir != "." {
		if err := root.MkdirAll(dir, 0o755); err != nil {
			return 0, err
		}
	}
	out, err := root.OpenFile(file.Name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, file.Mode().Perm()|0o400)
	if err != nil {
		return 0, err
	}
	n, err = io.Copy(out, io.LimitReader(in, most+1))
	if err == nil && n > most {
		err = fmt.Errorf("larger than %d bytes", maxUnpacked)
	}
	if closeErr := out.Close(); err == nil {
		err = closeErr
	}
	return n, err
}

type none struct{}

type getFunctionOutput struct {
	Configuration *configuration
	Code          struct{ RepositoryType string }
}

func (s *Service) getFunction(ctx context.Context, c *wire.Call, in *none) (*getFunctionOutput, error) {
	conf, err := s.getFunctionConfiguration(ctx, c, in)
	if err != nil {
		return nil, err
	}
	out := &getFunctionOutput{Configuration: conf}
	out.Code.RepositoryType = "S3"
	return out, nil
}

func (s *Service) getFunctionConfiguration(_ context.Context, c *wire.Call, _ *none) (*configuration, error) {
	f, _, err := s.resolve(routeOf(c.HTTP).function, c.HTTP.URL.Query().Get("Qualifier"))
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return f.describe(), nil
}

type listFunctionsOutput struct{ Functions []*configuration }

func (s *Service) listFunctions(context.Context, *wire.Call, *none) (*listFunctionsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &listFunctionsOutput{Functions: []*configuration{}}
	for _, name := range slices.Sorted(maps.Keys(s.functions)) {
		out.Functions = append(out.Functions, s.functions[name].describe())
	}
	return out, nil
}

func (s *Service) deleteFunction(_ context.Context, c *wire.Call) (*wire.Reply, error) {
	f, _, err := s.resolve(routeOf(c.HTTP).function, "")
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	delete(s.functions, f.Name)
	warm := f.warm
	f.warm = nil
	s.mu.Unlock()
	for _, e := range warm {
		e.end()
	}
	return &wire.Reply{Status: http.StatusNoContent}, nil
}

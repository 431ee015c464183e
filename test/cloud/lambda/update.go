package lambda

import (
	"context"
	"time"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

type updateCodeInput struct {
	ZipFile []byte
	DryRun  bool
}

// https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionCode.html
func (s *Service) updateCode(_ context.Context, c *wire.Call, in *updateCodeInput) (*configuration, error) {
	f, _, err := s.resolve(routeOf(c.HTTP).function, "")
	if err != nil {
		return nil, err
	}
	if len(in.ZipFile) == 0 {
		return nil, invalidParameter("The local AWS takes code as a ZipFile only.")
	}
	dir, err := s.unpack(f.Name, in.ZipFile)
	if err != nil {
		return nil, invalidParameter("Could not unzip uploaded file. Please check your file, then try to upload again. " + err.Error())
	}
	if _, err := (&function{Function: Function{Path: dir}}).entry(); err != nil {
		return nil, invalidParameter(err.Error())
	}
	return s.replace(f, in.DryRun, func(next *function) { next.Path, next.Handler, next.code = dir, nil, in.ZipFile }), nil
}

type updateConfigurationInput struct {
	Role        string
	Environment *environmentVariables
	Timeout     int
	MemorySize  int
	Layers      []string
}

// https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html
func (s *Service) updateConfiguration(_ context.Context, c *wire.Call, in *updateConfigurationInput) (*configuration, error) {
	f, _, err := s.resolve(routeOf(c.HTTP).function, "")
	if err != nil {
		return nil, err
	}
	if in.Environment != nil {
		if name := reserved(in.Environment.Variables); name != "" {
			return nil, invalidParameter("Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: " + name)
		}
	}
	return s.replace(f, false, func(next *function) {
		if in.Role != "" {
			next.role = in.Role
		}
		if in.Environment != nil {
			next.Env = in.Environment.Variables
		}
		if in.Timeout > 0 {
			next.Timeout = time.Duration(in.Timeout) * time.Second
		}
		if in.MemorySize > 0 {
			next.MemoryMB = in.MemorySize
		}
		if in.Layers != nil {
			next.layers = in.Layers
		}
	}), nil
}

// replace changes a function for invocations that begin later, or only says what it
// would be.
func (s *Service) replace(f *function, dry bool, change func(*function)) *configuration {
	s.mu.Lock()
	next := &function{
		Function: f.Function, created: s.options.Clock.Now(), code: f.code, role: f.role, layers: f.layers,
		stats: f.stats, logs: f.logs, policy: f.policy, invokedAs: f.invokedAs,
	}
	change(next)
	out := next.describe()
	if dry || s.functions[f.Name] != f { // replaced meanwhile
		s.mu.Unlock()
		return out
	}
	s.functions[f.Name] = next
	warm := f.warm
	f.warm = nil
	s.mu.Unlock()
	for _, e := range warm {
		e.end()
	}
	return out
}

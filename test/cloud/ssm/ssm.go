// Package ssm is the local AWS's Systems Manager, as far as a parameter that is
// text goes.
//
// Operations: GetParameter, PutParameter. Anything else answers NotImplemented.
//
// Assumed, not recorded: parameters are of type String, without versions of the
// past, labels, policies and encryption; others are refused.
package ssm

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

// Service is a [wire.Service]. Use [New]; a Service is safe for concurrent use.
//
// API: https://docs.aws.amazon.com/systems-manager/latest/APIReference/
type Service struct {
	handlers map[string]wire.Handler

	mu         sync.Mutex
	parameters map[string]parameter
}

type parameter struct {
	value    string
	version  int64
	modified time.Time
}

// New returns a Service without parameters.
func New() *Service {
	s := &Service{parameters: map[string]parameter{}}
	s.handlers = map[string]wire.Handler{"GetParameter": wire.Typed(s.get), "PutParameter": wire.Typed(s.put)}
	return s
}

// Operation implements [wire.Service].
func (*Service) Operation(r *http.Request, _ []byte) string { return wire.Target(r, "AmazonSSM") }

// Serve implements [wire.Service].
func (s *Service) Serve(ctx context.Context, c *wire.Call) (*wire.Reply, error) {
	h, ok := s.handlers[c.Operation]
	if !ok {
		return nil, wire.NotImplemented(c)
	}
	return h(ctx, c)
}

// Fail implements [wire.Service].
func (*Service) Fail(_ *wire.Call, err *wire.Error) *wire.Reply { return wire.FailJSON(err) }

type getInput struct {
	Name           string
	WithDecryption bool
}

type described struct {
	Name, Type, Value string
	ARN               string
	DataType          string
	Version           int64
	LastModifiedDate  float64
}

type getOutput struct{ Parameter described }

func (s *Service) get(_ context.Context, _ *wire.Call, in *getInput) (*getOutput, error) {
	if in.Name == "" || strings.Contains(in.Name, ":") {
		return nil, invalid("the local AWS takes a parameter's name, without version or label")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.parameters[in.Name]
	if !ok {
		return nil, &wire.Error{Code: "ParameterNotFound"}
	}
	return &getOutput{described{
		Name: in.Name, Type: "String", Value: p.value, DataType: "text", Version: p.version, LastModifiedDate: float64(p.modified.Unix()),
		ARN: "arn:aws:ssm:" + wire.Region + ":" + wire.Account + ":parameter/" + strings.TrimPrefix(in.Name, "/"),
	}}, nil
}

type putInput struct {
	Name, Value, Type string
	Overwrite         bool
}

type putOutput struct {
	Tier    string
	Version int64
}

var name = regexp.MustCompile(`^/?[a-zA-Z0-9_.-]+(/[a-zA-Z0-9_.-]+)*$`)

func (s *Service) put(_ context.Context, c *wire.Call, in *putInput) (*putOutput, error) {
	switch {
	case !name.MatchString(in.Name):
		return nil, invalid("Parameter name: can't be prefixed with \"ssm\" and must be letters, numbers and ._-/")
	case in.Type != "" && in.Type != "String":
		return nil, invalid("the local AWS has parameters of type String only")
	case in.Value == "" || len(in.Value) > 4096:
		return nil, invalid("Standard tier parameters support a maximum parameter value of 4096 characters.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before, there := s.parameters[in.Name]
	if there && !in.Overwrite {
		return nil, &wire.Error{Code: "ParameterAlreadyExists", Message: "The parameter already exists. To overwrite this value, set the overwrite option in the request to true."}
	}
	if !there && in.Type == "" {
		return nil, invalid("A parameter type is required when you create a parameter.")
	}
	s.parameters[in.Name] = parameter{in.Value, before.version + 1, c.Now}
	return &putOutput{"Standard", before.version + 1}, nil
}

func invalid(message string) error { return &wire.Error{Code: "ValidationException", Message: message} }

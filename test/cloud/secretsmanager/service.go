// Package secretsmanager is the local AWS's Secrets Manager: every operation of
// the service, its rotation driver and its schedules, on a movable clock.
//
// The list beside package cloud says what it promises, and on whose word. The
// API is https://docs.aws.amazon.com/secretsmanager/latest/apireference/.
package secretsmanager

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/keyturn/keyturn/test/cloud/clock"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// Invoker runs Lambda functions for the rotation driver. An error means that
// the function could not be run; a function error, that it ran and failed.
type Invoker interface {
	Invoke(ctx context.Context, function string, payload []byte) (result []byte, functionError string, err error)
}

// Sink is told what the service does. It is called with the service's lock
// held: it must not call the service.
type Sink interface {
	// LabelUpdated tells that a staging label other than AWSPENDING and
	// AWSPREVIOUS is now on versionID.
	LabelUpdated(arn, name, label, versionID string)
	// ServiceEvent tells of an event that Secrets Manager records in
	// CloudTrail by itself, such as RotationStarted.
	ServiceEvent(e ServiceEvent)
}

// ServiceEvent is something Secrets Manager did on its own.
type ServiceEvent struct {
	Name         string // "RotationFailed"
	ARN          string // the secret
	SecretName   string
	Token        string // the version that was to become current; may be ""
	RequestID    string // "Rotation-<ARN>-<token>"
	ErrorMessage string // "" unless something failed
}

// Options configure a [Service]. Only Clock is required.
type Options struct {
	Clock *clock.Clock
	// Rand gives ARN suffixes, tokens and passwords; it is read by several
	// goroutines. Nil: crypto/rand.
	Rand io.Reader
	// Invoker runs rotation functions. Nil: no function can be invoked.
	Invoker Invoker
	// Invocable reports whether Secrets Manager may invoke the function for the
	// secret with that ARN; if not, RotateSecret is refused. Nil: every
	// function, if there is an Invoker.
	Invocable func(function, secret string) bool
	// Sink is told of label moves and service events. Nil: nobody is.
	Sink Sink
	// Attempts is how often a whole rotation is tried. AWS says "multiple
	// times" and no number; 0 is 5 (assumed).
	Attempts int
	// RetryDelay is the pause before the second attempt; it doubles with each
	// one. AWS gives no number; 0 is 2 s (assumed).
	RetryDelay time.Duration
	// WindowSeed selects the moment inside each rotation window.
	WindowSeed int64
	// ReadLag is how long reads answer from the state before a write. 0: not at all.
	ReadLag time.Duration
	// ReplicaDelay is how long a replica stays InProgress; 0 is 1 s (assumed).
	ReplicaDelay time.Duration
}

// Service is a [wire.Service]. Use [New]; it is safe for concurrent use.
type Service struct {
	opt  Options
	ops  map[string]handler
	life context.Context //nolint:containedctx // ends the rotations with the service
	stop context.CancelFunc

	mu      sync.Mutex
	secrets map[string]*secret // by name
	pages   map[string]page    // by NextToken
	running int                // rotations under way
	idle    chan struct{}      // closed when running falls to 0
}

// New returns an empty Secrets Manager.
func New(opt Options) *Service {
	if opt.Rand == nil {
		opt.Rand = rand.Reader
	}
	if opt.Attempts == 0 {
		opt.Attempts = 5
	}
	if opt.RetryDelay == 0 {
		opt.RetryDelay = 2 * time.Second
	}
	if opt.ReplicaDelay == 0 {
		opt.ReplicaDelay = time.Second
	}
	if opt.Sink == nil {
		opt.Sink = deaf{}
	}
	s := &Service{
		opt: opt, secrets: map[string]*secret{}, pages: map[string]page{},
		idle: closedChan(),
	}
	s.life, s.stop = context.WithCancel(context.Background())
	s.ops = operations()
	return s
}

// Close ends the rotations under way as if Secrets Manager had gone; labels
// stay as they are.
func (s *Service) Close() { s.stop() }

type deaf struct{}

func (deaf) LabelUpdated(_, _, _, _ string) {}
func (deaf) ServiceEvent(ServiceEvent)      {}

func closedChan() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

type handler func(ctx context.Context, s *Service, c *wire.Call) (any, error)

// op adapts one operation: it decodes the request and holds the lock.
func op[In any](f func(ctx context.Context, s *Service, in *In) (any, error)) handler {
	return func(ctx context.Context, s *Service, c *wire.Call) (any, error) {
		if err := validate(c); err != nil {
			return nil, err
		}
		in := new(In)
		if err := c.Decode(in); err != nil {
			return nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return f(ctx, s, in)
	}
}

func operations() map[string]handler {
	return map[string]handler{
		"BatchGetSecretValue":          op(batchGet),
		"CancelRotateSecret":           op(cancelRotate),
		"CreateSecret":                 op(create),
		"DeleteResourcePolicy":         op(deletePolicy),
		"DeleteSecret":                 op(deleteSecret),
		"DescribeSecret":               op(describe),
		"GetRandomPassword":            op(randomPassword),
		"GetResourcePolicy":            op(getPolicy),
		"GetSecretValue":               op(getValue),
		"ListSecretVersionIds":         op(listVersions),
		"ListSecrets":                  op(list),
		"PutResourcePolicy":            op(putPolicy),
		"PutSecretValue":               op(putValue),
		"RemoveRegionsFromReplication": op(removeRegions),
		"ReplicateSecretToRegions":     op(replicate),
		"RestoreSecret":                op(restore),
		"RotateSecret":                 op(rotate),
		"StopReplicationToReplica":     op(stopReplication),
		"TagResource":                  op(tagResource),
		"UntagResource":                op(untagResource),
		"UpdateSecret":                 op(update),
		"UpdateSecretVersionStage":     op(updateStage),
		"ValidateResourcePolicy":       op(validatePolicy),
	}
}

// Operation implements [wire.Service].
func (s *Service) Operation(r *http.Request, _ []byte) string {
	service, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if service != "secretsmanager" {
		return ""
	}
	return operation
}

// Serve implements [wire.Service].
func (s *Service) Serve(ctx context.Context, c *wire.Call) (*wire.Reply, error) {
	h := s.ops[c.Operation]
	if h == nil {
		return nil, &wire.Error{Code: "UnknownOperationException"} // every operation of the service is here
	}
	out, err := h(ctx, s, c)
	if err != nil {
		return nil, err
	}
	if _, empty := out.(nothing); empty {
		return &wire.Reply{Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}}}, nil
	}
	return wire.JSON(out)
}

// Fail implements [wire.Service]. The errors of the service's model carry
// Message, the others message, as the recorded answers do.
func (s *Service) Fail(_ *wire.Call, err *wire.Error) *wire.Reply {
	key := "Message"
	switch err.Code {
	case "ValidationException", "AccessDeniedException", "ThrottlingException", "SerializationException", "UnknownOperationException":
		key = "message"
	}
	reply := wire.FailJSON(err)
	reply.Body, _ = json.Marshal(map[string]string{"__type": err.Code, key: err.Message}) //nolint:errchkjson // strings
	return reply
}

// Wait returns when no rotation of the secret, by name or ARN, is under way;
// "" waits for all of them.
func (s *Service) Wait(ctx context.Context, secretID string) error {
	s.mu.Lock()
	done := s.idle
	if secretID != "" {
		done = closedChan()
		if sec := s.find(secretID); sec != nil && sec.job != nil {
			done = sec.job.done
		}
	}
	s.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Service) now() time.Time { return s.opt.Clock.Now() }

// stamp is a time as awsJson sends it: seconds since 1970, to the millisecond.
func stamp(t time.Time) *float64 {
	if t.IsZero() {
		return nil
	}
	return new(float64(t.UnixMilli()) / 1000)
}

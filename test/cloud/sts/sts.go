// Package sts is the local AWS's Security Token Service. It says who a caller
// claims to be, and gives a role to whoever asks.
//
// Operations: GetCallerIdentity, AssumeRole. Anything else answers
// NotImplemented.
//
// Assumed, not recorded: there are no users and no trust policies; a caller is
// the role that its access key was given for, by AssumeRole or by
// [Options].Caller, or else the user "local".
package sts

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/xml"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

// Options configure a Service. The zero value does.
type Options struct {
	// Caller returns the name of the function whose process has the access
	// key, as lambda's Service does. Nil: there are none.
	Caller func(accessKey string) (function string, ok bool)
}

// Service is STS. Use [New]; a Service is safe for concurrent use.
//
// API: https://docs.aws.amazon.com/STS/latest/APIReference/
type Service struct {
	options Options

	mu       sync.Mutex
	sessions map[string]session // by access key
	made     int
}

// session is an assumed role.
type session struct{ arn, id string }

// New returns a Service that knows nobody.
func New(o Options) *Service { return &Service{options: o, sessions: map[string]session{}} }

func parse(r *http.Request, body []byte) url.Values {
	values, err := url.ParseQuery(string(body))
	if err != nil || !values.Has("Action") {
		return r.URL.Query()
	}
	return values
}

// Operation implements [wire.Service].
func (*Service) Operation(r *http.Request, body []byte) string { return parse(r, body).Get("Action") }

// Serve implements [wire.Service].
func (s *Service) Serve(_ context.Context, c *wire.Call) (*wire.Reply, error) {
	const namespace = "https://sts.amazonaws.com/doc/2011-06-15/"
	switch c.Operation {
	case "GetCallerIdentity":
		who := s.caller(c.AccessKey)
		return wire.Query(c, namespace, &getCallerIdentityResult{ARN: who.arn, UserID: who.id, Account: wire.Account})
	case "AssumeRole":
		result, err := s.assumeRole(c)
		if err != nil {
			return nil, err
		}
		return wire.Query(c, namespace, result)
	default:
		return nil, wire.NotImplemented(c)
	}
}

// Fail implements [wire.Service].
func (*Service) Fail(c *wire.Call, err *wire.Error) *wire.Reply { return wire.FailQuery(c, err) }

type getCallerIdentityResult struct {
	XMLName xml.Name `xml:"GetCallerIdentityResult"`
	ARN     string   `xml:"Arn"`
	UserID  string   `xml:"UserId"`
	Account string
}

// ARN returns the ARN of the caller with that access key.
func (s *Service) ARN(accessKey string) string { return s.caller(accessKey).arn }

func (s *Service) caller(accessKey string) session {
	s.mu.Lock()
	known, ok := s.sessions[accessKey]
	s.mu.Unlock()
	if ok {
		return known
	}
	if s.options.Caller != nil {
		if function, ok := s.options.Caller(accessKey); ok {
			return assumed(function, function)
		}
	}
	return session{"arn:aws:iam::" + wire.Account + ":user/local", id("AIDA", "local")}
}

// assumed is a session of a role.
func assumed(role, name string) session {
	return session{"arn:aws:sts::" + wire.Account + ":assumed-role/" + role + "/" + name, id("AROA", role) + ":" + name}
}

// id returns an ID of the form that IAM gives, the same for the same name.
func id(prefix, name string) string {
	sum := sha256.Sum256([]byte(name))
	return prefix + base32.StdEncoding.EncodeToString(sum[:])[:17]
}

type credentials struct {
	AccessKeyID     string `xml:"AccessKeyId"`
	SecretAccessKey string
	SessionToken    string
	Expiration      string
}

type assumedRoleUser struct {
	ID  string `xml:"AssumedRoleId"`
	ARN string `xml:"Arn"`
}

type assumeRoleResult struct {
	XMLName         xml.Name `xml:"AssumeRoleResult"`
	Credentials     credentials
	AssumedRoleUser assumedRoleUser
}

func (s *Service) assumeRole(c *wire.Call) (*assumeRoleResult, error) {
	in := parse(c.HTTP, c.Body)
	role := regexp.MustCompile(`^arn:aws:iam::` + wire.Account + `:role/(?:[\w+=,.@/-]*/)?([\w+=,.@-]+)$`).FindStringSubmatch(in.Get("RoleArn"))
	name := in.Get("RoleSessionName")
	duration := time.Hour
	if text := in.Get("DurationSeconds"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 900 || n > 43200 {
			return nil, invalid("durationSeconds")
		}
		duration = time.Duration(n) * time.Second
	}
	switch {
	case role == nil:
		return nil, &wire.Error{Code: "AccessDenied", Status: http.StatusForbidden, Message: "User: " + s.caller(c.AccessKey).arn + " is not authorized to perform: sts:AssumeRole on resource: " + strings.ToValidUTF8(in.Get("RoleArn"), "?")}
	case !regexp.MustCompile(`^[\w+=,.@-]{2,64}$`).MatchString(name):
		return nil, invalid("roleSessionName")
	}
	who := assumed(role[1], name)
	s.mu.Lock()
	s.made++
	key := id("ASIA", "session "+strconv.Itoa(s.made))[:20]
	s.sessions[key] = who
	s.mu.Unlock()
	return &assumeRoleResult{
		Credentials:     credentials{key, "local", "local", c.Now.Add(duration).UTC().Format(time.RFC3339)},
		AssumedRoleUser: assumedRoleUser{who.id, who.arn},
	}, nil
}

func invalid(parameter string) error {
	return &wire.Error{Code: "ValidationError", Message: "1 validation error detected: Value at '" + parameter + "' failed to satisfy constraint"}
}

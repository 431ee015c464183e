// Package iam is the local AWS's Identity and Access Management, as far as reading who
// may do what goes.
//
// Operations: GetAccountAuthorizationDetails, with its filter and pages; ListRoles and
// ListUsers. Anything else answers NotImplemented: tests say from Go who there is, and
// nothing is applied.
//
// Assumed, not recorded: users come first, then groups, roles and policies, each by
// name; a page may end between any two.
package iam

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

// Account is who there is. The zero value is an account without anybody.
type Account struct {
	Users    []User
	Groups   []Group
	Roles    []Role
	Policies []Policy
}

// Rights are what a user, a group or a role has.
type Rights struct {
	Name     string
	Path     string            // "": /
	Inline   map[string]string // policies as JSON, by name
	Attached []string          // ARNs of policies
}

// User is a user.
type User struct {
	Rights

	Groups   []string
	Boundary string // ARN of a policy; "": none
	Tags     map[string]string
}

// Group is a group.
type Group struct{ Rights }

// Role is a role.
type Role struct {
	Rights

	Trust    string // who may assume it, as JSON
	Boundary string
	Tags     map[string]string
	LastUsed time.Time // zero: never
}

// Policy is a managed policy.
type Policy struct {
	Name     string
	Path     string // "": /
	Document string // JSON
	AWS      bool   // it is AWS's own
}

// ARN returns the policy's ARN.
func (p Policy) ARN() string {
	owner := wire.Account
	if p.AWS {
		owner = "aws"
	}
	return arn(owner, "policy", p.Path, p.Name)
}

// Service is a [wire.Service]. Use [New]; a Service is safe for concurrent use.
//
// API: https://docs.aws.amazon.com/IAM/latest/APIReference/
type Service struct {
	created time.Time

	mu      sync.Mutex
	account Account
}

// New returns an IAM without anybody, in which all that comes was made at created.
func New(created time.Time) *Service { return &Service{created: created} }

// Set says who there is. The account is not to be changed afterwards.
func (s *Service) Set(a Account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.account = a
}

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
	var out any
	var err error
	switch c.Operation {
	case "GetAccountAuthorizationDetails":
		out, err = s.details(parse(c.HTTP, c.Body))
	case "ListRoles", "ListUsers":
		out, err = s.list(c.Operation, parse(c.HTTP, c.Body))
	default:
		return nil, wire.NotImplemented(c)
	}
	if err != nil {
		return nil, err
	}
	return wire.Query(c, "https://iam.amazonaws.com/doc/2010-05-08/", out)
}

// Fail implements [wire.Service].
func (*Service) Fail(c *wire.Call, err *wire.Error) *wire.Reply { return wire.FailQuery(c, err) }

func invalid(message string) error { return &wire.Error{Code: "ValidationError", Message: message} }

type answer struct {
	XMLName     xml.Name       `xml:"GetAccountAuthorizationDetailsResult"`
	Users       []userDetail   `xml:"UserDetailList>member"`
	Groups      []groupDetail  `xml:"GroupDetailList>member"`
	Roles       []roleDetail   `xml:"RoleDetailList>member"`
	Policies    []policyDetail `xml:"Policies>member"`
	IsTruncated bool
	Marker      string `xml:",omitempty"`
}

// details answers with a page of the account.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
func (s *Service) details(in url.Values) (*answer, error) {
	most, from, err := page(in)
	if err != nil {
		return nil, err
	}
	var filter []string
	for name, values := range in {
		if strings.HasPrefix(name, "Filter.member.") {
			filter = append(filter, values...)
		}
	}
	for _, f := range filter {
		if !slices.Contains([]string{"User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy"}, f) {
			return nil, invalid("1 validation error detected: Value '[" + f + "]' at 'filter' failed to satisfy constraint: Member must satisfy enum value set: [User, Role, Group, LocalManagedPolicy, AWSManagedPolicy]")
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.entries(func(kind string) bool { return len(filter) == 0 || slices.Contains(filter, kind) })
	if from > len(all) {
		return nil, invalid("Invalid Marker")
	}
	out := &answer{}
	for _, add := range all[from:min(from+most, len(all))] {
		add(out)
	}
	if from+most < len(all) {
		out.IsTruncated, out.Marker = true, strconv.Itoa(from+most)
	}
	return out, nil
}

func page(in url.Values) (most, from int, err error) {
	most = 100
	if v := in.Get("MaxItems"); v != "" {
		if most, err = strconv.Atoi(v); err != nil || most < 1 || most > 1000 {
			return 0, 0, invalid("1 validation error detected: Value '" + v + "' at 'maxItems' failed to satisfy constraint: Member must have value between 1 and 1000")
		}
	}
	if v := in.Get("Marker"); v != "" {
		if from, err = strconv.Atoi(v); err != nil || from < 1 {
			return 0, 0, invalid("Invalid Marker")
		}
	}
	return most, from, nil
}

// entries are what adds each of those that are asked for; s.mu is held.
func (s *Service) entries(asked func(kind string) bool) (all []func(*answer)) {
	if asked("User") {
		for _, u := range s.account.Users {
			all = append(all, func(a *answer) { a.Users = append(a.Users, s.user(u)) })
		}
	}
	if asked("Group") {
		for _, g := range s.account.Groups {
			all = append(all, func(a *answer) { a.Groups = append(a.Groups, s.group(g)) })
		}
	}
	if asked("Role") {
		for _, r := range s.account.Roles {
			all = append(all, func(a *answer) { a.Roles = append(a.Roles, s.role(r)) })
		}
	}
	for _, p := range s.account.Policies {
		if p.AWS && asked("AWSManagedPolicy") || !p.AWS && asked("LocalManagedPolicy") {
			all = append(all, func(a *answer) { a.Policies = append(a.Policies, s.policy(p)) })
		}
	}
	return all
}

func arn(owner, kind, path, name string) string {
	return "arn:aws:iam::" + owner + ":" + kind + slash(path) + name
}

func slash(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

// id makes an entity's id of its ARN: the same one each time.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
func id(prefix, arn string) string {
	sum := sha256.Sum256([]byte(arn))
	return prefix + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:])[:17]
}

package lambda

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

// statement is one entry of a function's resource policy.
type statement struct {
	ID        string                       `json:"Sid"`
	Effect    string                       `json:"Effect"`
	Principal any                          `json:"Principal"`
	Action    string                       `json:"Action"`
	Resource  string                       `json:"Resource"`
	Condition map[string]map[string]string `json:"Condition,omitempty"`
}

type addPermissionInput struct {
	StatementID   string `json:"StatementId"`
	Action        string
	Principal     string
	SourceAccount string
	SourceArn     string
}

type addPermissionOutput struct{ Statement string }

func (s *Service) addPermission(_ context.Context, c *wire.Call, in *addPermissionInput) (*addPermissionOutput, error) {
	f, arn, err := s.resolve(routeOf(c.HTTP).function, c.HTTP.URL.Query().Get("Qualifier"))
	if err != nil {
		return nil, err
	}
	if in.StatementID == "" || in.Action == "" || in.Principal == "" {
		return nil, &wire.Error{Code: "ValidationException", Message: "3 members must not be null: statementId, action, principal"}
	}
	st := statement{ID: in.StatementID, Effect: "Allow", Action: in.Action, Resource: arn, Principal: map[string]string{"AWS": in.Principal}}
	if strings.HasSuffix(in.Principal, ".amazonaws.com") {
		st.Principal = map[string]string{"Service": in.Principal}
	}
	condition := map[string]map[string]string{}
	if in.SourceAccount != "" {
		condition["StringEquals"] = map[string]string{"AWS:SourceAccount": in.SourceAccount}
	}
	if in.SourceArn != "" {
		condition["ArnLike"] = map[string]string{"AWS:SourceArn": in.SourceArn}
	}
	if len(condition) > 0 {
		st.Condition = condition
	}
	text, err := json.Marshal(st)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.ContainsFunc(f.policy, func(o statement) bool { return o.ID == st.ID }) {
		return nil, &wire.Error{Code: "ResourceConflictException", Message: "The statement id (" + st.ID + ") provided already exists. Please provide a new statement id, or remove the existing statement.", Status: http.StatusConflict}
	}
	f.policy = append(f.policy, st)
	return &addPermissionOutput{string(text)}, nil
}

// AllowsSecretsManager reports whether Secrets Manager may invoke the function,
// a name or an ARN, on behalf of the secret with that ARN: there is such a
// function, and a statement of its policy lets secretsmanager.amazonaws.com in.
// A function without a policy is let in too, where AWS would refuse: a first
// try needs one step less here. So is one that came by [Service.Register].
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotating-secrets-required-permissions-function.html
func (s *Service) AllowsSecretsManager(function, secret string) bool {
	f, arn, err := s.resolve(function, "")
	if err != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return f.code == nil || len(f.policy) == 0 || slices.ContainsFunc(f.policy, func(st statement) bool {
		return st.Resource == arn && st.allows("secretsmanager.amazonaws.com", secret)
	})
}

// allows reports whether the statement lets a service invoke on behalf of a
// resource of this account.
func (st *statement) allows(service, resource string) bool {
	if st.Action != "lambda:InvokeFunction" && st.Action != "lambda:*" && st.Action != "*" {
		return false
	}
	if who, _ := st.Principal.(map[string]string); who["Service"] != service && who["AWS"] != "*" {
		return false
	}
	if account := st.Condition["StringEquals"]["AWS:SourceAccount"]; account != "" && account != wire.Account {
		return false
	}
	pattern := st.Condition["ArnLike"]["AWS:SourceArn"]
	return pattern == "" || like(pattern, resource)
}

// like matches an ARN to a pattern with * and ?.
func like(pattern, arn string) bool {
	quoted := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern))
	return regexp.MustCompile("^" + quoted + "$").MatchString(arn)
}

type getPolicyOutput struct{ Policy string }

func (s *Service) getPolicy(_ context.Context, c *wire.Call, _ *none) (*getPolicyOutput, error) {
	f, _, err := s.resolve(routeOf(c.HTTP).function, c.HTTP.URL.Query().Get("Qualifier"))
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(f.policy) == 0 {
		return nil, noPolicy()
	}
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Id": "default", "Statement": f.policy})
	return &getPolicyOutput{string(text)}, err
}

func noPolicy() error {
	return &wire.Error{Code: "ResourceNotFoundException", Message: "The resource you requested does not exist.", Status: http.StatusNotFound}
}

func (s *Service) removePermission(_ context.Context, c *wire.Call) (*wire.Reply, error) {
	r := routeOf(c.HTTP)
	f, _, err := s.resolve(r.function, c.HTTP.URL.Query().Get("Qualifier"))
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(f.policy)
	f.policy = slices.DeleteFunc(f.policy, func(st statement) bool { return st.ID == r.rest })
	if len(f.policy) == before {
		return nil, noPolicy()
	}
	return &wire.Reply{Status: http.StatusNoContent}, nil
}

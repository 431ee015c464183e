// Package organizations is the local AWS's Organizations, as far as reading the
// policies over an account goes.
//
// Operations: DescribeOrganization, ListParents, ListPolicies, ListPoliciesForTarget,
// DescribePolicy. Anything else answers NotImplemented: tests say from Go what there
// is, and no policy is applied.
package organizations

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

// Organization is what the account is in.
type Organization struct {
	ID      string            // "o-exampleorgid"
	Manager string            // management account; "": the local AWS's
	Parents map[string]string // of accounts and units, by id; the last is a root, "r-..."
	// Refuse is what a member account sees that nothing was delegated to: all but
	// DescribeOrganization is denied.
	Refuse   bool
	Policies []Policy
}

// Policy is one over accounts, units or roots.
type Policy struct {
	ID, Name string
	Type     string // "": SERVICE_CONTROL_POLICY
	Document string // JSON
	AWS      bool   // it is AWS's own
	Targets  []string
}

func (p Policy) kind() string {
	if p.Type == "" {
		return "SERVICE_CONTROL_POLICY"
	}
	return p.Type
}

// Service is a [wire.Service]. Use [New]; a Service is safe for concurrent use.
//
// API: https://docs.aws.amazon.com/organizations/latest/APIReference/
type Service struct {
	handlers map[string]wire.Handler

	mu sync.Mutex
	is *Organization // nil: there is none
}

// New returns a Service for an account that is in no organization.
func New() *Service {
	s := &Service{}
	s.handlers = map[string]wire.Handler{
		"DescribeOrganization": wire.Typed(s.describe), "ListParents": wire.Typed(s.parents), "ListPolicies": wire.Typed(s.list),
		"ListPoliciesForTarget": wire.Typed(s.list), "DescribePolicy": wire.Typed(s.policy),
	}
	return s
}

// Set says what the account is in. It is not to be changed afterwards.
func (s *Service) Set(o Organization) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.Manager == "" {
		o.Manager = wire.Account
	}
	s.is = &o
}

// Operation implements [wire.Service].
func (*Service) Operation(r *http.Request, _ []byte) string {
	return wire.Target(r, "AWSOrganizationsV20161128")
}

// Serve implements [wire.Service].
func (s *Service) Serve(ctx context.Context, c *wire.Call) (*wire.Reply, error) {
	h, ok := s.handlers[c.Operation]
	s.mu.Lock()
	is := s.is
	s.mu.Unlock()
	switch {
	case !ok:
		return nil, wire.NotImplemented(c)
	case is == nil:
		return nil, fail("AWSOrganizationsNotInUseException", "Your account is not a member of an organization.")
	case is.Refuse && c.Operation != "DescribeOrganization":
		return nil, fail("AccessDeniedException", "You don't have permissions to access this resource.")
	}
	return h(ctx, c)
}

// Fail implements [wire.Service].
func (*Service) Fail(_ *wire.Call, err *wire.Error) *wire.Reply { return wire.FailJSON(err) }

func fail(code, message string) error { return &wire.Error{Code: code, Message: message} }

type empty struct{}

type description struct {
	ID            string `json:"Id"`
	Arn           string
	FeatureSet    string
	MasterAccount string `json:"MasterAccountId"`
	MasterArn     string `json:"MasterAccountArn"`
}

type describeOutput struct{ Organization description }

func (s *Service) describe(context.Context, *wire.Call, *empty) (*describeOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &describeOutput{description{
		ID: s.is.ID, Arn: s.arn("organization/" + s.is.ID), FeatureSet: "ALL", MasterAccount: s.is.Manager,
		MasterArn: s.arn("account/" + s.is.ID + "/" + s.is.Manager),
	}}, nil
}

// arn is of something of the organization; s.mu is held.
func (s *Service) arn(rest string) string {
	return "arn:aws:organizations::" + s.is.Manager + ":" + rest
}

type childInput struct {
	ChildID string `json:"ChildId"`
}

type parent struct {
	ID   string `json:"Id"`
	Type string
}

type parentsOutput struct{ Parents []parent }

// https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListParents.html
func (s *Service) parents(_ context.Context, _ *wire.Call, in *childInput) (*parentsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, ok := s.is.Parents[in.ChildID]
	if !ok {
		return nil, fail("ChildNotFoundException", "You specified a child that doesn't exist.")
	}
	kind := "ORGANIZATIONAL_UNIT"
	if len(id) > 1 && id[:2] == "r-" {
		kind = "ROOT"
	}
	return &parentsOutput{[]parent{{id, kind}}}, nil
}

type listInput struct {
	TargetID   string `json:"TargetId"`
	Filter     string
	MaxResults int
	NextToken  string
}

type summary struct {
	ID         string `json:"Id"`
	Arn        string
	Name       string
	Type       string
	AwsManaged bool
}

type listOutput struct {
	Policies  []summary
	NextToken string `json:",omitempty"`
}

func (s *Service) summary(p Policy) summary {
	of := s.arn("policy/" + s.is.ID + "/" + p.ID)
	if p.AWS {
		of = "arn:aws:organizations::aws:policy/" + p.ID
	}
	return summary{p.ID, of, p.Name, p.kind(), p.AWS}
}

// list is ListPolicies, and with a target ListPoliciesForTarget.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListPoliciesForTarget.html
func (s *Service) list(_ context.Context, c *wire.Call, in *listInput) (*listOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, err := strconv.Atoi("0" + in.NextToken)
	most := 20
	if in.MaxResults != 0 {
		most = in.MaxResults
	}
	switch {
	case in.Filter == "" || err != nil || most < 1 || most > 20:
		return nil, fail("InvalidInputException", "You specified an invalid value.")
	case c.Operation == "ListPoliciesForTarget" && !s.known(in.TargetID):
		return nil, fail("TargetNotFoundException", "You specified a target that doesn't exist.")
	}
	all := []summary{}
	for _, p := range s.is.Policies {
		if p.kind() == in.Filter && (c.Operation == "ListPolicies" || slices.Contains(p.Targets, in.TargetID)) {
			all = append(all, s.summary(p))
		}
	}
	from = min(from, len(all))
	out := &listOutput{Policies: all[from:min(from+most, len(all))]}
	if from+most < len(all) {
		out.NextToken = strconv.Itoa(from + most)
	}
	return out, nil
}

// known reports whether there is an account, unit or root; s.mu is held.
func (s *Service) known(id string) bool {
	for child, parent := range s.is.Parents {
		if id == child || id == parent {
			return true
		}
	}
	return false
}

type policyInput struct {
	PolicyID string `json:"PolicyId"`
}

type policyOutput struct {
	Policy struct {
		PolicySummary summary
		Content       string
	}
}

// https://docs.aws.amazon.com/organizations/latest/APIReference/API_DescribePolicy.html
func (s *Service) policy(_ context.Context, _ *wire.Call, in *policyInput) (*policyOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.is.Policies, func(p Policy) bool { return p.ID == in.PolicyID })
	if i < 0 {
		return nil, fail("PolicyNotFoundException", "You specified a policy that doesn't exist.")
	}
	out := &policyOutput{}
	out.Policy.PolicySummary, out.Policy.Content = s.summary(s.is.Policies[i]), s.is.Policies[i].Document
	return out, nil
}

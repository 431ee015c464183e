package secretsmanager

import (
	"context"
	"encoding/json"
	"slices"
)

type policyInput struct {
	SecretID          string `json:"SecretId"`
	ResourcePolicy    string
	BlockPublicPolicy bool
}

func putPolicy(_ context.Context, s *Service, in *policyInput) (any, error) {
	sec, err := s.get(in.SecretID)
	if err != nil {
		return nil, err
	}
	public, err := readPolicy(in.ResourcePolicy)
	if err != nil {
		return nil, err
	}
	if public && in.BlockPublicPolicy {
		return nil, fail("PublicPolicyException", "This resource policy grants broad access to the secret. Remove the public access or set BlockPublicPolicy to false.")
	}
	s.write(sec)
	sec.policy = in.ResourcePolicy
	return identity{ARN: sec.arn, Name: sec.name}, nil
}

func getPolicy(ctx context.Context, s *Service, in *idInput) (any, error) {
	sec, live, err := s.view(ctx, in.SecretID)
	if err != nil {
		return nil, err
	}
	if !live.deleted.IsZero() {
		return nil, marked()
	}
	return struct {
		ARN, Name      string
		ResourcePolicy string `json:",omitempty"`
	}{sec.arn, sec.name, sec.policy}, nil
}

func deletePolicy(_ context.Context, s *Service, in *idInput) (any, error) {
	sec, err := s.get(in.SecretID)
	if err != nil {
		return nil, err
	}
	s.write(sec)
	sec.policy = ""
	return identity{ARN: sec.arn, Name: sec.name}, nil
}

type validationError struct{ CheckName, ErrorMessage string }

func validatePolicy(_ context.Context, s *Service, in *policyInput) (any, error) {
	if in.SecretID != "" {
		if _, err := s.getAny(in.SecretID); err != nil {
			return nil, err
		}
	}
	public, err := readPolicy(in.ResourcePolicy)
	if err != nil {
		return nil, err
	}
	problems := []validationError{}
	if public {
		problems = append(problems, validationError{"PublicPolicyCheck", "The resource policy grants broad access to the secret."})
	}
	return struct {
		PolicyValidationPassed bool
		ValidationErrors       []validationError
	}{len(problems) == 0, problems}, nil
}

type statement struct {
	Effect    string
	Principal json.RawMessage
	Action    json.RawMessage
	NotAction json.RawMessage
	Condition map[string]json.RawMessage
}

// readPolicy checks a policy's form, and reports whether a statement of it
// lets everybody in. AWS decides that by reasoning; this looks for an Allow
// for "*" without a condition.
func readPolicy(text string) (public bool, err error) {
	malformed := fail("MalformedPolicyDocumentException", "This policy has invalid syntax.")
	var doc struct {
		Version   string
		Statement json.RawMessage
	}
	if json.Unmarshal([]byte(text), &doc) != nil || len(doc.Statement) == 0 {
		return false, malformed
	}
	var all []statement
	if json.Unmarshal(doc.Statement, &all) != nil {
		var one statement
		if json.Unmarshal(doc.Statement, &one) != nil {
			return false, malformed
		}
		all = []statement{one}
	}
	for _, st := range all {
		if (st.Effect != "Allow" && st.Effect != "Deny") || (len(st.Action) == 0 && len(st.NotAction) == 0) || len(st.Principal) == 0 {
			return false, fail("MalformedPolicyDocumentException", "This policy has invalid syntax.")
		}
		public = public || st.Effect == "Allow" && len(st.Condition) == 0 && everybody(st.Principal)
	}
	return public, nil
}

func everybody(principal json.RawMessage) bool {
	var found func(v any) bool
	found = func(v any) bool {
		switch v := v.(type) {
		case string:
			return v == "*"
		case []any:
			return slices.ContainsFunc(v, found)
		case map[string]any:
			return found(v["AWS"])
		}
		return false
	}
	var v any
	return json.Unmarshal(principal, &v) == nil && found(v)
}

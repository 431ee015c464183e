package detect

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/shared/trail"
)

// functionChanged is R-04: somebody but the deployer changed one of our functions,
// or who may call it, or gave a role of ours to something else. All of these run
// foreign code with our rights. CloudTrail has no event for iam:PassRole: it shows
// as a parameter of the call that the role was passed to.
//
// False positives: a deployment by hand, or by a role that the site does not know
// as a deployer.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
func functionChanged() Rule {
	return Rule{
		ID: "R-04", Title: "a function of ours was changed by a stranger", Severity: Critical, Technique: "T1648", Default: true, Ours: true,
		Next: "deploy again from the repository, revoke the caller's sessions, and rotate the keys that the function may read",
		See: func(s *Site, c *Call) []Finding {
			if c.ReadOnly || c.Manager() || matches(s.Deployers, c.Who) {
				return nil
			}
			why := changed(s, c)
			if why == "" {
				return nil
			}
			f := c.Finding(why)
			if c.Result != trail.Succeeded {
				f.Severity = High
			}
			return one(f)
		},
	}
}

// changed says what the call changed, or "".
func changed(s *Site, c *Call) string {
	changes := []string{"UpdateFunctionCode", "UpdateFunctionConfiguration", "AddPermission", "PublishLayerVersion", "CreateFunctionUrlConfig", "PutFunctionEventInvokeConfig", "UpdateAlias", "DeleteFunction", "RemovePermission"}
	if c.Source == "lambda.amazonaws.com" && slices.Contains(changes, apiName(c.Name)) {
		if name := functionName(c); slices.Contains(s.Functions, name) {
			return fmt.Sprintf("%s on %s by a caller that is no deployer", apiName(c.Name), name)
		}
	}
	if role := passed(s, c); role != "" {
		return fmt.Sprintf("%s was passed in %s", role, apiName(c.Name))
	}
	return ""
}

// apiName leaves out the version that Lambda's older calls have in their names:
// UpdateFunctionCode20150331v2.
func apiName(name string) string {
	if i := strings.IndexAny(name, "0123456789"); i > 0 {
		return name[:i]
	}
	return name
}

// functionName is the function that a call names, by name or ARN, with or
// without an alias.
func functionName(c *Call) string {
	var q struct {
		Name string `json:"functionName"`
	}
	if c.RequestFields(&q) != nil {
		return ""
	}
	if _, after, ok := strings.Cut(q.Name, ":function:"); ok {
		q.Name = after
	}
	name, _, _ := strings.Cut(q.Name, ":")
	return name
}

// passed returns the role of ours that a call hands to a service, or "".
func passed(s *Site, c *Call) string {
	switch c.Source {
	case "iam.amazonaws.com", "sts.amazonaws.com", trail.KMS:
		return "" // they speak of roles without passing one
	}
	for _, role := range s.Roles {
		if role = strings.TrimSuffix(role, "*"); role != "" && bytes.Contains(c.Request, []byte(role)) {
			return role
		}
	}
	return ""
}

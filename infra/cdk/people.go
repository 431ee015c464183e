package cdk

import (
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/keyturn/keyturn/infra/access"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// PeopleProps configure [People].
type PeopleProps struct {
	// File is the whole configuration.
	File *keysfile.File `field:"required"`
}

// People are the managed policies of the people who work with an installation:
// NAME-viewer and the others of [access.People]. Each is attached to the roles
// and users that the file lists for it, as far as CloudFormation can: roles of
// Identity Center and of other accounts are in the outputs instead, with what to
// do.
type People interface {
	constructs.Construct
	// Policy returns the ARN of a role's policy, such as that of "operator".
	Policy(role string) *string
}

type people struct {
	constructs.Construct
	at       place
	policies map[string]awsiam.CfnManagedPolicy
}

// ToString makes a *people a construct to the CDK.
func (p *people) ToString() *string { return text("People(%s)", p.at.name) }

func (p *people) Policy(role string) *string { return p.policies[role].AttrPolicyArn() }

// NewPeople adds the managed policies.
func NewPeople(scope constructs.Construct, id *string, props *PeopleProps) People {
	need("PeopleProps", "File", props == nil || props.File == nil)
	this := &people{at: placeOf(scope, props.File), policies: map[string]awsiam.CfnManagedPolicy{}}
	constructs.NewConstruct_Override(this, scope, id)
	mark(this, props.File)
	s := siteOf(this, props.File)
	a := props.File.Access
	all := map[string]struct {
		listed []string
		can    string
	}{
		"viewer": {a.Viewers, "see states, and no values"}, "operator": {a.Operators, "rotate, plan, pause and adopt"},
		"responder": {a.Responders, "act in an emergency, and go back"}, "approver": {a.Approvers, "approve what needs a second person"},
		"auditor": {a.Auditors, "read the records and every policy"}, "admin": {a.Admins, "store admin credentials, and read none"},
	}
	for _, role := range access.People() { // in one order, so that templates do not change by themselves
		who, ok := all[role]
		need("People", role, !ok)
		this.add(s, role, who.can, who.listed)
	}
	return this
}

func (p *people) add(s site, role, can string, listed []string) {
	name := p.at.name + "-" + role
	here, elsewhere := p.split(listed)
	props := &awsiam.CfnManagedPolicyProps{
		ManagedPolicyName: &name, Description: text("Keyturn: %ss may %s", role, can), PolicyDocument: plain(s.policy(s.Person(role))),
	}
	if r := here["role"]; len(r) > 0 {
		props.Roles = anys(r)
	}
	if u := here["user"]; len(u) > 0 {
		props.Users = anys(u)
	}
	policy := awsiam.NewCfnManagedPolicy(p, text("Policy-%s", role), props)
	p.policies[role] = policy
	for _, w := range []struct{ pattern, reason string }{
		{`^Resource::\*$`, "They list and describe, or stop a query of logs; what there is, is known only when it is listed. None returns a value."},
		{`^Resource::.*:secret:\*$`, "Descriptions of secrets, for states and schedules; none returns a value."},
		{`^Resource::.*:log-group:\/aws\/lambda\/[^:]*-\*$`, "One log group for each function of the installation."},
		{`^Resource::.*:function:[^:]*-(rotate|retire)-\*$`, "One function for each vendor account, named by it."},
		{`^Resource::arn:.*:s3:::[^\/]*-ledger-[^\/]*\/(review\/)?\*$`, "Objects of the ledger, to verify it, and reviews."},
		{`^Resource::.*:kms:.*:key\/\*$`, "The public key of the ledger, by its alias: its id is not known beforehand."},
		{`^Resource::.*:sso\.amazonaws\.com.*$`, "Roles of Identity Center have a suffix that nobody chooses."},
	} {
		suppress(policy, nagWildcard, w.reason, w.pattern)
	}
	if len(elsewhere) > 0 {
		awscdk.NewCfnOutput(p, text("Attach-%s", role), &awscdk.CfnOutputProps{
			Value: &name,
			Description: text("%.1000s", "Give this managed policy by its name to the permission set or, with a policy of the same content, in the account of: "+
				strings.Join(elsewhere, ", ")),
		})
	}
}

// split parts those whom a policy of this account can be attached to, by "role"
// and "user", from those whom it cannot. A stack that does not know its account
// attaches nothing.
func (p *people) split(listed []string) (here map[string][]string, elsewhere []string) {
	here = map[string][]string{}
	for _, arn := range listed {
		kind, path, _ := strings.Cut(arn[strings.LastIndex(arn, ":")+1:], "/")
		name := path[strings.LastIndex(path, "/")+1:]
		if strings.Split(arn, ":")[4] != p.at.account || strings.HasPrefix(name, "AWSReservedSSO_") {
			elsewhere = append(elsewhere, arn)
			continue
		}
		here[kind] = append(here[kind], name)
	}
	for kind := range here {
		slices.Sort(here[kind])
		here[kind] = slices.Compact(here[kind])
	}
	slices.Sort(elsewhere)
	return here, slices.Compact(elsewhere)
}

func anys[T any](list []T) *[]any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
	}
	return &out
}

// mark tags all that is below a construct with its installation and its owner,
// where it does not say another.
func mark(scope constructs.Construct, file *keysfile.File) {
	// Less than that of tags which a resource is given itself.
	props := &awscdk.TagProps{Priority: jsii.Number(10)}
	awscdk.Tags_Of(scope).Add(jsii.String(TagInstallation), jsii.String(placeOf(scope, file).name), props)
	if owner := file.Defaults.Owner; owner != "" {
		awscdk.Tags_Of(scope).Add(jsii.String(TagOwner), &owner, props)
	}
}

package preflight

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
)

var regionForm = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+){1,3}-[0-9]{1,2}$`)

// maxNobodies are told one by one.
const maxNobodies = 20

// identities looks whether the roles and users of the file exist, in this
// account, and whether a Region has a role of ours and no replicas any more.
func (p *Preflight) identities(ctx context.Context) []Check {
	const subject = "roles and users"
	uses := p.named()
	there, err := p.there(ctx, slices.ContainsFunc(slices.Collect(maps.Keys(uses)), isUser))
	if err != nil {
		return []Check{unseen(subject, err)}
	}
	all := p.leftRegions(there)
	gone := 0
	for _, arn := range slices.Sorted(maps.Keys(uses)) {
		if there[arn] {
			continue
		}
		if gone++; gone <= maxNobodies {
			all = append(all, uses[arn].nobody(arn, there))
		}
	}
	switch {
	case gone > maxNobodies:
		all = append(all, missing(subject, fmt.Sprintf("%d more do not exist", gone-maxNobodies), "mend these first, and look again"))
	case gone == 0 && len(uses) > 0:
		all = append(all, ok(subject, "all %d that the file names exist", len(uses)))
	}
	return all
}

// use is for what the file names somebody.
type use struct {
	of     []string // such as "readers of prod/mailer"
	needed bool     // a template names them: AWS refuses it
}

// named are the roles and users of this account. Whether those of others exist
// cannot be seen.
func (p *Preflight) named() map[string]use {
	all := map[string]use{}
	add := func(of string, needed bool, arns []string) {
		for _, arn := range arns {
			if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 && parts[4] == p.place.Account {
				u := all[arn]
				all[arn] = use{append(u.of, of), u.needed || needed}
			}
		}
	}
	for _, k := range p.file.Keys {
		add("readers of "+k.Name, true, k.Readers)
	}
	a := p.file.Access
	for _, l := range []struct {
		name   string
		arns   []string
		needed bool
	}{
		{"viewers", a.Viewers, true},
		{"operators", a.Operators, true},
		{"responders", a.Responders, true},
		{"approvers", a.Approvers, true},
		{"auditors", a.Auditors, true},
		{"admins", a.Admins, true},
		{"breakGlass", a.BreakGlass, false},
		{"deployers", a.Deployers, false},
	} {
		attached := func(arn string) bool { return l.needed && !strings.Contains(arn, ":role/aws-reserved/") }
		for _, arn := range l.arns {
			add("access."+l.name, attached(arn), []string{arn})
		}
	}
	return all
}

func isUser(arn string) bool { return strings.Contains(arn, ":user/") }

// there are the account's roles, and its users if they are asked for. One list
// costs less than a call for each.
func (p *Preflight) there(ctx context.Context, users bool) (map[string]bool, error) {
	all := map[string]bool{}
	roles := iam.NewListRolesPaginator(p.identity, &iam.ListRolesInput{MaxItems: aws.Int32(1000)})
	for roles.HasMorePages() {
		page, err := roles.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range page.Roles {
			all[aws.ToString(r.Arn)] = true
		}
	}
	if !users {
		return all, nil
	}
	pages := iam.NewListUsersPaginator(p.identity, &iam.ListUsersInput{MaxItems: aws.Int32(1000)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, u := range page.Users {
			all[aws.ToString(u.Arn)] = true
		}
	}
	return all, nil
}

// nobody is said of who does not exist. A policy of a secret that names them is
// refused ("unsupported principal"), and so is a policy that is to be attached
// to them: the deployment would stop half-way.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
func (u use) nobody(arn string, there map[string]bool) Check {
	kind := "role"
	if isUser(arn) {
		kind = "user"
	}
	of := u.of
	if len(of) > 3 {
		of = append(slices.Clone(of[:3]), fmt.Sprintf("%d more", len(u.of)-3))
	}
	next := []string{"make the " + kind + " first, or correct its ARN in the keys' file"}
	if like := alike(arn, there); like != "" {
		next = []string{"write " + like + " in the keys' file, if that is meant"}
	}
	what := "there is no such " + kind + " in the account; named in " + strings.Join(of, ", ")
	if !u.needed {
		return warning(kind+" "+arn, what, next...)
	}
	return missing(kind+" "+arn, what+": AWS refuses policies of somebody who does not exist, and the deployment would fail", next...)
}

// alike returns who has the same name, with another path or other capitals; ""
// if nobody has.
func alike(arn string, there map[string]bool) string {
	kind, name := nameOf(arn)
	for _, other := range slices.Sorted(maps.Keys(there)) {
		if k, n := nameOf(other); k == kind && strings.EqualFold(n, name) {
			return other
		}
	}
	return ""
}

func nameOf(arn string) (kind, name string) {
	resource := arn[strings.LastIndexByte(arn, ':')+1:]
	kind, _, _ = strings.Cut(resource, "/")
	return kind, resource[strings.LastIndexByte(resource, '/')+1:]
}

// leftRegions tells of Regions that were taken out of replicas. The CDK's command
// leaves their stacks alone, for the app does not name them any more; each has a
// role, and roles are of the whole account.
func (p *Preflight) leftRegions(there map[string]bool) (all []Check) {
	var replicas []string
	for _, e := range p.file.Environments {
		if e.Account == p.place.Account || e.Account == "" {
			replicas = append(replicas, e.Replicas...)
		}
	}
	for _, arn := range slices.Sorted(maps.Keys(there)) {
		kind, name := nameOf(arn)
		region, ours := strings.CutPrefix(name, p.file.Functions.RolePrefix+p.file.Name+"-events-")
		if kind != "role" || !ours || !regionForm.MatchString(region) || slices.Contains(replicas, region) {
			continue
		}
		all = append(all, warning("Region "+region, "it is not in replicas any more, and its stack is still deployed and passes events on: a deployment does not remove it",
			fmt.Sprintf("deploy, so that the replicas go first; then: aws cloudformation delete-stack --region %s --stack-name %s-%s-watch", region, p.file.Name, region)))
	}
	return all
}

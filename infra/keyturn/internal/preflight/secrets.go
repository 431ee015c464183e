package preflight

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/keyturn/keyturn/infra/access"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// secretsAndAdmins looks at every secret that the file names. One list costs
// less than a call for each.
func (p *Preflight) secretsAndAdmins(ctx context.Context) []Check {
	there := map[string]types.SecretListEntry{}
	pages := sm.NewListSecretsPaginator(p.secrets, &sm.ListSecretsInput{IncludePlannedDeletion: aws.Bool(true), MaxResults: aws.Int32(100)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return []Check{unseen("secrets", err)}
		}
		for _, s := range page.SecretList {
			there[aws.ToString(s.Name)] = s
		}
	}
	all := p.admins(there)
	good, ours := 0, 0
	for _, k := range p.file.Keys {
		s, found := there[k.Name]
		c, mine := p.key(k, s, found)
		if c.Status == OK {
			good++
		} else {
			all = append(all, c)
		}
		if mine {
			ours++
		}
	}
	if good > 0 {
		all = append(all, ok("secrets", "%d of %d keys: %d deployed, %d yet to be made or taken over", good, len(p.file.Keys), ours, good-ours))
	}
	return all
}

func (p *Preflight) admins(there map[string]types.SecretListEntry) (all []Check) {
	for _, name := range slices.Sorted(maps.Keys(p.file.VendorAccounts)) {
		v := p.file.VendorAccounts[name]
		subject := "admin credential of " + name
		switch s, found := there[v.Admin]; {
		case !found && v.Admin != "" && slices.ContainsFunc(p.file.Keys, func(k keysfile.Key) bool { return k.Name == v.Admin }):
			all = append(all, missing(subject, "it is the key "+v.Admin+" itself, which must exist with a value before it is deployed", "make it at the vendor, store it in the secret, and write existing: true"))
		case !found:
			all = append(all, missing(subject, "there is no secret "+v.Admin, "keyturn admin put "+name))
		case s.DeletedDate != nil:
			all = append(all, missing(subject, "the secret "+v.Admin+" is marked for deletion", "aws secretsmanager restore-secret --secret-id "+v.Admin))
		case !hasCurrent(s.SecretVersionsToStages):
			all = append(all, missing(subject, "the secret "+v.Admin+" has no value", "keyturn admin put "+name))
		default:
			all = append(all, ok(subject, "there; whether the vendor accepts it: keyturn doctor %s", name))
		}
	}
	return all
}

// key looks at a key's secret; ours: it was made by this installation.
func (p *Preflight) key(k keysfile.Key, s types.SecretListEntry, found bool) (c Check, ours bool) {
	subject := "secret " + k.Name
	owner := tag(s.Tags, access.TagInstallation)
	switch {
	case found && s.DeletedDate != nil:
		return missing(subject, "it is marked for deletion, and its name is taken until it is gone",
			"keep it: aws secretsmanager restore-secret --secret-id "+k.Name), false
	case !found && k.Existing:
		return missing(subject, "the file says existing: true, and it does not exist", "take existing: true away, and the deployment makes it", "or correct the name"), false
	case !found:
		return ok(subject, "it will be made"), false
	case owner != "" && owner != p.file.Name:
		return missing(subject, fmt.Sprintf("it belongs to another installation, %q", owner), "take it out of the other one first", "or name another secret"), false
	case k.Existing && aws.ToBool(s.RotationEnabled) && !strings.Contains(aws.ToString(s.RotationLambdaARN), ":function:"+p.file.Name+"-rotate-"):
		return warning(subject, "another function rotates it now, and the deployment puts ours in its place", "turn that rotation off first, and see that nothing of it is under way: aws secretsmanager cancel-rotate-secret --secret-id "+k.Name), false
	case k.Existing && !hasCurrent(s.SecretVersionsToStages):
		return missing(subject, "it exists and has no value to take over", "put the key's present value into it", "or take existing: true away and delete the empty secret"), false
	case owner == "" && !k.Existing:
		return missing(subject, "it exists, and is not ours: the deployment would fail, for it makes a secret of this name",
			"take it over: write existing: true, deploy, and then: keyturn adopt "+k.Name, "or name another secret"), false
	case owner == p.file.Name && !k.Existing && hasCurrent(s.SecretVersionsToStages) && !aws.ToBool(s.RotationEnabled):
		// Of ListSecrets it cannot be told whether a stack has it.
		return warning(subject, "it was made by this installation and has a value, and nothing rotates it: if it was out of the file, or make destroy left it, the deployment fails, for it would make it again",
			"if no stack has it, write existing: true: aws cloudformation describe-stack-resources --physical-resource-id "+aws.ToString(s.ARN),
			"if one has it, only its schedule is missing: deploy"), true
	}
	return ok(subject, "it exists"), owner == p.file.Name || k.Existing && strings.Contains(aws.ToString(s.RotationLambdaARN), ":function:"+p.file.Name+"-rotate-")
}

func hasCurrent(stages map[string][]string) bool {
	for _, labels := range stages {
		if slices.Contains(labels, "AWSCURRENT") {
			return true
		}
	}
	return false
}

func tag(tags []types.Tag, name string) string {
	for _, t := range tags {
		if aws.ToString(t.Key) == name {
			return aws.ToString(t.Value)
		}
	}
	return ""
}

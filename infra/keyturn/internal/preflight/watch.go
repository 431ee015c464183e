package preflight

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/keyturn/keyturn/infra/access"
	"github.com/keyturn/keyturn/shared/awserror"
)

const deployAgain = "deploy again: what was changed by hand comes back"

// watch looks at what looks at every access.
func (p *Preflight) watch(ctx context.Context) []Check {
	site, err := access.New(p.file, access.Environment{Account: p.place.Account, Region: p.place.Region})
	if err != nil {
		return []Check{missing("watch", "the keys' file cannot be deployed: "+err.Error(), "see all that is wrong: keyturn validate")}
	}
	all := p.trailRules(ctx, site)
	all = append(all, p.ourKeys(ctx)...)
	if t := p.file.Audit.Trail; t != nil {
		account := t.Account
		if account == "" {
			account = p.place.Account
		}
		all = append(all, p.bucket(ctx, "trail's bucket", t.Bucket, account, "trail-bucket"))
	}
	if c := p.file.Audit.Checkpoints; c != nil {
		all = append(all, p.bucket(ctx, "bucket of checkpoints", c.Bucket, "", "checkpoint-bucket"))
	}
	return append(all, p.global()...)
}

// trailRules looks whether the rules let what only reads through: the console shows
// a rule in state ENABLED as well, and such a rule sees no read at all.
func (p *Preflight) trailRules(ctx context.Context, site *access.Site) (all []Check) {
	const subject = "rules of the watch"
	var gone []string
	names := site.TrailRules()
	for _, name := range names {
		out, err := p.rules.DescribeRule(ctx, &eventbridge.DescribeRuleInput{Name: &name})
		switch {
		case awserror.Code(err) == "ResourceNotFoundException":
			gone = append(gone, name)
		case err != nil:
			return []Check{unseen(subject, err)}
		case out.State == types.RuleStateDisabled:
			all = append(all, missing("rule "+name, "it is disabled, and sees nothing", deployAgain))
		case out.State != types.RuleStateEnabledWithAllCloudtrailManagementEvents:
			all = append(all, missing("rule "+name, fmt.Sprintf("its state is %s: nobody's reads are seen", out.State), deployAgain))
		}
	}
	switch {
	case len(gone) == len(names):
		return []Check{ok(subject, "not deployed yet")}
	case len(gone) > 0:
		all = append(all, missing(subject, "gone: "+strings.Join(gone, ", "), deployAgain))
	case len(all) == 0:
		return []Check{ok(subject, "all %d see every management event that a trail logs", len(names))}
	}
	return all
}

// ourKeys looks at the encryption keys: without one of them nothing goes on.
func (p *Preflight) ourKeys(ctx context.Context) (all []Check) {
	const subject = "encryption keys"
	found := 0
	for _, purpose := range []string{"data", "ledger", "secrets", "topics"} {
		alias := "alias/" + p.file.Name + "-" + purpose
		out, err := p.keys.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &alias})
		switch {
		case awserror.Code(err) == "NotFoundException":
		case err != nil || out.KeyMetadata == nil:
			return []Check{unseen(subject, err)}
		case out.KeyMetadata.KeyState != kmstypes.KeyStateEnabled:
			found++
			all = append(all, missing("key "+alias, fmt.Sprintf("its state is %s", out.KeyMetadata.KeyState), "see docs/runbooks/kms-key-disabled.md"))
		default:
			found++
		}
	}
	switch {
	case found == 0:
		return []Check{ok(subject, "not deployed yet")}
	case len(all) == 0:
		return []Check{ok(subject, "%d, all of them enabled", found)}
	}
	return all
}

// bucket looks whether a bucket is there; owner is "" if it is not known. What
// somebody else's lets the audit function do, only that function can find out.
func (p *Preflight) bucket(ctx context.Context, subject, name, owner, add string) Check {
	in := &s3.HeadBucketInput{Bucket: &name}
	if owner != "" {
		in.ExpectedBucketOwner = &owner
	}
	_, err := p.buckets.HeadBucket(ctx, in)
	answer, answered := errors.AsType[*awshttp.ResponseError](err)
	switch {
	case err == nil:
		return ok(subject, "%s answers", name)
	case !answered:
		return unseen(subject, err)
	case answer.HTTPStatusCode() == http.StatusNotFound:
		return missing(subject, "there is no bucket "+name, "make it, or write its right name into audit")
	case answer.HTTPStatusCode() == http.StatusMovedPermanently:
		return ok(subject, "%s is there, in another Region", name)
	case answer.HTTPStatusCode() == http.StatusForbidden && owner == p.place.Account:
		return warning(subject, name+" is another account's, or you may not see it", "check audit.trail.account", "take the rights of: keyturn permissions deploy")
	case answer.HTTPStatusCode() == http.StatusForbidden:
		return ok(subject, "%s is there, and does not let you look: whether it lets the audit function in, the alarm %s-reconcile tells. Its owner adds: keyturn permissions %s", name, p.file.Name, add)
	}
	return unseen(subject, err)
}

// global tells what is seen late, or not at all: EventBridge gets the events of
// services without a Region in one Region alone, and LookupEvents is asked in ours.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
func (p *Preflight) global() (all []Check) {
	const subject = "events of IAM"
	home := access.GlobalRegion(p.place.Region)
	switch {
	case home == p.place.Region:
		all = append(all, ok(subject, "they come to this Region"))
	case p.file.Audit.Trail != nil:
		all = append(all, ok(subject, "they come to %s alone: that somebody changes a role of ours is seen by the hourly comparison with the trail's files, not within minutes", home))
	default:
		all = append(all, warning(subject, "they come to "+home+" alone: that somebody changes a role of ours is seen by nobody", "name the trail's bucket: audit.trail, whose files have them"))
	}
	for _, region := range p.file.Environments[p.place.Environment].Replicas {
		all = append(all, warning("replicas in "+region, "who reads a replica there is not seen", "read the trail's own files for it, or let programs read in "+p.place.Region))
	}
	return all
}

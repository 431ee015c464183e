package preflight

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
)

const (
	secretsSource = "secretsmanager.amazonaws.com"
	keysSource    = "kms.amazonaws.com"
)

// trail looks for a trail by which EventBridge gets the events of Secrets
// Manager, such as RotationFailed: it passes on what a trail logs.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
func (p *Preflight) trail(ctx context.Context) []Check {
	const subject = "CloudTrail"
	out, err := p.trails.DescribeTrails(ctx, &cloudtrail.DescribeTrailsInput{IncludeShadowTrails: aws.Bool(true)})
	if err != nil {
		return []Check{unseen(subject, err)}
	}
	const do = "make a trail of all Regions that logs management events: aws cloudtrail create-trail --is-multi-region-trail, and start-logging"
	if len(out.TrailList) == 0 {
		return []Check{missing(subject, "no trail logs management events here, so a failed rotation raises no event and no alarm", do)}
	}
	var reasons, doubts []string
	var unsure error
	reads, keys := false, false
	found := ""
	for _, t := range out.TrailList {
		name := aws.ToString(t.Name)
		l, err := p.logs(ctx, t)
		switch {
		case err != nil:
			unsure = err
		case l.why != "":
			reasons = append(reasons, name+" "+l.why)
		default:
			if found == "" || !reads && l.reads {
				found = name
			}
			reads, keys = reads || l.reads, keys || l.keys
			doubts = append(doubts, l.doubts...)
		}
	}
	switch {
	case found == "" && unsure != nil:
		return []Check{unseen(subject, unsure)}
	case found == "":
		return []Check{missing(subject, "no trail logs management events of Secrets Manager here: "+strings.Join(reasons, "; "), do)}
	}
	return append([]Check{ok(subject, "the trail %s logs management events", found)}, trailDoubts(subject, reads, keys, doubts)...)
}

// trailDoubts are what is not well with trails that log.
func trailDoubts(subject string, reads, keys bool, doubts []string) (all []Check) {
	if !reads {
		all = append(all, warning(subject, "no trail logs reading, so who reads a value cannot be told from it", "let a trail log all management events, not writing only"))
	}
	if !keys {
		all = append(all, warning(subject, "no trail logs KMS, so a key that is disabled or opened to others is seen by nobody", "let a trail log management events of kms.amazonaws.com too"))
	}
	for _, d := range doubts {
		all = append(all, warning(subject, d, "look at the bucket and its policy: events still reach EventBridge, and the trail's files are lost"))
	}
	return all
}

// logging is what a trail logs of Secrets Manager.
type logging struct {
	why    string   // it does not; "": it does
	reads  bool     // reading too
	keys   bool     // and writing of KMS
	doubts []string // what is not well
}

func (p *Preflight) logs(ctx context.Context, t types.Trail) (l logging, err error) {
	name, arn := aws.ToString(t.Name), t.TrailARN
	if !aws.ToBool(t.IsMultiRegionTrail) && aws.ToString(t.HomeRegion) != p.place.Region {
		return logging{why: "is of " + aws.ToString(t.HomeRegion) + " only"}, nil
	}
	status, err := p.trails.GetTrailStatus(ctx, &cloudtrail.GetTrailStatusInput{Name: arn})
	if err != nil {
		return l, err
	}
	if !aws.ToBool(status.IsLogging) {
		return logging{why: "is stopped"}, nil
	}
	s, err := p.trails.GetEventSelectors(ctx, &cloudtrail.GetEventSelectorsInput{TrailName: arn})
	if err != nil {
		return l, err
	}
	writes, reads := selected(s, secretsSource)
	if !writes {
		return logging{why: "leaves them out"}, nil
	}
	l.reads = reads
	l.keys, _ = selected(s, keysSource)
	if e := aws.ToString(status.LatestDeliveryError); e != "" {
		l.doubts = append(l.doubts, fmt.Sprintf("the trail %s could not deliver to its bucket lately: %s", name, e))
	}
	return l, nil
}

// selected reports what selectors let through of a service's management events.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-management-events-with-cloudtrail.html
func selected(s *cloudtrail.GetEventSelectorsOutput, source string) (writes, reads bool) {
	for _, b := range s.EventSelectors {
		if aws.ToBool(b.IncludeManagementEvents) && !slices.Contains(b.ExcludeManagementEventSources, source) {
			writes = writes || b.ReadWriteType != types.ReadWriteTypeReadOnly
			reads = reads || b.ReadWriteType != types.ReadWriteTypeWriteOnly
		}
	}
	for _, a := range s.AdvancedEventSelectors {
		if !allows(a, "eventCategory", "Management") || !named(a, "eventCategory") || !allows(a, "eventSource", source) {
			continue
		}
		writes = writes || allows(a, "readOnly", "false")
		reads = reads || allows(a, "readOnly", "true")
	}
	return writes, reads
}

func named(a types.AdvancedEventSelector, field string) bool {
	return slices.ContainsFunc(a.FieldSelectors, func(f types.AdvancedFieldSelector) bool { return aws.ToString(f.Field) == field })
}

// allows reports whether no condition on the field refuses the value.
func allows(a types.AdvancedEventSelector, field, value string) bool {
	for _, f := range a.FieldSelectors {
		if aws.ToString(f.Field) != field {
			continue
		}
		has := func(all []string, match func(s, part string) bool) bool {
			return slices.ContainsFunc(all, func(part string) bool { return match(value, part) })
		}
		equal := func(s, part string) bool { return s == part }
		if f.Equals != nil && !has(f.Equals, equal) || f.StartsWith != nil && !has(f.StartsWith, strings.HasPrefix) || f.EndsWith != nil && !has(f.EndsWith, strings.HasSuffix) ||
			has(f.NotEquals, equal) || has(f.NotStartsWith, strings.HasPrefix) || has(f.NotEndsWith, strings.HasSuffix) {
			return false
		}
	}
	return true
}

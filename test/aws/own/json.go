package own

import (
	"context"
	"strings"
)

// pages calls a list until it has no next page; get keeps a page, and returns
// the token of the next.
func pages[Page any](ctx context.Context, s *Sweeper, service, target, tokenName string, in map[string]any, get func(Page) string) error {
	for {
		var page Page
		if err := JSON(ctx, s.Config, service, target, in, &page); err != nil {
			return err
		}
		next := get(page)
		if next == "" {
			return nil
		}
		in[tokenName] = next
	}
}

// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogGroups.html
func (s *Sweeper) logGroups(ctx context.Context) (all []Resource, err error) {
	type page struct {
		LogGroups []struct{ LogGroupName, LogGroupArn string }
		NextToken string
	}
	var groups []Resource
	err = pages(ctx, s, "logs", "Logs_20140328.DescribeLogGroups", "nextToken", map[string]any{"logGroupNamePrefix": "/aws/lambda/" + prefix}, func(p page) string {
		for _, g := range p.LogGroups {
			groups = append(groups, Resource{Kind: "log group", Name: strings.TrimPrefix(g.LogGroupName, "/aws/lambda/"), ID: g.LogGroupArn})
		}
		return p.NextToken
	})
	for _, g := range groups {
		var out struct{ Tags map[string]string }
		if err := JSON(ctx, s.Config, "logs", "Logs_20140328.ListTagsForResource", map[string]any{"resourceArn": g.ID}, &out); err != nil {
			return nil, err
		}
		g.Tags = out.Tags
		all = append(all, g)
	}
	return all, err
}

func (s *Sweeper) removeLogGroup(ctx context.Context, r Resource) error {
	return JSON(ctx, s.Config, "logs", "Logs_20140328.DeleteLogGroup", map[string]any{"logGroupName": "/aws/lambda/" + r.Name}, nil)
}

// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListRules.html
func (s *Sweeper) rules(ctx context.Context) (all []Resource, err error) {
	type page struct {
		Rules     []struct{ Name, Arn string }
		NextToken string
	}
	var rules []Resource
	err = pages(ctx, s, "events", "AWSEvents.ListRules", "NextToken", map[string]any{"NamePrefix": prefix}, func(p page) string {
		for _, r := range p.Rules {
			rules = append(rules, Resource{Kind: "rule", Name: r.Name, ID: r.Arn})
		}
		return p.NextToken
	})
	for _, r := range rules {
		var out struct{ Tags []xmlTag }
		if err := JSON(ctx, s.Config, "events", "AWSEvents.ListTagsForResource", map[string]any{"ResourceARN": r.ID}, &out); err != nil {
			return nil, err
		}
		r.Tags = tagMap(out.Tags)
		all = append(all, r)
	}
	return all, err
}

// removeRule takes the one target off that a test gives its rule.
func (s *Sweeper) removeRule(ctx context.Context, r Resource) error {
	if err := JSON(ctx, s.Config, "events", "AWSEvents.RemoveTargets", map[string]any{"Rule": r.Name, "Ids": []string{"queue"}}, nil); err != nil {
		return err
	}
	return JSON(ctx, s.Config, "events", "AWSEvents.DeleteRule", map[string]any{"Name": r.Name}, nil)
}

// cmks finds keys by their aliases.
// https://docs.aws.amazon.com/kms/latest/APIReference/API_ListAliases.html
func (s *Sweeper) cmks(ctx context.Context) (all []Resource, err error) {
	type page struct {
		Aliases []struct {
			AliasName, TargetKeyId string //nolint:revive // AWS's name
		}
		NextMarker string
	}
	var keys []Resource
	err = pages(ctx, s, "kms", "TrentService.ListAliases", "Marker", map[string]any{}, func(p page) string {
		for _, a := range p.Aliases {
			if name, ok := strings.CutPrefix(a.AliasName, "alias/"); ok && strings.HasPrefix(name, prefix) {
				keys = append(keys, Resource{Kind: "encryption key", Name: name, ID: a.TargetKeyId})
			}
		}
		return p.NextMarker
	})
	for _, k := range keys {
		var out struct {
			Tags []struct{ TagKey, TagValue string }
		}
		if err := JSON(ctx, s.Config, "kms", "TrentService.ListResourceTags", map[string]any{"KeyId": k.ID}, &out); err != nil {
			return nil, err
		}
		k.Tags = map[string]string{}
		for _, t := range out.Tags {
			k.Tags[t.TagKey] = t.TagValue
		}
		all = append(all, k)
	}
	return all, err
}

// removeCMK has it deleted after 7 days, the least; until then it costs nothing.
// Its alias goes, so that it is not found again.
func (s *Sweeper) removeCMK(ctx context.Context, r Resource) error {
	if err := JSON(ctx, s.Config, "kms", "TrentService.ScheduleKeyDeletion", map[string]any{"KeyId": r.ID, "PendingWindowInDays": 7}, nil); err != nil {
		return err
	}
	return JSON(ctx, s.Config, "kms", "TrentService.DeleteAlias", map[string]any{"AliasName": "alias/" + r.Name}, nil)
}

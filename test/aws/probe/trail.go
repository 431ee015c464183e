package probe

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

func trailProbes() []Probe {
	return []Probe{
		{
			Name: "trail", Claims: []string{"`responseElements` is `{\"arn\"}` for a write", "LookupEvents", "cloudtrail: an event is there at once"},
			Assumed: Outcome{
				"CreateSecret answers": "arn", "PutSecretValue answers": "arn", "TagResource answers": "arn", "UpdateSecret answers": "arn", "DeleteSecret answers": "arn",
				"CreateSecret resources": "arn name", "PutSecretValue resources": "arn",
			},
			Run: trail,
		},
		{
			Name: "failure-in-the-trail", Claims: []string{"RotationFailed comes once"},
			Assumed: Outcome{"failures": 1}, Run: failureInTrail,
		},
		{
			Name: "label-taken-off", Claims: []string{"No event when a label is only taken off"},
			Assumed: Outcome{"events": 1}, Run: labelTakenOff,
		},
	}
}

// record is what matters of a CloudTrail record.
type record struct {
	name      string
	resources []types.Resource
	answer    map[string]any
}

// trailOf looks events up by a resource, from the oldest.
func (s *scene) trailOf(ctx context.Context, attribute types.LookupAttributeKey, value string, begin time.Time) ([]record, error) {
	client := cloudtrail.NewFromConfig(s.Config)
	pages := cloudtrail.NewLookupEventsPaginator(client, &cloudtrail.LookupEventsInput{
		StartTime:        &begin,
		LookupAttributes: []types.LookupAttribute{{AttributeKey: attribute, AttributeValue: &value}},
	})
	var all []record
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, e := range page.Events {
			if !strings.Contains(aws.ToString(e.CloudTrailEvent), s.base) {
				continue
			}
			var detail struct {
				ResponseElements map[string]any `json:"responseElements"`
			}
			if err := json.Unmarshal([]byte(aws.ToString(e.CloudTrailEvent)), &detail); err != nil {
				return nil, err
			}
			all = append(all, record{aws.ToString(e.EventName), e.Resources, detail.ResponseElements})
		}
	}
	slices.Reverse(all)
	return all, nil
}

func trail(ctx context.Context, w *World) (Outcome, error) {
	s, begin := w.scene("trail"), time.Now().Add(-time.Minute)
	arn, err := s.secret(ctx, "one", "")
	if err != nil {
		return nil, err
	}
	if _, err := s.put(ctx, arn, "two"); err != nil {
		return nil, err
	}
	if _, err := s.sm.UpdateSecret(ctx, &sm.UpdateSecretInput{SecretId: &arn, Description: aws.String("d")}); err != nil {
		return nil, err
	}
	if _, err := s.sm.TagResource(ctx, &sm.TagResourceInput{SecretId: &arn, Tags: []smtypes.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}); err != nil {
		return nil, err
	}
	if _, err := s.sm.DeleteSecret(ctx, &sm.DeleteSecretInput{SecretId: &arn, RecoveryWindowInDays: aws.Int64(7)}); err != nil {
		return nil, err
	}
	out := Outcome{}
	_, err = s.until(ctx, w.patience(), func() (bool, error) {
		for _, name := range []string{"CreateSecret", "PutSecretValue", "UpdateSecret", "TagResource", "DeleteSecret"} {
			if out[name+" answers"] != nil {
				continue
			}
			all, err := s.trailOf(ctx, types.LookupAttributeKeyEventName, name, begin)
			if err != nil || len(all) == 0 {
				return false, err
			}
			out[name+" answers"] = keys(all[0].answer)
			if name == "CreateSecret" || name == "PutSecretValue" {
				out[name+" resources"] = kinds(all[0].resources)
			}
		}
		return true, nil
	})
	return out, err
}

func keys(answer map[string]any) string {
	return strings.Join(slices.Sorted(maps.Keys(answer)), " ")
}

// kinds says how the resources are named.
func kinds(all []types.Resource) string {
	seen := map[string]bool{}
	for _, r := range all {
		kind := "name"
		if strings.HasPrefix(aws.ToString(r.ResourceName), "arn:") {
			kind = "arn"
		}
		seen[kind] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(seen)), " ")
}

func failureInTrail(ctx context.Context, w *World) (Outcome, error) {
	s, begin := w.scene("failure"), time.Now().Add(-time.Minute)
	arn, err := s.rotating(ctx, "one", map[string]string{"createSecret": "fail"})
	if err != nil {
		return nil, err
	}
	if err := s.rotate(ctx, arn, token()); err != nil {
		return nil, err
	}
	if _, err := s.said(ctx, quiet, nil); err != nil {
		return nil, err
	}
	var all []record
	look := func() (bool, error) {
		all, err = s.trailOf(ctx, types.LookupAttributeKeyEventName, "RotationFailed", begin)
		return len(all) > 0, err
	}
	if found, err := s.until(ctx, w.patience(), look); err != nil || !found {
		return Outcome{"failures": 0}, err
	}
	if err := wait(ctx, time.Minute); err != nil { // for another one
		return nil, err
	}
	_, err = look()
	return Outcome{"failures": len(all)}, err
}

// labelTakenOff puts a label on, which is one event, and takes it off.
func labelTakenOff(ctx context.Context, w *World) (Outcome, error) {
	s := w.scene("label-off")
	arn, err := s.secret(ctx, "one", "")
	if err != nil {
		return nil, err
	}
	d, err := s.sm.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: &arn})
	if err != nil {
		return nil, err
	}
	end, err := w.Bus.Labels(ctx, arn)
	if err != nil {
		return nil, err
	}
	_, err = s.sm.UpdateSecretVersionStage(ctx, &sm.UpdateSecretVersionStageInput{SecretId: &arn, VersionStage: aws.String("MINE"), MoveToVersionId: d.VersionId})
	if err == nil {
		_, err = s.sm.UpdateSecretVersionStage(ctx, &sm.UpdateSecretVersionStageInput{SecretId: &arn, VersionStage: aws.String("MINE"), RemoveFromVersionId: d.VersionId})
	}
	if err == nil {
		err = wait(ctx, time.Minute)
	}
	n, ended := end(ctx)
	if err == nil {
		err = ended
	}
	return Outcome{"events": n}, err
}

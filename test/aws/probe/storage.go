package probe

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
)

// storageProbes ask S3 and EventBridge. Object Lock is not asked about: what it holds
// stays for a day at least. What is told of conditional writes was recorded from AWS.
func storageProbes() []Probe {
	return []Probe{
		{
			Name: "versions-that-are-not", Claims: []string{"DeleteObjects: a wrong id", "Deleting a version that is not there"},
			Assumed: Outcome{
				"one, unknown": "ok", "one, no id": "InvalidArgument", "many, unknown": "ok", "many, no id": "NoSuchVersion",
				"without versions: many, unknown": "NoSuchVersion", "without versions: one, unknown": "InvalidArgument",
			},
			Run: versionsThatAreNot,
		},
		{
			Name: "rules", Claims: []string{"PutRule makes or replaces a rule", "DeleteRule of a rule with targets", "EnableRule makes a rule ENABLED"},
			Assumed: Outcome{
				"enabled": "ENABLED", "targets that stayed": 1, "deleted with targets": "ValidationException: Rule can't be deleted since it has targets.", "deleted, none": "ok",
			},
			Run: ruleStates,
		},
	}
}

// bucket makes a bucket, which end empties and removes, whatever became of ctx. A
// probe that is killed leaves it behind.
func (s *scene) bucket(ctx context.Context) (client *s3.Client, name *string, end func(), err error) {
	client, name = s3.NewFromConfig(s.Config), &s.base
	in := &s3.CreateBucketInput{Bucket: name}
	if region := s.Config.Region; region != "us-east-1" {
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(region)}
	}
	if _, err = client.CreateBucket(ctx, in); err != nil {
		return nil, nil, nil, err
	}
	return client, name, func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		pages := s3.NewListObjectVersionsPaginator(client, &s3.ListObjectVersionsInput{Bucket: name})
		for pages.HasMorePages() {
			page, err := pages.NextPage(last)
			if err != nil {
				return
			}
			for _, v := range page.Versions {
				_, _ = client.DeleteObject(last, &s3.DeleteObjectInput{Bucket: name, Key: v.Key, VersionId: v.VersionId}) // the bucket's deletion tells
			}
			for _, m := range page.DeleteMarkers {
				_, _ = client.DeleteObject(last, &s3.DeleteObjectInput{Bucket: name, Key: m.Key, VersionId: m.VersionId})
			}
		}
		_, _ = client.DeleteBucket(last, &s3.DeleteBucketInput{Bucket: name})
	}, nil
}

func versionsThatAreNot(ctx context.Context, w *World) (Outcome, error) {
	s := w.scene("versions")
	client, bucket, end, err := s.bucket(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	out := Outcome{}
	key := aws.String("k")
	one := func(what, id string) error {
		_, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: key, VersionId: &id})
		out[what], err = code(err)
		return err
	}
	many := func(what, id string) error {
		answer, err := client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: bucket, Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: key, VersionId: &id}}}})
		if err == nil && len(answer.Errors) > 0 {
			out[what] = aws.ToString(answer.Errors[0].Code)
			return nil
		}
		out[what], err = code(err)
		return err
	}
	put := func() error {
		_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Body: strings.NewReader("x")})
		return err
	}
	versions := func() error {
		_, err := client.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
			Bucket: bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
		})
		return err
	}
	unknown := strings.Repeat("a", 32)
	for _, step := range []func() error{
		put,
		func() error { return one("without versions: one, unknown", unknown) },
		func() error { return many("without versions: many, unknown", unknown) },
		versions, put,
		func() error { return one("one, unknown", unknown) },
		func() error { return one("one, no id", "no-id") },
		func() error { return many("many, unknown", unknown) },
		func() error { return many("many, no id", "no-id") },
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func ruleStates(ctx context.Context, w *World) (Outcome, error) {
	s := w.scene("rules")
	client := eventbridge.NewFromConfig(w.Config)
	queues := sqs.NewFromConfig(w.Config)
	queue, err := queues.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &s.base, Tags: map[string]string{TagInstallation: s.Name}})
	if err != nil {
		return nil, err
	}
	attributes, err := queues.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: queue.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameQueueArn}})
	if err != nil {
		return nil, err
	}
	put := func(tags ...ebtypes.Tag) error {
		_, err := client.PutRule(ctx, &eventbridge.PutRuleInput{
			Name: &s.base, EventPattern: aws.String(`{"source":["nobody"]}`), State: ebtypes.RuleStateEnabledWithAllCloudtrailManagementEvents, Tags: tags,
		})
		return err
	}
	remove := func() error {
		_, err := client.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: &s.base})
		return err
	}
	if err := put(ebtypes.Tag{Key: aws.String(TagInstallation), Value: &s.Name}); err != nil {
		return nil, err
	}
	arn := attributes.Attributes[string(sqstypes.QueueAttributeNameQueueArn)]
	if _, err := client.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: &s.base, Targets: []ebtypes.Target{{Id: aws.String("queue"), Arn: &arn}}}); err != nil {
		return nil, err
	}
	out := Outcome{}
	if out["deleted with targets"], err = refusal(remove()); err != nil {
		return nil, err
	}
	if err := put(); err != nil {
		return nil, err
	}
	targets, err := client.ListTargetsByRule(ctx, &eventbridge.ListTargetsByRuleInput{Rule: &s.base})
	if err != nil {
		return nil, err
	}
	out["targets that stayed"] = len(targets.Targets)
	if _, err := client.DisableRule(ctx, &eventbridge.DisableRuleInput{Name: &s.base}); err != nil {
		return nil, err
	}
	if _, err := client.EnableRule(ctx, &eventbridge.EnableRuleInput{Name: &s.base}); err != nil {
		return nil, err
	}
	rule, err := client.DescribeRule(ctx, &eventbridge.DescribeRuleInput{Name: &s.base})
	if err != nil {
		return nil, err
	}
	out["enabled"] = string(rule.State)
	if _, err := client.RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: &s.base, Ids: []string{"queue"}}); err != nil {
		return nil, err
	}
	if err := remove(); err != nil {
		return nil, err
	}
	out["deleted, none"], err = code(remove())
	return out, err
}

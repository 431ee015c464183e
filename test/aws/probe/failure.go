package probe

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

func failureProbes() []Probe {
	return []Probe{
		{
			Name: "attempts", Claims: []string{"5 attempts"},
			Assumed: Outcome{"attempts": 5, "longest wait in seconds": "up to 30"}, Run: attempts,
		},
		{
			Name: "finish-without-current", Claims: []string{"A rotation whose finishSecret ends without AWSCURRENT"},
			Assumed: Outcome{"tried again": true, "pending": true, "rotated": false}, Run: finishWithoutCurrent,
		},
		{
			Name: "failed-test", Claims: []string{"A test that fails is tried again"},
			Assumed: Outcome{"tests": 5}, Run: failedTest,
		},
	}
}

func attempts(ctx context.Context, w *World) (Outcome, error) {
	s := w.scene("attempts")
	arn, err := s.rotating(ctx, "one", map[string]string{"createSecret": "fail"})
	if err != nil {
		return nil, err
	}
	if err := s.rotate(ctx, arn, token()); err != nil {
		return nil, err
	}
	all, err := s.said(ctx, quiet, nil)
	longest := 0.0
	for i := 1; i < len(all); i++ {
		longest = max(longest, all[i].At.Sub(all[i-1].At).Seconds())
	}
	wait := "up to 30"
	switch {
	case longest > 120:
		wait = "over 120"
	case longest > 30:
		wait = "30 to 120"
	}
	return Outcome{"attempts": len(all), "longest wait in seconds": wait}, err
}

func finishWithoutCurrent(ctx context.Context, w *World) (Outcome, error) {
	s := w.scene("finish")
	arn, err := s.rotating(ctx, "one", map[string]string{"createSecret": "", "finishSecret": "skip"})
	if err != nil {
		return nil, err
	}
	id := token()
	if err := s.rotate(ctx, arn, id); err != nil {
		return nil, err
	}
	all, err := s.said(ctx, quiet, nil)
	if err != nil {
		return nil, err
	}
	finished := 0
	for _, said := range all {
		if said.Step == "finishSecret" {
			finished++
		}
	}
	d, err := s.sm.DescribeSecret(ctx, &sm.DescribeSecretInput{SecretId: &arn})
	if err != nil {
		return nil, err
	}
	return Outcome{"tried again": finished > 1, "pending": contains(d.VersionIdsToStages[*id], "AWSPENDING"), "rotated": d.LastRotatedDate != nil}, nil
}

func failedTest(ctx context.Context, w *World) (Outcome, error) {
	s := w.scene("test")
	arn, err := s.rotating(ctx, "one", map[string]string{"testSecret": "fail"})
	if err != nil {
		return nil, err
	}
	_, err = s.sm.RotateSecret(ctx, &sm.RotateSecretInput{
		SecretId: &arn, ClientRequestToken: token(), RotateImmediately: aws.Bool(false), RotationLambdaARN: &s.Function,
		RotationRules: &types.RotationRulesType{ScheduleExpression: aws.String("rate(30 days)")},
	})
	if err != nil {
		return nil, err
	}
	all, err := s.said(ctx, quiet, nil)
	return Outcome{"tests": len(all)}, err
}

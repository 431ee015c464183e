package probe

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

func rotationProbes() []Probe {
	return []Probe{
		{
			Name: "first-version-after-rotate", Claims: []string{"The first version of a secret gets AWSCURRENT"},
			Assumed: Outcome{"current": false, "asked for": true}, Run: firstAfterRotate,
		},
		{
			Name: "version-without-value", Claims: []string{"A version without a value is \"not found\"", "AWSCURRENT may be moved to a version without a value"},
			Assumed: Outcome{
				"by id":    "ResourceNotFoundException: Secrets Manager can't find the specified secret value for VersionId: ID",
				"by label": "ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label: AWSPENDING",
				"current":  "ok",
			},
			Run: emptyVersion,
		},
		{
			Name: "rotate-again-with-its-token", Claims: []string{"RotateSecret again with the token", "One RotationToken per rotation"},
			Assumed: Outcome{"under way": "ok", "current": "ok", "rotations": 1, "token": "64 base64url", "steps": "createSecret setSecret testSecret finishSecret"}, Run: sameToken,
		},
		{
			Name: "put-during-rotation", Claims: []string{"A version made current by hand during a rotation"},
			Assumed: Outcome{"pending": false, "step under way ends": true, "next step": false}, Run: abandoned,
		},
		{
			Name: "deletion-and-schedule", Claims: []string{"Deleting a secret ends its rotation and its schedule"},
			Assumed: Outcome{"restored": true, "next date": true}, Run: deletion,
		},
	}
}

// rotating makes a secret that the function rotates as it is told.
func (s *scene) rotating(ctx context.Context, value string, do map[string]string) (string, error) {
	d, err := s.directions(ctx, do)
	if err != nil {
		return "", err
	}
	return s.secret(ctx, value, d)
}

// rotate begins a rotation, and sets a schedule.
func (s *scene) rotate(ctx context.Context, arn string, token *string) error {
	_, err := s.sm.RotateSecret(ctx, &sm.RotateSecretInput{
		SecretId: &arn, ClientRequestToken: token, RotationLambdaARN: &s.Function,
		RotationRules: &types.RotationRulesType{ScheduleExpression: aws.String("rate(30 days)")},
	})
	return err
}

// step is true once a step was begun.
func step(name string) func([]Said) bool {
	return func(all []Said) bool {
		for _, s := range all {
			if s.Step == name {
				return true
			}
		}
		return false
	}
}

// quiet is how long nothing has to be said until a rotation is taken as over.
const quiet = 3 * time.Minute

func firstAfterRotate(ctx context.Context, w *World) (Outcome, error) {
	s := w.scene("first-version")
	arn, err := s.rotating(ctx, "", map[string]string{"createSecret": "slow"})
	if err != nil {
		return nil, err
	}
	if err := s.rotate(ctx, arn, token()); err != nil {
		return nil, err
	}
	if _, err := s.said(ctx, quiet, step("createSecret")); err != nil {
		return nil, err
	}
	version, err := s.put(ctx, arn, "v", "MINE")
	if err != nil {
		return nil, err
	}
	labels, err := s.labels(ctx, arn, version)
	return Outcome{"current": contains(labels, "AWSCURRENT"), "asked for": contains(labels, "MINE")}, err
}

// emptyVersion lets every attempt fail, and looks at what is left.
func emptyVersion(ctx context.Context, w *World) (Outcome, error) {
	s := w.scene("empty")
	arn, err := s.rotating(ctx, "one", map[string]string{"createSecret": "fail"})
	if err != nil {
		return nil, err
	}
	id := token()
	if err := s.rotate(ctx, arn, id); err != nil {
		return nil, err
	}
	if _, err := s.said(ctx, quiet, nil); err != nil {
		return nil, err
	}
	out := Outcome{}
	_, err = s.sm.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: &arn, VersionId: id})
	if out["by id"], err = refusal(err); err != nil {
		return nil, err
	}
	_, err = s.sm.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: &arn, VersionStage: aws.String("AWSPENDING")})
	if out["by label"], err = refusal(err); err != nil {
		return nil, err
	}
	v, err := s.sm.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: &arn})
	if err != nil {
		return nil, err
	}
	_, err = s.sm.UpdateSecretVersionStage(ctx, &sm.UpdateSecretVersionStageInput{
		SecretId: &arn, VersionStage: aws.String("AWSCURRENT"), MoveToVersionId: id, RemoveFromVersionId: v.VersionId,
	})
	out["current"], err = code(err)
	return out, err
}

func sameToken(ctx context.Context, w *World) (Outcome, error) {
	s := w.scene("same-token")
	arn, err := s.rotating(ctx, "one", map[string]string{"setSecret": "slow"})
	if err != nil {
		return nil, err
	}
	out, id := Outcome{}, token()
	if err := s.rotate(ctx, arn, id); err != nil {
		return nil, err
	}
	all, err := s.said(ctx, quiet, step("setSecret"))
	if err != nil {
		return nil, err
	}
	if out["under way"], err = code(s.rotate(ctx, arn, id)); err != nil {
		return nil, err
	}
	more, err := s.said(ctx, quiet, step("finishSecret"))
	if err != nil {
		return nil, err
	}
	current, err := s.until(ctx, quiet, func() (bool, error) {
		labels, err := s.labels(ctx, arn, *id)
		return contains(labels, "AWSCURRENT") && !contains(labels, "AWSPENDING"), err
	})
	if err != nil || !current {
		return Outcome{"rotations": 0}, err
	}
	if out["current"], err = code(s.rotate(ctx, arn, id)); err != nil {
		return nil, err
	}
	last, err := s.said(ctx, 30*time.Second, nil)
	steps, rotations := "", 0
	for _, said := range append(append(all, more...), last...) {
		if said.Done {
			continue
		}
		if steps != "" {
			steps += " "
		}
		steps += said.Step
		if said.Step == "createSecret" {
			rotations++
		}
		out["token"] = said.Shape
	}
	out["steps"], out["rotations"] = steps, rotations
	return out, err
}

func abandoned(ctx context.Context, w *World) (Outcome, error) {
	s := w.scene("abandoned")
	arn, err := s.rotating(ctx, "one", map[string]string{"createSecret": "slow"})
	if err != nil {
		return nil, err
	}
	id := token()
	if err := s.rotate(ctx, arn, id); err != nil {
		return nil, err
	}
	if _, err := s.said(ctx, quiet, step("createSecret")); err != nil {
		return nil, err
	}
	if _, err := s.put(ctx, arn, "by hand"); err != nil {
		return nil, err
	}
	labels, err := s.labels(ctx, arn, *id)
	if err != nil {
		return nil, err
	}
	all, err := s.said(ctx, quiet, nil)
	out := Outcome{"pending": contains(labels, "AWSPENDING"), "step under way ends": false, "next step": false}
	for _, said := range all {
		if said.Done {
			out["step under way ends"] = true
		} else {
			out["next step"] = true
		}
	}
	return out, err
}

func deletion(ctx context.Context, w *World) (Outcome, error) {
	s := w.scene("deletion")
	arn, err := s.rotating(ctx, "one", nil)
	if err != nil {
		return nil, err
	}
	if err := s.rotate(ctx, arn, token()); err != nil {
		return nil, err
	}
	if _, err := s.said(ctx, quiet, step("finishSecret")); err != nil {
		return nil, err
	}
	rotated := func() (bool, error) {
		d, err := s.sm.DescribeSecret(ctx, &sm.DescribeSecretInput{SecretId: &arn})
		return err == nil && d.LastRotatedDate != nil, err
	}
	if _, err := s.until(ctx, quiet, rotated); err != nil {
		return nil, err
	}
	if _, err := s.sm.DeleteSecret(ctx, &sm.DeleteSecretInput{SecretId: &arn, RecoveryWindowInDays: aws.Int64(7)}); err != nil {
		return nil, err
	}
	if _, err := s.sm.RestoreSecret(ctx, &sm.RestoreSecretInput{SecretId: &arn}); err != nil {
		return nil, err
	}
	d, err := s.sm.DescribeSecret(ctx, &sm.DescribeSecretInput{SecretId: &arn})
	if err != nil {
		return nil, err
	}
	return Outcome{"restored": aws.ToBool(d.RotationEnabled), "next date": d.NextRotationDate != nil}, nil
}

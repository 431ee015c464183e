package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/google/uuid"

	"github.com/keyturn/keyturn/test/cloud/lambda"
)

// secrets makes the admin secrets, and the keys' secrets without a value.
func (s *Stack) secrets(ctx context.Context) error {
	for name, a := range s.opt.Accounts {
		fields := map[string]any{"hosts": a.Admin.Hosts}
		for f, v := range a.Admin.Fields {
			fields[f] = v.Reveal()
		}
		b, err := json.Marshal(fields)
		if err != nil {
			return fmt.Errorf("encode the admin credential: %w", err)
		}
		if err = s.create(ctx, adminSecret(name), string(b), ""); err != nil {
			return err
		}
	}
	for name, k := range s.opt.Keys {
		if err := s.create(ctx, name, "", k.Owner); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stack) create(ctx context.Context, name, value, owner string) error {
	in := &sm.CreateSecretInput{Name: &name, Tags: []smtypes.Tag{{Key: aws.String("keyturn"), Value: aws.String("local")}}}
	if value != "" {
		in.SecretString = &value
	}
	if owner != "" {
		in.Tags = append(in.Tags, smtypes.Tag{Key: aws.String("owner"), Value: &owner})
	}
	if _, err := s.sm.CreateSecret(ctx, in); err != nil {
		return fmt.Errorf("create secret %s: %w", name, err)
	}
	return nil
}

// Init makes a secret's first key, as `keyturn init` does.
func (s *Stack) Init(ctx context.Context, name string) error {
	req, err := json.Marshal(map[string]any{"version": 1, "mode": "init", "secret": name, "token": uuid.NewString()})
	if err != nil {
		return fmt.Errorf("encode the request: %w", err)
	}
	out, failure, err := s.Region.Lambda.Invoke(ctx, Rotate(s.opt.Keys[name].Account), req)
	if err != nil {
		return fmt.Errorf("init %s: %w", name, err)
	}
	if failure != "" {
		return fmt.Errorf("init %s: %s", name, bytes.TrimSpace(out))
	}
	return nil
}

// Enable attaches a secret's schedule, without rotating it now. Secrets Manager
// tries testSecret by itself.
func (s *Stack) Enable(ctx context.Context, name string) error {
	k := s.opt.Keys[name]
	expression := k.Schedule
	if expression == "" {
		expression = "rate(30 days)"
	}
	_, err := s.sm.RotateSecret(ctx, &sm.RotateSecretInput{
		SecretId: &name, RotationLambdaARN: aws.String(lambda.ARN(Rotate(k.Account))), RotateImmediately: aws.Bool(false),
		RotationRules: &smtypes.RotationRulesType{ScheduleExpression: &expression},
	})
	if err != nil {
		return fmt.Errorf("enable the rotation of %s: %w", name, err)
	}
	return s.Region.Cloud.Rotated(ctx, name)
}

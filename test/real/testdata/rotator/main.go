// Command rotator is a rotation function as AWS's generic template does it, for
// a zip that CreateFunction takes. What it was sent it leaves in a secret
// seen/TOKEN/STEP; it fails in the step that FAIL names.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

type event struct{ Step, SecretId, ClientRequestToken, RotationToken string } //nolint:revive // AWS's names

func main() { lambda.Start(handle) }

func handle(ctx context.Context, raw json.RawMessage) error {
	var e event
	if err := json.Unmarshal(raw, &e); err != nil {
		return err
	}
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	sm := secretsmanager.NewFromConfig(cfg)
	d, err := sm.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &e.SecretId})
	if err != nil {
		return err
	}
	pending, err := sm.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{
		SecretId: &e.SecretId, VersionId: &e.ClientRequestToken, VersionStage: aws.String("AWSPENDING"),
	})
	value := "none"
	if _, none := errors.AsType[*types.ResourceNotFoundException](err); err == nil {
		value = aws.ToString(pending.SecretString)
	} else if !none {
		value = err.Error()
	}
	saw, err := json.Marshal(map[string]any{"event": raw, "stages": d.VersionIdsToStages, "pending": value})
	if err != nil {
		return err
	}
	_, err = sm.CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: aws.String("seen/" + e.ClientRequestToken + "/" + e.Step), SecretString: aws.String(string(saw)),
	})
	if _, again := errors.AsType[*types.ResourceExistsException](err); err != nil && !again {
		return err
	}
	if os.Getenv("FAIL") == e.Step {
		return errors.New("told to fail")
	}
	return act(ctx, sm, e, d.VersionIdsToStages)
}

func act(ctx context.Context, sm *secretsmanager.Client, e event, stages map[string][]string) (err error) {
	switch e.Step {
	case "createSecret":
		_, err = sm.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
			SecretId: &e.SecretId, ClientRequestToken: &e.ClientRequestToken, RotationToken: &e.RotationToken,
			SecretString: aws.String("new of " + e.ClientRequestToken), VersionStages: []string{"AWSPENDING"},
		})
	case "finishSecret":
		for id, labels := range stages {
			if slices.Contains(labels, "AWSCURRENT") && id != e.ClientRequestToken {
				_, err = sm.UpdateSecretVersionStage(ctx, &secretsmanager.UpdateSecretVersionStageInput{
					SecretId: &e.SecretId, VersionStage: aws.String("AWSCURRENT"),
					MoveToVersionId: &e.ClientRequestToken, RemoveFromVersionId: &id,
				})
			}
		}
	}
	return err
}

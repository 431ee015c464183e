//go:build real

package real_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

const function = "arn:aws:lambda:us-east-1:123456789012:function:rotate"

// rotator is a rotation function with no vendor behind it: each new value is
// `rotated-` and the version's id. What is tested here are the clients; the
// real functions have their own tests.
type rotator struct{ client *secretsmanager.Client }

// Invoke implements [cloud.Invoker].
func (r *rotator) Invoke(ctx context.Context, _ string, payload []byte) ([]byte, string, error) {
	var e struct{ Step, SecretID, ClientRequestToken string }
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, "", err
	}
	var err error
	switch e.Step {
	case "createSecret":
		_, err = r.client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
			SecretId: &e.SecretID, ClientRequestToken: &e.ClientRequestToken,
			SecretString: new("rotated-" + e.ClientRequestToken), VersionStages: []string{"AWSPENDING"},
		})
	case "finishSecret":
		err = r.promote(ctx, e.SecretID, e.ClientRequestToken)
	}
	if err != nil {
		return fmt.Appendf(nil, `{"errorMessage":%q}`, err), "Unhandled", nil
	}
	return []byte("null"), "", nil
}

func (r *rotator) promote(ctx context.Context, id, token string) error {
	d, err := r.client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &id})
	if err != nil {
		return err
	}
	in := &secretsmanager.UpdateSecretVersionStageInput{SecretId: &id, VersionStage: new("AWSCURRENT"), MoveToVersionId: &token}
	for _, version := range slices.Sorted(maps.Keys(d.VersionIdsToStages)) {
		if slices.Contains(d.VersionIdsToStages[version], "AWSCURRENT") {
			in.RemoveFromVersionId = &version
		}
	}
	_, err = r.client.UpdateSecretVersionStage(ctx, in)
	return err
}

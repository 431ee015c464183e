package probe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// directions tell the function what to do. They are a secret's description, or
// the payload of an invocation that is no rotation.
type directions struct {
	Queue string            `json:"queue"`
	Do    map[string]string `json:"do,omitempty"` // by step: fail, skip, slow
	Note  string            `json:"note,omitempty"`
	Fail  bool              `json:"fail,omitempty"`
}

// Said is what the function says of each invocation.
type Said struct {
	Step  string    `json:"step,omitempty"`
	Done  bool      `json:"done,omitempty"` // it ends; else it begins
	Token string    `json:"token,omitempty"`
	Shape string    `json:"shape,omitempty"` // of the RotationToken, which is not repeated
	Note  string    `json:"note,omitempty"`
	At    time.Time `json:"at"`
}

// slow is how long a step takes that is told to be slow.
const slow = 20 * time.Second

var errTold = errors.New("told to fail")

type event struct {
	Step, SecretId, ClientRequestToken, RotationToken string //nolint:revive // AWS's names
	directions
}

// Handle is the probes' Lambda function. As a rotation function it does what the
// secret's description says; otherwise what the payload says.
func Handle(ctx context.Context, cfg aws.Config, payload []byte) error {
	var e event
	if err := json.Unmarshal(payload, &e); err != nil {
		return fmt.Errorf("read the event: %w", err)
	}
	if e.Step == "" {
		if err := say(ctx, cfg, e.Queue, Said{Note: e.Note}); err != nil || !e.Fail {
			return err
		}
		return errTold
	}
	client := sm.NewFromConfig(cfg)
	d, err := client.DescribeSecret(ctx, &sm.DescribeSecretInput{SecretId: &e.SecretId})
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(aws.ToString(d.Description)), &e.directions); err != nil {
		return fmt.Errorf("read the directions: %w", err)
	}
	said := Said{Step: e.Step, Token: e.ClientRequestToken, Shape: shape(e.RotationToken)}
	if err := say(ctx, cfg, e.Queue, said); err != nil {
		return err
	}
	switch e.Do[e.Step] {
	case "fail":
		return errTold
	case "skip":
		return nil
	case "slow":
		if err := wait(ctx, slow); err != nil {
			return err
		}
		said.Done = true
		return say(ctx, cfg, e.Queue, said)
	}
	return rotate(ctx, client, e, d.VersionIdsToStages)
}

// rotate does a step as a rotation should.
func rotate(ctx context.Context, client *sm.Client, e event, versions map[string][]string) error {
	switch e.Step {
	case "createSecret":
		_, err := client.PutSecretValue(ctx, &sm.PutSecretValueInput{
			SecretId: &e.SecretId, ClientRequestToken: &e.ClientRequestToken,
			SecretString: aws.String("value of " + e.ClientRequestToken), VersionStages: []string{"AWSPENDING"},
		})
		return err
	case "finishSecret":
		in := &sm.UpdateSecretVersionStageInput{SecretId: &e.SecretId, VersionStage: aws.String("AWSCURRENT"), MoveToVersionId: &e.ClientRequestToken}
		for version, labels := range versions {
			if version == e.ClientRequestToken && contains(labels, "AWSCURRENT") {
				return nil
			}
			if contains(labels, "AWSCURRENT") {
				in.RemoveFromVersionId = aws.String(version)
			}
		}
		_, err := client.UpdateSecretVersionStage(ctx, in)
		return err
	}
	return nil
}

func say(ctx context.Context, cfg aws.Config, queue string, s Said) error {
	s.At = time.Now().UTC()
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = sqs.NewFromConfig(cfg).SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &queue, MessageBody: aws.String(string(b))})
	return err
}

var base64URL = regexp.MustCompile(`^[A-Za-z0-9_-]*$`)

func shape(token string) string {
	kind := "other"
	if base64URL.MatchString(token) {
		kind = "base64url"
	}
	return fmt.Sprintf("%d %s", len(token), kind)
}

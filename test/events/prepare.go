package events

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/test/cloud/lambda"
	"github.com/keyturn/keyturn/test/stack"
)

const restore = "restore"

// The steps in their order.
const (
	create = "createSecret"
	test   = "testSecret"
	finish = "finishSecret"
)

// Prepare brings the deployment into the state that a sample speaks of. The
// secret has a first value, except for init, and for adoptions one that somebody
// put there by hand. Where the sample is a step, a rotation with its token has
// begun, and the steps before it are done. There is a pause to resume from, a
// previous key to roll back to, and a disabled one to restore. For what audits, see
// [watched].
func Prepare(ctx context.Context, s *stack.Stack, v *Vendors, function, sample string) error {
	if Watch(function) != nil {
		return watched(ctx, s, function, sample)
	}
	switch at := function + "/" + sample; at {
	case "rotate/init":
		return nil
	case "rotate/plan":
		return begin(ctx, s, Secret, false)
	case "rotate/adopt", "rotate/adopt-observe", "rotate/odd-adopt-wrong-id":
		return byHand(ctx, s, v)
	case "rotatenow/resume":
		if err := begin(ctx, s, Secret, false); err != nil {
			return err
		}
		return sent(Send(ctx, s, "rotatenow", "pause"))
	case "retire/rollback":
		return rotated(ctx, s, Secret)
	case "retire/" + restore:
		return disabled(ctx, s, v)
	default:
		if err := begin(ctx, s, Secret, function == "rotate"); err != nil || function != "rotate" {
			return err
		}
		return steps(ctx, s, Secret, map[string][]string{
			"test-secret": {create}, "odd-unknown-fields": {create}, "finish-secret": {create, test},
		}[sample]...)
	}
}

// begin gives a secret its first value and its schedule, and begins a rotation
// if one is wanted.
func begin(ctx context.Context, s *stack.Stack, name string, staged bool) error {
	if err := s.Init(ctx, name); err != nil {
		return err
	}
	return enable(ctx, s, name, staged)
}

func enable(ctx context.Context, s *stack.Stack, name string, staged bool) error {
	in := &sm.RotateSecretInput{
		SecretId: aws.String(name), RotationLambdaARN: aws.String(lambda.ARN(stack.Rotate(accountOf(name)))),
		RotationRules: &smtypes.RotationRulesType{ScheduleExpression: aws.String("rate(30 days)")}, RotateImmediately: aws.Bool(false),
	}
	if staged {
		in.ClientRequestToken, in.RotateImmediately = aws.String(Token), aws.Bool(true)
	}
	if _, err := sm.NewFromConfig(s.Region.Cloud.Config()).RotateSecret(ctx, in); err != nil {
		return fmt.Errorf("begin a rotation: %w", err)
	}
	if err := s.Region.Cloud.Rotated(ctx, name); err != nil {
		return fmt.Errorf("wait for the rotation: %w", err)
	}
	return nil
}

func accountOf(name string) string {
	if name == EdgeSecret {
		return EdgeAccount
	}
	return Account
}

// byHand gives the secret a key that Keyturn does not know.
func byHand(ctx context.Context, s *stack.Stack, v *Vendors) error {
	value, err := json.Marshal(map[string]string{"apiKey": v.Mailer.Add("made by hand", "mail.send").Value.Reveal()})
	if err != nil {
		return fmt.Errorf("encode the value: %w", err)
	}
	if _, err = sm.NewFromConfig(s.Region.Cloud.Config()).PutSecretValue(ctx, &sm.PutSecretValueInput{
		SecretId: aws.String(Secret), SecretString: aws.String(string(value)),
	}); err != nil {
		return fmt.Errorf("put a value: %w", err)
	}
	return enable(ctx, s, Secret, false)
}

// rotated lets a secret's key be replaced, and the label's event be handled.
func rotated(ctx context.Context, s *stack.Stack, name string) error {
	if err := begin(ctx, s, name, true); err != nil {
		return err
	}
	if err := steps(ctx, s, name, create, test, finish); err != nil {
		return err
	}
	return settle(ctx)
}

// settle gives what label events and schedules start the time to end. In a
// synctest bubble no time passes before it has.
func settle(ctx context.Context) error {
	select {
	case <-time.After(500 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// disabled has a replaced key that nobody uses disabled, as time does.
func disabled(ctx context.Context, s *stack.Stack, v *Vendors) error {
	if err := rotated(ctx, s, EdgeSecret); err != nil {
		return err
	}
	out, err := sm.NewFromConfig(s.Region.Cloud.Config()).GetSecretValue(ctx, &sm.GetSecretValueInput{
		SecretId: aws.String(EdgeSecret), VersionStage: aws.String("AWSPREVIOUS"),
	})
	if err != nil {
		return fmt.Errorf("read the previous version: %w", err)
	}
	var value struct{ APIKey string }
	if err = json.Unmarshal([]byte(aws.ToString(out.SecretString)), &value); err != nil {
		return fmt.Errorf("decode the previous version: %w", err)
	}
	const at, most = 8 * time.Hour, 5 // the vendor says a day late what was used
	for range most {
		s.Region.Cloud.Clock().Advance(at)
		if err := settle(ctx); err != nil {
			return err
		}
		if !v.Edge.Works(secret.New(value.APIKey)) {
			return nil
		}
	}
	return fmt.Errorf("the replaced key still works after %s", most*at)
}

// steps invokes the rotate function as Secrets Manager does.
func steps(ctx context.Context, s *stack.Stack, name string, all ...string) error {
	for step := range slices.Values(all) {
		event, err := json.Marshal(map[string]string{"Step": step, "SecretId": name, "ClientRequestToken": Token})
		if err != nil {
			return fmt.Errorf("encode the step: %w", err)
		}
		if err = sent(s.Region.Lambda.Invoke(ctx, stack.Rotate(accountOf(name)), event)); err != nil {
			return fmt.Errorf("%s: %w", step, err)
		}
	}
	return nil
}

func sent(answer []byte, failure string, err error) error {
	if err == nil && failure != "" {
		return fmt.Errorf("before the sample: %s: %s", failure, answer)
	}
	return err
}

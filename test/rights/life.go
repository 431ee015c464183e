package rights

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/keyturn/keyturn/shared/providertest"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/cloud/wire"
	"github.com/keyturn/keyturn/test/fault"
	"github.com/keyturn/keyturn/test/stack"
)

// What is deployed, by the names that the CDK app gives.
const (
	account  = "main"
	secret   = "prod/app/key"
	existing = "legacy/app/key" // made by somebody else, without our tags
	rotator  = "keyturn-rotate-" + account
	retirer  = "keyturn-retire-" + account

	topic      = "keyturn-notifications"
	escalation = "keyturn-escalation"
	group      = "keyturn"
	role       = "arn:aws:iam::" + wire.Account + ":role/keyturn-schedule"
	host       = "vendor.test"
)

// life is a deployment in which keys live from their first value to their end.
// Its time is that of a testing/synctest bubble.
type life struct {
	subject fault.Subject
	secret  string
	region  *region.Region
	stack   *stack.Stack
	fake    providertest.Fake
	sm      *sm.Client
	down    atomic.Bool // the vendor
	log     io.Writer
}

// RoundTrip carries requests to the vendor, unless it is down.
func (l *life) RoundTrip(r *http.Request) (*http.Response, error) {
	if l.down.Load() {
		return nil, errors.New("connection refused")
	}
	return (&providertest.Transport{Handler: l.fake, Host: host}).RoundTrip(r)
}

// Live lets keys of a strategy live, and returns what that took. The secret is
// ours, or one that somebody else made.
func Live(ctx context.Context, s fault.Subject, ours bool, log io.Writer) (*Recorder, error) {
	l := &life{subject: s, secret: secret, log: log}
	if !ours {
		l.secret = existing
	}
	l.region = region.New(region.Options{})
	defer l.region.Close() //nolint:errcheck // nothing runs any more
	l.fake = s.New(l.region.Cloud.Clock().Now)
	l.sm = sm.NewFromConfig(l.region.Cloud.Config())
	if err := l.deploy(ctx); err != nil {
		return nil, err
	}
	defer l.stack.Close()
	rec := Record(l.region)
	acts := []func(context.Context) error{l.first, l.rotations, l.pauses, l.back, l.failures}
	for _, act := range acts {
		if err := act(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	return rec, nil
}

func (l *life) deploy(ctx context.Context) (err error) {
	key := stack.Key{
		Account: account, Settings: l.subject.Settings("https://" + host), More: l.subject.Config,
		Grace: map[string]any{"min": "10m", "quiet": "10m", "disabled": "6h", "max": "48h", "noUsage": "revoke"},
	}
	for _, name := range []string{topic, escalation} {
		if _, err = l.region.SNS.Create(name); err != nil {
			return fmt.Errorf("make the topic: %w", err)
		}
	}
	l.stack, err = stack.Deploy(ctx, l.region, stack.Options{
		Accounts: map[string]stack.Account{account: {
			Provider: l.subject.Vendor, Base: "https://" + host + l.subject.Path, Hosts: []string{host}, Admin: l.fake.Admin(host),
		}},
		Keys: map[string]stack.Key{l.secret: key}, Vendors: l, Log: l.log, Sweep: true,
		Env: map[string]string{
			"KEYTURN_TOPIC_ARN": here("sns", topic), "KEYTURN_ESCALATION_TOPIC_ARN": here("sns", escalation), "KEYTURN_ESCALATE_AFTER": "4h",
			"KEYTURN_SCHEDULE_ROLE_ARN": role, "KEYTURN_SCHEDULE_GROUP": group,
		},
	})
	if err != nil {
		return err
	}
	if _, err = scheduler.NewFromConfig(l.region.Cloud.Config()).CreateScheduleGroup(ctx, &scheduler.CreateScheduleGroupInput{Name: aws.String(group)}); err != nil {
		return fmt.Errorf("make the group of schedules: %w", err)
	}
	return nil
}

// first has CloudFormation ask for a first value. There is no way to answer it
// here; what is asked of AWS before is the same.
func (l *life) first(ctx context.Context) error {
	present := strconv.FormatBool(l.secret == existing)
	if l.subject.Adopted {
		present = "true"
		if err := l.byHand(ctx, l.secret); err != nil {
			return err
		}
	}
	_, _, err := l.region.Lambda.Invoke(ctx, rotator, encode(map[string]any{
		"RequestType": "Create", "ResponseURL": "https://nowhere.test/", "StackId": "stack", "RequestId": "r-1", "LogicalResourceId": "First",
		"ResourceProperties": map[string]string{"Version": "1", "Secret": l.secret, "Existing": present},
	}))
	if err != nil {
		return err
	}
	if l.subject.Adopted {
		if err = l.must(ctx, rotator, map[string]any{"version": 1, "mode": "adopt", "secret": l.secret, "observe": true, "reason": "it is in use"}); err != nil {
			return err
		}
		if err = l.must(ctx, rotator, map[string]any{"version": 1, "mode": "adopt", "secret": l.secret, "reason": "it is in use"}); err != nil {
			return err
		}
	}
	if l.secret == existing && !l.subject.Adopted {
		if err = l.stack.Init(ctx, l.secret); err != nil { // as "keyturn init" does
			return err
		}
	}
	return l.stack.Enable(ctx, l.secret)
}

// rotations: one that Secrets Manager begins, one that somebody asks for.
func (l *life) rotations(ctx context.Context) error {
	if l.refused(ctx) == nil {
		return errors.New("a rotation did not come to its end")
	}
	time.Sleep(5 * 24 * time.Hour) // past every grace: the old key ends, and its death is proven
	if err := l.must(ctx, stack.RotateNow, l.asked("plan")); err != nil {
		return err
	}
	if err := l.must(ctx, stack.RotateNow, l.asked("rotate")); err != nil {
		return err
	}
	if err := l.region.Cloud.Rotated(ctx, l.secret); err != nil {
		return err
	}
	time.Sleep(5 * 24 * time.Hour)
	return nil
}

// pauses: a rotation that a pause refuses, and an emergency that goes through it.
func (l *life) pauses(ctx context.Context) error {
	pause := l.asked("pause")
	pause["until"] = "72h"
	if err := l.must(ctx, stack.RotateNow, pause); err != nil {
		return err
	}
	if err := l.refused(ctx); err != nil {
		return fmt.Errorf("in a pause: %w", err)
	}
	time.Sleep(60 * time.Hour) // the sweep takes AWSPENDING off
	if err := l.must(ctx, stack.RotateNow, l.asked("emergency")); err != nil {
		return err
	}
	if err := l.region.Cloud.Rotated(ctx, l.secret); err != nil {
		return err
	}
	time.Sleep(3 * 24 * time.Hour)
	if err := l.must(ctx, stack.RotateNow, pause); err != nil {
		return err
	}
	return l.must(ctx, stack.RotateNow, l.asked("resume"))
}

// back goes back to an older key, and restores one. Not every strategy can: the
// question is what is asked of AWS.
func (l *life) back(ctx context.Context) error {
	if err := l.rotate(ctx, l.secret); err != nil {
		return err
	}
	time.Sleep(time.Minute)
	l.try(ctx, retirer, l.asked("rollback"))
	time.Sleep(time.Hour)
	l.try(ctx, retirer, l.asked("restore"))
	time.Sleep(6 * 24 * time.Hour)
	return nil
}

// failures: values that are never stored, a vendor that is away, an admin
// credential that is refused.
func (l *life) failures(ctx context.Context) error {
	remove := l.region.Cloud.Inject(cloud.Fault{Service: "secretsmanager", Operation: "PutSecretValue", Count: 1000, Effect: cloud.DropBefore})
	err := l.refused(ctx)
	remove()
	if err != nil {
		return fmt.Errorf("without a stored value: %w", err)
	}
	time.Sleep(4 * 24 * time.Hour) // the sweeps see a lost key twice
	l.down.Store(true)
	_ = l.rotate(ctx, l.secret) // it fails, or cannot begin: either way somebody is told
	time.Sleep(3 * time.Hour)
	if err = l.must(ctx, stack.RotateNow, l.asked("ack")); err != nil {
		return err
	}
	l.down.Store(false)
	time.Sleep(3 * 24 * time.Hour)
	return nil
}

func (l *life) rotate(ctx context.Context, name string) error {
	if _, err := l.sm.RotateSecret(ctx, &sm.RotateSecretInput{SecretId: &name}); err != nil {
		return fmt.Errorf("rotate: %w", err)
	}
	return l.region.Cloud.Rotated(ctx, name)
}

// refused is a rotation that must not come to its end.
func (l *life) refused(ctx context.Context) error {
	before, err := l.current(ctx)
	if err != nil {
		return err
	}
	_ = l.rotate(ctx, l.secret) // what counts is what is current
	after, err := l.current(ctx)
	if err == nil && after != before {
		err = errors.New("a rotation came to its end")
	}
	return err
}

func (l *life) current(ctx context.Context) (version string, err error) {
	out, err := l.sm.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: aws.String(l.secret)})
	if err != nil {
		return "", fmt.Errorf("read the current value: %w", err)
	}
	return aws.ToString(out.VersionId), nil
}

// byHand stores a key that Keyturn does not know.
func (l *life) byHand(ctx context.Context, name string) error {
	value := encode(map[string]string{"apiKey": l.fake.Add("made by hand").Value.Reveal()})
	if _, err := l.sm.PutSecretValue(ctx, &sm.PutSecretValueInput{SecretId: &name, SecretString: aws.String(string(value))}); err != nil {
		return fmt.Errorf("store a value by hand: %w", err)
	}
	time.Sleep(time.Minute) // the label's event makes its record
	return nil
}

func (l *life) asked(mode string) map[string]any {
	return map[string]any{"version": 1, "mode": mode, "secret": l.secret, "reason": "a test"}
}

func (l *life) must(ctx context.Context, function string, in any) error {
	out, failure, err := l.region.Lambda.Invoke(ctx, function, encode(in))
	if err == nil && failure != "" {
		err = fmt.Errorf("%s: %s: %s", function, failure, out)
	}
	return err
}

// try is for what a strategy may refuse.
func (l *life) try(ctx context.Context, function string, in any) {
	if err := l.must(ctx, function, in); err != nil {
		_, _ = fmt.Fprintln(l.log, err)
	}
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // maps of strings
	}
	return b
}

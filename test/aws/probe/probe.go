// Package probe asks an AWS how it behaves where its documentation does not say,
// and test/cloud had to assume something.
//
// The probes run on the local AWS in every `make test`. They have not yet run on
// AWS itself: `make test-aws` does that, and writes what it saw to
// test/aws/recorded.json, which the local AWS must match from then on.
package probe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"
	"github.com/google/uuid"
)

// TagInstallation is the tag on everything that a probe makes; its value is the
// World's Name.
const TagInstallation = "keyturn:installation"

// Outcome is what a probe saw: text, numbers and truth values, without ids and
// times, so that two runs on one AWS give the same.
type Outcome map[string]any

// World is where probes run. All fields but Bus and Role are required.
type World struct {
	Config aws.Config
	// Name begins the name of everything that is made.
	Name string
	// Function is the ARN of a function that runs [Handle]. Secrets Manager and
	// EventBridge Scheduler may invoke it.
	Function string
	// Role is the ARN of a role with which EventBridge Scheduler invokes it.
	Role string
	// Bus brings events.
	Bus Bus
	// Patience is how long to wait for what AWS gives no time for, such as
	// CloudTrail's events. 0: 15 minutes.
	Patience time.Duration
}

// Bus is the account's default event bus.
type Bus interface {
	// Labels begins to collect the "Secret Label Updated" events of a secret. The
	// function that it returns ends that, and says how many there were.
	Labels(ctx context.Context, secretARN string) (func(context.Context) (int, error), error)
}

// Probe is one question.
type Probe struct {
	Name string
	// Claims are the assumptions that it is about: the beginning of a line of
	// test/cloud's list, or "package: words of its comment".
	Claims []string
	// Assumed is what the local AWS does.
	Assumed Outcome
	Run     func(context.Context, *World) (Outcome, error)
}

// All returns the probes.
func All() []Probe {
	var all []Probe
	for _, some := range [][]Probe{secretProbes(), rotationProbes(), failureProbes(), trailProbes(), otherProbes(), storageProbes()} {
		all = append(all, some...)
	}
	return all
}

// Diff says where two recordings of outcomes, by the probes' names, differ. A
// probe that is not in want was never recorded, and is no difference.
func Diff(want, got map[string]Outcome) []string {
	var out []string
	for _, p := range All() {
		w, ok := want[p.Name]
		if !ok {
			continue
		}
		if a, b := w.text(), got[p.Name].text(); a != b {
			out = append(out, fmt.Sprintf("%s:\n  recorded %s\n  local    %s", p.Name, a, b))
		}
	}
	return out
}

// text is JSON, whose objects are in the order of their keys.
func (o Outcome) text() string {
	b, err := json.Marshal(o)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// scene is what one probe has: a client, and names of its own.
type scene struct {
	*World
	sm    *sm.Client
	queue string
	base  string
	n     int
}

func (w *World) scene(probe string) *scene {
	return &scene{World: w, sm: sm.NewFromConfig(w.Config), base: w.Name + "-probe-" + probe}
}

// name is a new one.
func (s *scene) name() string {
	s.n++
	return fmt.Sprintf("%s-%d", s.base, s.n)
}

func (s *scene) tags() []types.Tag {
	return []types.Tag{{Key: aws.String(TagInstallation), Value: aws.String(s.Name)}}
}

// secret makes a secret with this value, and returns its ARN; without a value it
// has no version.
func (s *scene) secret(ctx context.Context, value, description string) (string, error) {
	in := &sm.CreateSecretInput{Name: aws.String(s.name()), Tags: s.tags()}
	if value != "" {
		in.SecretString = &value
	}
	if description != "" {
		in.Description = &description
	}
	out, err := s.sm.CreateSecret(ctx, in)
	if err != nil {
		return "", err
	}
	return *out.ARN, nil
}

// put adds a version with these labels, and returns its id.
func (s *scene) put(ctx context.Context, arn, value string, labels ...string) (string, error) {
	out, err := s.sm.PutSecretValue(ctx, &sm.PutSecretValueInput{SecretId: &arn, SecretString: &value, VersionStages: labels})
	if err != nil {
		return "", err
	}
	return *out.VersionId, nil
}

// labels are those of one version.
func (s *scene) labels(ctx context.Context, arn, version string) ([]string, error) {
	d, err := s.sm.DescribeSecret(ctx, &sm.DescribeSecretInput{SecretId: &arn})
	if err != nil {
		return nil, err
	}
	return d.VersionIdsToStages[version], nil
}

// directions makes a queue for what the function says, and returns a description
// that tells the function what to do.
func (s *scene) directions(ctx context.Context, do map[string]string) (string, error) {
	if s.queue == "" {
		out, err := sqs.NewFromConfig(s.Config).CreateQueue(ctx, &sqs.CreateQueueInput{
			QueueName: aws.String(s.base), Tags: map[string]string{TagInstallation: s.Name},
		})
		if err != nil {
			return "", err
		}
		s.queue = *out.QueueUrl
	}
	b, err := json.Marshal(directions{Queue: s.queue, Do: do})
	return string(b), err
}

// said reads what the function says until enough is true, or nothing came for
// the time of quiet.
func (s *scene) said(ctx context.Context, quiet time.Duration, enough func([]Said) bool) ([]Said, error) {
	var all []Said
	client := sqs.NewFromConfig(s.Config)
	for last := time.Now(); time.Since(last) < quiet; {
		out, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &s.queue, WaitTimeSeconds: 5, MaxNumberOfMessages: 10})
		if err != nil {
			return nil, err
		}
		for _, m := range out.Messages {
			var said Said
			if err := json.Unmarshal([]byte(aws.ToString(m.Body)), &said); err != nil {
				return nil, err
			}
			if _, err := client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &s.queue, ReceiptHandle: m.ReceiptHandle}); err != nil {
				return nil, err
			}
			all, last = append(all, said), time.Now()
		}
		if enough != nil && enough(all) {
			break
		}
	}
	return all, nil
}

// until asks again until the answer is yes; false if it never was.
func (s *scene) until(ctx context.Context, most time.Duration, ask func() (bool, error)) (bool, error) {
	for begin := time.Now(); ; {
		yes, err := ask()
		if yes || err != nil {
			return yes, err
		}
		if time.Since(begin) > most {
			return false, nil
		}
		if err := wait(ctx, 2*time.Second); err != nil {
			return false, err
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// code is the code of AWS's refusal, or "ok". Other errors are not an answer.
func code(err error) (string, error) {
	if err == nil {
		return "ok", nil
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode(), nil
	}
	return "", err
}

var (
	uuids  = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	arns   = regexp.MustCompile(`arn:aws[a-z-]*:[A-Za-z0-9:/_.@-]+`)
	oneOff = regexp.MustCompile(`[\w-]+-probe-[\w-]+`)
)

// refusal is code and text, without what is of this run.
func refusal(err error) (string, error) {
	c, other := code(err)
	api, ok := errors.AsType[smithy.APIError](err)
	if other != nil || !ok {
		return c, other
	}
	text := uuids.ReplaceAllString(api.ErrorMessage(), "ID")
	text = oneOff.ReplaceAllString(arns.ReplaceAllString(text, "ARN"), "NAME")
	return c + ": " + text, nil
}

func token() *string { return aws.String(uuid.NewString()) }

func contains(all []string, label string) bool {
	return strings.Contains(" "+strings.Join(all, " ")+" ", " "+label+" ")
}

func (w *World) patience() time.Duration {
	if w.Patience > 0 {
		return w.Patience
	}
	return 15 * time.Minute
}

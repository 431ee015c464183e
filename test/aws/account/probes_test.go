//go:build aws

package account_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/keyturn/keyturn/test/aws/own"
	"github.com/keyturn/keyturn/test/aws/probe"
)

// world makes the probes' function and roles.
func (r *run) world() *probe.World {
	r.Helper()
	name := r.Name + "-probe"
	arn := fmt.Sprintf("arn:aws:lambda:%s:%s:function:%s", r.place.Region, r.place.Account, name)
	here := func(service, rest string) string {
		return fmt.Sprintf("arn:aws:%s:%s:%s:%s", service, r.place.Region, r.place.Account, rest)
	}
	trust := func(service string) string {
		return policy(map[string]any{"Effect": "Allow", "Principal": map[string]any{"Service": service}, "Action": "sts:AssumeRole"})
	}
	r.principalNamed("Role", name, trust("lambda.amazonaws.com"),
		allow(here("secretsmanager", "secret:"+name+"-*"), "secretsmanager:DescribeSecret", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"),
		allow(here("sqs", name+"-*"), "sqs:SendMessage"),
		allow(here("logs", "log-group:/aws/lambda/"+name+":*"), "logs:CreateLogStream", "logs:PutLogEvents"))
	r.principalNamed("Role", name+"-schedule", trust("scheduler.amazonaws.com"), allow(arn, "lambda:InvokeFunction"))
	// Made here, for a group that Lambda makes has no tag.
	r.must(own.JSON(r.ctx, r.cfg, "logs", "Logs_20140328.CreateLogGroup", map[string]any{"logGroupName": "/aws/lambda/" + name, "tags": map[string]string{own.Tag: r.Name}}, nil))
	client := lambda.NewFromConfig(r.cfg)
	code := r.code()
	for try := 0; ; try++ { // until Lambda may take the new role
		_, err := client.CreateFunction(r.ctx, &lambda.CreateFunctionInput{
			FunctionName: &name, Role: aws.String("arn:aws:iam::" + r.place.Account + ":role/" + name), Handler: aws.String("bootstrap"),
			Runtime: types.RuntimeProvidedal2023, Architectures: []types.Architecture{types.ArchitectureArm64}, Timeout: aws.Int32(60),
			Code: &types.FunctionCode{ZipFile: code}, Tags: map[string]string{own.Tag: r.Name},
		})
		if err == nil {
			break
		}
		if codeOf(err) != "InvalidParameterValueException" || try == 12 {
			r.Fatal(err)
		}
		r.pause(5 * time.Second)
	}
	r.must(lambda.NewFunctionActiveV2Waiter(client).Wait(r.ctx, &lambda.GetFunctionInput{FunctionName: &name}, 3*time.Minute))
	_, err := client.AddPermission(r.ctx, &lambda.AddPermissionInput{
		FunctionName: &name, StatementId: aws.String("rotation"), Action: aws.String("lambda:InvokeFunction"),
		Principal: aws.String("secretsmanager.amazonaws.com"), SourceAccount: &r.place.Account,
	})
	r.must(err)
	r.pause(15 * time.Second) // IAM is eventually consistent, and no figure is documented; this one is ours
	return &probe.World{Config: r.cfg, Name: r.Name, Function: arn, Role: "arn:aws:iam::" + r.place.Account + ":role/" + name + "-schedule", Bus: &bus{run: r}}
}

// code is the function, built for Lambda.
func (r *run) code() []byte {
	r.Helper()
	program := filepath.Join(r.TempDir(), "bootstrap")
	c := exec.CommandContext(r.ctx, "go", "build", "-tags=lambda.norpc", "-trimpath", "-ldflags=-s -w", "-o", program, "./test/aws/probe/function") //nolint:gosec // our own
	c.Dir, c.Env = root, append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		r.Fatalf("%v\n%s", err, out)
	}
	b, err := os.ReadFile(program) //nolint:gosec // just built
	r.must(err)
	var z bytes.Buffer
	w := zip.NewWriter(&z)
	h := &zip.FileHeader{Name: "bootstrap", Method: zip.Deflate}
	h.SetMode(0o755)
	f, err := w.CreateHeader(h)
	r.must(err)
	_, err = f.Write(b)
	r.must(err)
	r.must(w.Close())
	return z.Bytes()
}

// bus has a rule and a queue for each secret that is watched.
type bus struct {
	*run
	mu sync.Mutex
	n  int
}

func (b *bus) call(ctx context.Context, action string, in any) error {
	return own.JSON(ctx, b.cfg, "events", "AWSEvents."+action, in, nil)
}

// Labels implements [probe.Bus]. The sweep removes rule and queue.
func (b *bus) Labels(ctx context.Context, secret string) (func(context.Context) (int, error), error) {
	b.mu.Lock()
	b.n++
	name := fmt.Sprintf("%s-bus-%d", b.Name, b.n)
	b.mu.Unlock()
	rule := fmt.Sprintf("arn:aws:events:%s:%s:rule/%s", b.place.Region, b.place.Account, name)
	target := fmt.Sprintf("arn:aws:sqs:%s:%s:%s", b.place.Region, b.place.Account, name)
	client := sqs.NewFromConfig(b.cfg)
	queue, err := client.CreateQueue(ctx, &sqs.CreateQueueInput{
		QueueName: &name, Tags: map[string]string{own.Tag: b.Name}, Attributes: map[string]string{"Policy": policy(map[string]any{
			"Effect": "Allow", "Principal": map[string]any{"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": target,
			"Condition": map[string]any{"ArnEquals": map[string]any{"aws:SourceArn": rule}},
		})},
	})
	if err != nil {
		return nil, err
	}
	pattern := fmt.Sprintf(`{"source":["aws.secretsmanager"],"detail-type":["Secret Label Updated"],"resources":[%q]}`, secret)
	tags := []map[string]string{{"Key": own.Tag, "Value": b.Name}}
	if err := b.call(ctx, "PutRule", map[string]any{"Name": name, "EventPattern": pattern, "Tags": tags}); err != nil {
		return nil, err
	}
	if err := b.call(ctx, "PutTargets", map[string]any{"Rule": name, "Targets": []map[string]string{{"Id": "queue", "Arn": target}}}); err != nil {
		return nil, err
	}
	select { // a new rule takes a while
	case <-time.After(30 * time.Second):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return func(ctx context.Context) (n int, err error) {
		for range 3 { // a receive may miss some
			out, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: queue.QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 10, VisibilityTimeout: 300})
			if err != nil {
				return n, err
			}
			n += len(out.Messages)
		}
		return n, nil
	}, nil
}

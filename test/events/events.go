// Package events sends the samples of events/ to the functions, on a local AWS
// that is in the state they speak of.
package events

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/keyturn/keyturn/shared/function/audit"
	"github.com/keyturn/keyturn/shared/function/chat"
	"github.com/keyturn/keyturn/shared/function/review"
	"github.com/keyturn/keyturn/shared/provider/cloudflare/cloudflaretest"
	"github.com/keyturn/keyturn/shared/provider/sendgrid/sendgridtest"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/cloud/secretsmanager"
	"github.com/keyturn/keyturn/test/stack"
)

// What the samples speak of. The vendor of EdgeSecret can disable keys, that of
// Secret cannot.
const (
	Secret      = "prod/mailer/sendgrid"
	Account     = "sendgrid-main"
	EdgeSecret  = "prod/edge/cloudflare"
	EdgeAccount = "cloudflare-main"
	Token       = "5f0c8a52-1d0b-4c5e-9a57-3b1f6f6f2c11"
	arn         = "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/mailer/sendgrid-AbCdEf"
)

// Vendors are the simulators of both vendors, at one address.
type Vendors struct {
	Mailer *sendgridtest.Server
	Edge   *cloudflaretest.Server
}

// NewVendors returns simulators that live by clock.
func NewVendors(clock func() time.Time) *Vendors {
	return &Vendors{sendgridtest.New(clock, sendgridtest.Options{}), cloudflaretest.New(clock, cloudflaretest.Options{})}
}

const edgePath = "/client/v4"

// ServeHTTP implements http.Handler.
func (v *Vendors) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, edgePath+"/") {
		v.Edge.ServeHTTP(w, r)
		return
	}
	v.Mailer.ServeHTTP(w, r)
}

// Region returns a local AWS whose rotations begin and go no further, so that a
// sample's step finds its token staged and nothing done.
func Region() *region.Region {
	none := cloud.InvokerFunc(func(context.Context, string, []byte) ([]byte, string, error) { return nil, "Unhandled", nil })
	return region.New(region.Options{Cloud: cloud.Options{Invoker: none, SecretsManager: secretsmanager.Options{Attempts: 1}}})
}

// Options returns a deployment of the samples' keys, with their vendors at base.
func Options(v *Vendors, base, host string) stack.Options {
	const owner = "mailer@example.com"
	return stack.Options{
		Accounts: map[string]stack.Account{
			Account:     {Provider: "sendgrid", Base: base, Hosts: []string{host}, Admin: v.Mailer.Admin(host)},
			EdgeAccount: {Provider: "cloudflare", Base: base + edgePath, Hosts: []string{host}, Admin: v.Edge.Admin(host)},
		},
		Keys: map[string]stack.Key{
			Secret: {Account: Account, Settings: map[string]any{"scopes": []string{"mail.send"}}, Owner: owner},
			EdgeSecret: {Account: EdgeAccount, Owner: owner, Settings: map[string]any{"policies": []any{map[string]any{
				"effect": "allow", "permission_groups": []any{map[string]any{"id": "c8fed203ed3043cba015a93ad1616f1f"}},
				"resources": map[string]any{"com.cloudflare.api.account.zone.*": "*"},
			}}}},
		},
		Timeout: 30 * time.Second,
	}
}

// Function returns the name of the function that a sample is sent to.
func Function(function, sample string) string {
	account := Account
	if sample == restore {
		account = EdgeAccount
	}
	switch function {
	case "rotate":
		return stack.Rotate(account)
	case "retire":
		return stack.Retire(account)
	case audit.Name:
		return stack.Auditor
	case review.Name:
		return stack.Reviewer
	case chat.Name:
		return stack.Channels + ":" + channel
	}
	return stack.RotateNow
}

// Send invokes a function with a sample, as [lambda.Service.Invoke] does. The
// sample's ARN is replaced by the secret's real one, which AWS chose, and the time
// of what CloudTrail and our functions tell of by a minute ago.
func Send(ctx context.Context, s *stack.Stack, function, sample string) (answer []byte, failure string, err error) {
	return send(ctx, s, function, sample, time.Minute)
}

func send(ctx context.Context, s *stack.Stack, function, sample string, ago time.Duration) (answer []byte, failure string, err error) {
	event, err := Read(function, sample)
	if err != nil {
		return nil, "", err
	}
	d, err := sm.NewFromConfig(s.Region.Cloud.Config()).DescribeSecret(ctx, &sm.DescribeSecretInput{SecretId: aws.String(Secret)})
	if err != nil {
		return nil, "", fmt.Errorf("describe the secret: %w", err)
	}
	event = []byte(dated(strings.ReplaceAll(string(event), arn, aws.ToString(d.ARN)), s.Region.Cloud.Clock().Now().Add(-ago)))
	return s.Region.Lambda.Invoke(ctx, Function(function, sample), event)
}

// Read returns a sample.
func Read(function, sample string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(folder(), function, sample+".json"))
	if err != nil {
		return nil, fmt.Errorf("read the sample: %w", err)
	}
	if !json.Valid(b) {
		return nil, fmt.Errorf("the sample %s/%s is not JSON", function, sample)
	}
	return b, nil
}

// Functions are the functions that have samples.
func Functions() []string {
	return []string{"rotate", "retire", "rotatenow", audit.Name, review.Name, chat.Name}
}

// Samples returns the names of a function's samples.
func Samples(function string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(folder(), function, "*.json"))
	for i, f := range files {
		files[i] = strings.TrimSuffix(filepath.Base(f), ".json")
	}
	return files, err
}

// folder finds events/ from the repository's root and from a test's folder.
func folder() string {
	if _, err := os.Stat("events/rotate"); err == nil {
		return "events"
	}
	return "../../events"
}

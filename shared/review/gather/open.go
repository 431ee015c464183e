package gather

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	access "github.com/keyturn/keyturn/shared/iam"
)

// attempts of one call: a review of thousands of keys meets the quotas of
// GetResourcePolicy and of IAM, and may wait.
const attempts = 10

// Open returns a Gatherer of the account and cfg's Region, which asks AWS with cfg and
// slows down when it is throttled. It calls nothing. Now is still needed.
func Open(cfg aws.Config, account string) *Gatherer {
	cfg = cfg.Copy()
	cfg.Retryer = func() aws.Retryer {
		return retry.NewAdaptiveMode(func(o *retry.AdaptiveModeOptions) {
			o.StandardOptions = append(o.StandardOptions, func(s *retry.StandardOptions) { s.MaxAttempts = attempts })
		})
	}
	return &Gatherer{
		Account: account, Region: cfg.Region, Partition: access.Partition(cfg.Region),
		IAM: iam.NewFromConfig(cfg), Secrets: secretsmanager.NewFromConfig(cfg), KMS: kms.NewFromConfig(cfg), Organization: organizations.NewFromConfig(cfg),
	}
}

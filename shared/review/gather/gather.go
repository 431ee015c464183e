// Package gather asks AWS, the ledger and the keys' records for all that a review
// looks at. It reads no value of a secret.
//
// What is refused makes its part unknown, and the review says so: it never makes
// somebody who can read one who cannot.
package gather

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/keyturn/keyturn/shared/awserror"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/review"
)

// IAM is what is asked of IAM.
type IAM interface {
	GetAccountAuthorizationDetails(context.Context, *iam.GetAccountAuthorizationDetailsInput, ...func(*iam.Options)) (*iam.GetAccountAuthorizationDetailsOutput, error)
}

// Secrets is what is asked of Secrets Manager: never for a value.
type Secrets interface {
	ListSecrets(context.Context, *secretsmanager.ListSecretsInput, ...func(*secretsmanager.Options)) (*secretsmanager.ListSecretsOutput, error)
	DescribeSecret(context.Context, *secretsmanager.DescribeSecretInput, ...func(*secretsmanager.Options)) (*secretsmanager.DescribeSecretOutput, error)
	GetResourcePolicy(context.Context, *secretsmanager.GetResourcePolicyInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetResourcePolicyOutput, error)
}

// KMS is what is asked of KMS.
type KMS interface {
	DescribeKey(context.Context, *kms.DescribeKeyInput, ...func(*kms.Options)) (*kms.DescribeKeyOutput, error)
	GetKeyPolicy(context.Context, *kms.GetKeyPolicyInput, ...func(*kms.Options)) (*kms.GetKeyPolicyOutput, error)
}

// Organization is what is asked of AWS Organizations.
type Organization interface {
	DescribeOrganization(context.Context, *organizations.DescribeOrganizationInput, ...func(*organizations.Options)) (*organizations.DescribeOrganizationOutput, error)
	ListParents(context.Context, *organizations.ListParentsInput, ...func(*organizations.Options)) (*organizations.ListParentsOutput, error)
	ListPoliciesForTarget(context.Context, *organizations.ListPoliciesForTargetInput, ...func(*organizations.Options)) (*organizations.ListPoliciesForTargetOutput, error)
	DescribePolicy(context.Context, *organizations.DescribePolicyInput, ...func(*organizations.Options)) (*organizations.DescribePolicyOutput, error)
}

// Records is what is asked of the keys' records.
type Records interface {
	Load(ctx context.Context, secret string) (keyrecord.Book, error)
}

// Ledger is where who did read is known from.
type Ledger struct {
	Objects ledger.Objects
	// Newest returns the checkpoint up to which it is read.
	Newest func(context.Context) (ledger.Checkpoint, error)
}

// Gatherer gathers. It is safe for concurrent use.
type Gatherer struct {
	Account, Partition, Region string // needed

	IAM          IAM          // needed
	Secrets      Secrets      // needed
	KMS          KMS          // needed
	Organization Organization // needed

	Records Records      // nil: the keys' records are not known
	Ledger  *Ledger      // nil: who did read is not known
	Site    *detect.Site // nil: neither Keyturn's roles nor exceptions are known
	// Keys are those that are reviewed, with the admin credentials that they need;
	// nil: every secret of the account and Region.
	Keys []config.Key
	// Limit says in words how many keys there may be at a vendor; nil: not known.
	Limit func(vendor string) string

	Now      func() time.Time // needed
	Parallel int              // calls at once; 0: 8
}

// lookback is how far the reads are looked at.
const lookback = 90 * 24 * time.Hour

// Gather asks for everything. Its error is the context's only: all else is in the
// Input, as what is not known.
func (g *Gatherer) Gather(ctx context.Context) (review.Input, error) {
	c := &collection{Gatherer: g, in: review.Input{
		Account: g.Account, Partition: g.Partition, Region: g.Region, Now: g.Now(), Missing: []string{},
	}}
	if g.Site != nil {
		c.in.OwnRoles = g.Site.Roles
	}
	for _, part := range []func(context.Context){c.principals, c.control, c.secrets, c.keys, c.records, c.ledger, c.exceptions} {
		n := len(c.in.Missing)
		part(ctx)
		slices.Sort(c.in.Missing[n:]) // calls are made at once
		if err := context.Cause(ctx); err != nil {
			return review.Input{}, fmt.Errorf("gather what a review looks at: %w", err)
		}
	}
	return c.in, nil
}

// collection is one gathering.
type collection struct {
	*Gatherer
	in review.Input

	mu sync.Mutex // of in, while calls are made at once
}

func (c *collection) missing(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.in.Missing = append(c.in.Missing, fmt.Sprintf(format, args...))
}

// why is an error in few words. What is no refusal may be another answer next time.
func (c *collection) why(err error) string {
	code := words(err)
	if !slices.ContainsFunc([]string{"AccessDenied", "NotFound", "Invalid", "UnsupportedOperation", "Malformed"}, func(part string) bool { return strings.Contains(code, part) }) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.in.Unanswered = true
	}
	return code
}

func words(err error) string {
	if e, ok := errors.AsType[*awserror.Error](err); ok && e.Code != "" {
		return e.Code
	}
	if code := awserror.Code(err); code != "" {
		return code
	}
	return "no usable answer"
}

// each calls do for 0 to n-1, some at once, until the context ends.
func (c *collection) each(ctx context.Context, n int, do func(i int)) {
	atOnce := c.Parallel
	if atOnce <= 0 {
		atOnce = 8
	}
	var wg sync.WaitGroup
	work := make(chan int)
	for range min(atOnce, n) {
		wg.Go(func() {
			for i := range work {
				do(i)
			}
		})
	}
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		work <- i
	}
	close(work)
	wg.Wait()
}

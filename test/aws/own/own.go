// Package own says what belongs to a run of `make test-aws`, and removes that and
// nothing else from an operator's account.
//
// What it asks of Secrets Manager is tested on the local AWS. The other services'
// calls have not yet run anywhere: see the README.
package own

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Tag is the tag on everything that a run makes; its value is the run's name.
const Tag = "keyturn:installation"

// The environment variables without which nothing is done.
const (
	AccountVariable = "KEYTURN_TEST_AWS_ACCOUNT"
	RegionVariable  = "KEYTURN_TEST_AWS_REGION"
)

const prefix = "kt-test-"

// nameForm has to end where the run's name does, so that one run's name never
// begins another's.
var nameForm = regexp.MustCompile(`^kt-test-[0-9a-f]{8}($|[-/_.])`)

// New returns the name of a new run, with which all of its names begin.
func New(random io.Reader) (string, error) {
	b := make([]byte, 4)
	if _, err := io.ReadFull(random, b); err != nil {
		return "", fmt.Errorf("make a name: %w", err)
	}
	return prefix + hex.EncodeToString(b), nil
}

// Run returns the name of the run that a resource belongs to: its name begins
// with the run's, and its tag says the same. "" is of no run, and never touched.
func Run(name string, tags map[string]string) string {
	if !nameForm.MatchString(name) {
		return ""
	}
	run := name[:len(prefix)+8]
	if tags[Tag] != run {
		return ""
	}
	return run
}

// Place is the account and Region that the operator chose.
type Place struct{ Account, Region string }

// Chosen reads the operator's choice from the environment.
func Chosen(getenv func(string) string) (Place, error) {
	p := Place{getenv(AccountVariable), getenv(RegionVariable)}
	if len(p.Account) != 12 || strings.Trim(p.Account, "0123456789") != "" {
		return p, errors.New(AccountVariable + " is not set to the 12 digits of the account in which to test: choose one in which nothing matters")
	}
	if p.Region == "" {
		return p, errors.New(RegionVariable + " is not set to the Region in which to test")
	}
	return p, nil
}

// Guard returns the caller's ARN, or an error if the caller is not in the place.
func Guard(ctx context.Context, cfg aws.Config, p Place) (string, error) {
	if cfg.Region != p.Region {
		return "", fmt.Errorf("the Region is %s, and %s says %s", cfg.Region, RegionVariable, p.Region)
	}
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", fmt.Errorf("ask who calls: %w", err)
	}
	if got := aws.ToString(who.Account); got != p.Account {
		return "", fmt.Errorf("the credentials are of the account %s, and %s says %s: nothing was made", got, AccountVariable, p.Account)
	}
	return aws.ToString(who.Arn), nil
}

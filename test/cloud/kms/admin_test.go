package kms_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/test/cloud/clock"
	"github.com/keyturn/keyturn/test/cloud/kms"
	"github.com/keyturn/keyturn/test/cloud/wire/wiretest"
)

func refused(t *testing.T, what string, err error, code string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), code) {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

// made is a new KMS with a symmetric key.
func made(t *testing.T) (*sdk.Client, *types.KeyMetadata) {
	t.Helper()
	c := sdk.NewFromConfig(wiretest.Config("kms", kms.New(), clock.New()))
	k, err := c.CreateKey(t.Context(), &sdk.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	return c, k.KeyMetadata
}

func TestKeyPolicy(t *testing.T) {
	t.Parallel()
	c, k := made(t)
	if k.KeySpec != types.KeySpecSymmetricDefault || k.KeyUsage != types.KeyUsageTypeEncryptDecrypt {
		t.Errorf("key %+v", k)
	}
	p, err := c.GetKeyPolicy(t.Context(), &sdk.GetKeyPolicyInput{KeyId: k.Arn})
	if err != nil || !strings.Contains(*p.Policy, "arn:aws:iam::123456789012:root") || *p.PolicyName != "default" {
		t.Errorf("%+v, %v", p, err)
	}
	const open = `{"Version":"2012-10-17","Statement":[]}`
	if _, err := c.PutKeyPolicy(t.Context(), &sdk.PutKeyPolicyInput{KeyId: k.KeyId, Policy: aws.String(open)}); err != nil {
		t.Error(err)
	}
	if p, err = c.GetKeyPolicy(t.Context(), &sdk.GetKeyPolicyInput{KeyId: k.KeyId}); err != nil || *p.Policy != open {
		t.Errorf("%+v, %v", p, err)
	}
	_, err = c.PutKeyPolicy(t.Context(), &sdk.PutKeyPolicyInput{KeyId: k.KeyId, Policy: aws.String("{")})
	refused(t, "no JSON", err, "MalformedPolicyDocumentException")
	_, err = c.GetKeyPolicy(t.Context(), &sdk.GetKeyPolicyInput{KeyId: aws.String("none")})
	refused(t, "no key", err, "NotFoundException")
}

func TestListAliases(t *testing.T) {
	t.Parallel()
	c, k := made(t)
	other, err := c.CreateKey(t.Context(), &sdk.CreateKeyInput{})
	if err != nil {
		t.Fatal(err)
	}
	for name, of := range map[string]*string{"alias/a": k.KeyId, "alias/b": other.KeyMetadata.KeyId, "alias/c": k.KeyId} {
		if _, err := c.CreateAlias(t.Context(), &sdk.CreateAliasInput{AliasName: &name, TargetKeyId: of}); err != nil {
			t.Fatal(err)
		}
	}
	list := func(in *sdk.ListAliasesInput) (names []string) {
		pages := sdk.NewListAliasesPaginator(c, in)
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range page.Aliases {
				names = append(names, *a.AliasName)
			}
		}
		return names
	}
	if diff := cmp.Diff([]string{"alias/a", "alias/b", "alias/c"}, list(&sdk.ListAliasesInput{Limit: aws.Int32(2)})); diff != "" {
		t.Errorf("all (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"alias/a", "alias/c"}, list(&sdk.ListAliasesInput{KeyId: k.KeyId})); diff != "" {
		t.Errorf("of a key (-want +got):\n%s", diff)
	}
}

func TestScheduleKeyDeletion(t *testing.T) {
	t.Parallel()
	c := sdk.NewFromConfig(wiretest.Config("kms", kms.New(), clock.New()))
	k, err := c.CreateKey(t.Context(), &sdk.CreateKeyInput{KeySpec: types.KeySpecEccNistEdwards25519, KeyUsage: types.KeyUsageTypeSignVerify})
	if err != nil {
		t.Fatal(err)
	}
	id := k.KeyMetadata.KeyId
	sign := func() error {
		_, err := c.Sign(t.Context(), &sdk.SignInput{KeyId: id, Message: []byte("m"), SigningAlgorithm: types.SigningAlgorithmSpecEd25519Sha512})
		return err
	}
	state := func() types.KeyState {
		d, err := c.DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: id})
		if err != nil {
			t.Fatal(err)
		}
		return d.KeyMetadata.KeyState
	}
	_, err = c.CancelKeyDeletion(t.Context(), &sdk.CancelKeyDeletionInput{KeyId: id})
	refused(t, "not scheduled", err, "KMSInvalidStateException")
	_, err = c.ScheduleKeyDeletion(t.Context(), &sdk.ScheduleKeyDeletionInput{KeyId: id, PendingWindowInDays: aws.Int32(6)})
	refused(t, "six days", err, "ValidationException")
	if _, err := c.ScheduleKeyDeletion(t.Context(), &sdk.ScheduleKeyDeletionInput{KeyId: id}); err != nil || state() != types.KeyStatePendingDeletion {
		t.Errorf("scheduled: %v, %s", err, state())
	}
	refused(t, "sign", sign(), "KMSInvalidStateException")
	_, err = c.EnableKey(t.Context(), &sdk.EnableKeyInput{KeyId: id})
	refused(t, "enable", err, "KMSInvalidStateException")
	if _, err := c.CancelKeyDeletion(t.Context(), &sdk.CancelKeyDeletionInput{KeyId: id}); err != nil || state() != types.KeyStateDisabled {
		t.Errorf("taken back: %v, %s", err, state())
	}
	if _, err := c.EnableKey(t.Context(), &sdk.EnableKeyInput{KeyId: id}); err != nil || sign() != nil {
		t.Errorf("enabled: %v, %v", err, sign())
	}
}

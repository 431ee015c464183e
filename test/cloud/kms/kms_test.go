package kms_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"

	"github.com/keyturn/keyturn/test/cloud/clock"
	"github.com/keyturn/keyturn/test/cloud/kms"
	"github.com/keyturn/keyturn/test/cloud/wire/wiretest"
)

func client(t *testing.T) (*sdk.Client, *string) {
	t.Helper()
	c := sdk.NewFromConfig(wiretest.Config("kms", kms.New(), clock.New()))
	out, err := c.CreateKey(t.Context(), &sdk.CreateKeyInput{KeySpec: types.KeySpecEccNistEdwards25519, KeyUsage: types.KeyUsageTypeSignVerify})
	if err != nil {
		t.Fatal(err)
	}
	return c, out.KeyMetadata.Arn
}

func TestSignatureVerifiesElsewhere(t *testing.T) {
	t.Parallel()
	c, id := client(t)
	message := []byte("a checkpoint")
	signed, err := c.Sign(t.Context(), &sdk.SignInput{KeyId: id, Message: message, MessageType: types.MessageTypeRaw, SigningAlgorithm: types.SigningAlgorithmSpecEd25519Sha512})
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.GetPublicKey(t.Context(), &sdk.GetPublicKeyInput{KeyId: id})
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.ParsePKIXPublicKey(out.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if !ed25519.Verify(public.(ed25519.PublicKey), message, signed.Signature) {
		t.Error("the signature does not verify with the standard library")
	}
	verify := func(message string) error {
		_, err := c.Verify(t.Context(), &sdk.VerifyInput{KeyId: id, Message: []byte(message), Signature: signed.Signature, SigningAlgorithm: types.SigningAlgorithmSpecEd25519Sha512})
		return err
	}
	if err := verify("a checkpoint"); err != nil {
		t.Error(err)
	}
	if err := verify("another"); code(err) != "KMSInvalidSignatureException" {
		t.Errorf("another message: %v", err)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	c, id := client(t)
	sign := func(id *string, size int, kind types.MessageType, a types.SigningAlgorithmSpec) string {
		_, err := c.Sign(t.Context(), &sdk.SignInput{KeyId: id, Message: make([]byte, size), MessageType: kind, SigningAlgorithm: a})
		return code(err)
	}
	const good = types.SigningAlgorithmSpecEd25519Sha512
	for _, tt := range []struct{ name, got, want string }{
		{"absent", sign(aws.String("none"), 1, types.MessageTypeRaw, good), "NotFoundException"},
		{"other algorithm", sign(id, 1, types.MessageTypeRaw, types.SigningAlgorithmSpecEcdsaSha256), "InvalidKeyUsageException"},
		{"digest", sign(id, 64, types.MessageTypeDigest, good), "ValidationException"},
		{"at the limit", sign(id, 4096, types.MessageTypeRaw, good), ""},
		{"too long", sign(id, 4097, types.MessageTypeRaw, good), "ValidationException"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, tt.got, tt.want)
		}
	}
	if _, err := c.DisableKey(t.Context(), &sdk.DisableKeyInput{KeyId: id}); err != nil {
		t.Fatal(err)
	}
	if got := sign(id, 1, types.MessageTypeRaw, good); got != "DisabledException" {
		t.Errorf("disabled: %q", got)
	}
	out, err := c.DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: id})
	if err != nil || out.KeyMetadata.Enabled || out.KeyMetadata.KeyState != types.KeyStateDisabled {
		t.Errorf("%+v, %v", out, err)
	}
	if _, err := c.EnableKey(t.Context(), &sdk.EnableKeyInput{KeyId: id}); err != nil {
		t.Fatal(err)
	}
	if got := sign(id, 1, types.MessageTypeRaw, good); got != "" {
		t.Errorf("enabled again: %q", got)
	}
}

func TestAlias(t *testing.T) {
	t.Parallel()
	c, id := client(t)
	alias := func(name, target string) string {
		_, err := c.CreateAlias(t.Context(), &sdk.CreateAliasInput{AliasName: &name, TargetKeyId: &target})
		return code(err)
	}
	for _, tt := range []struct{ name, target, want string }{
		{"alias/ledger", *id, ""},
		{"alias/ledger", *id, "AlreadyExistsException"},
		{"ledger", *id, "InvalidAliasNameException"},
		{"alias/aws/ledger", *id, "InvalidAliasNameException"},
		{"alias/other", "none", "NotFoundException"},
		{"alias/other", "alias/ledger", "ValidationException"},
	} {
		if got := alias(tt.name, tt.target); got != tt.want {
			t.Errorf("%s of %s: %q, want %q", tt.name, tt.target, got, tt.want)
		}
	}
	for _, name := range []string{"alias/ledger", "arn:aws:kms:us-east-1:123456789012:alias/ledger"} {
		out, err := c.Sign(t.Context(), &sdk.SignInput{KeyId: &name, Message: []byte("x"), SigningAlgorithm: types.SigningAlgorithmSpecEd25519Sha512})
		if err != nil || *out.KeyId != *id {
			t.Errorf("%s: %+v, %v", name, out, err)
		}
	}
	_, err := c.GetPublicKey(t.Context(), &sdk.GetPublicKeyInput{KeyId: aws.String("alias/none")})
	if code(err) != "NotFoundException" {
		t.Errorf("no alias: %v", err)
	}
}

// code is the code AWS answered with, "" for a success.
func code(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return err.Error()
}

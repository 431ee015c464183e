// Package kms signs the checkpoints of a ledger with an Ed25519 key that never
// leaves AWS's Key Management Service.
package kms

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"golang.org/x/mod/sumdb/note"

	"github.com/keyturn/keyturn/shared/awserror"
)

// Client is what this package needs of the SDK's client.
type Client interface {
	Sign(context.Context, *kms.SignInput, ...func(*kms.Options)) (*kms.SignOutput, error)
	GetPublicKey(context.Context, *kms.GetPublicKeyInput, ...func(*kms.Options)) (*kms.GetPublicKeyOutput, error)
}

// Signer is a ledger.Signer. It is used by several goroutines at once.
type Signer struct {
	client Client
	key    string
}

// New returns a signer with key: an id, ARN or alias of a key of spec
// ECC_NIST_EDWARDS25519. It calls nothing.
func New(client Client, key string) *Signer { return &Signer{client: client, key: key} }

// Sign signs message, of up to 4,096 bytes.
// https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html
func (s *Signer) Sign(ctx context.Context, message []byte) ([]byte, error) {
	out, err := s.client.Sign(ctx, &kms.SignInput{
		KeyId: &s.key, Message: message,
		MessageType: types.MessageTypeRaw, SigningAlgorithm: types.SigningAlgorithmSpecEd25519Sha512,
	})
	if err != nil {
		return nil, awserror.Safe("Sign", err)
	}
	return out.Signature, nil
}

// VerifierKey returns the verifier key, such as note.NewVerifier and other tools take
// it, of the log of this name: https://pkg.go.dev/golang.org/x/mod/sumdb/note. It is
// public. Keep it outside of the account: who verifies must not ask AWS which
// key is right.
func (s *Signer) VerifierKey(ctx context.Context, name string) (string, error) {
	out, err := s.client.GetPublicKey(ctx, &kms.GetPublicKeyInput{KeyId: &s.key})
	if err != nil {
		return "", awserror.Safe("GetPublicKey", err)
	}
	parsed, err := x509.ParsePKIXPublicKey(out.PublicKey)
	if err != nil {
		return "", errors.New("parse public key: not the DER of a key")
	}
	public, ok := parsed.(ed25519.PublicKey)
	if !ok {
		return "", errors.New("parse public key: not an Ed25519 key")
	}
	vkey, err := note.NewEd25519VerifierKey(name, public)
	if err != nil {
		return "", fmt.Errorf("name key: %w", err)
	}
	return vkey, nil
}

// Verifier returns the verifier of VerifierKey.
func (s *Signer) Verifier(ctx context.Context, name string) (note.Verifier, error) {
	vkey, err := s.VerifierKey(ctx, name)
	if err != nil {
		return nil, err
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return nil, fmt.Errorf("make verifier: %w", err)
	}
	return v, nil
}

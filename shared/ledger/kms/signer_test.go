package kms_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"golang.org/x/mod/sumdb/note"

	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/ledger/kms"
	"github.com/keyturn/keyturn/shared/ledger/ledgertest"
	"github.com/keyturn/keyturn/test/cloud/clock"
	local "github.com/keyturn/keyturn/test/cloud/kms"
	"github.com/keyturn/keyturn/test/cloud/wire/wiretest"
)

const origin = "keyturn.example/ledger"

func newKey(t *testing.T) (*sdk.Client, string) {
	t.Helper()
	clk := clock.New()
	t.Cleanup(clk.Stop)
	c := sdk.NewFromConfig(wiretest.Config("kms", local.New(), clk))
	out, err := c.CreateKey(t.Context(), &sdk.CreateKeyInput{KeySpec: types.KeySpecEccNistEdwards25519, KeyUsage: types.KeyUsageTypeSignVerify})
	if err != nil {
		t.Fatal(err)
	}
	return c, *out.KeyMetadata.Arn
}

// A checkpoint that KMS signed is one for golang.org/x/mod/sumdb/note.
func TestCheckpoint(t *testing.T) {
	t.Parallel()
	c, id := newKey(t)
	s := kms.New(c, id)
	v, err := s.Verifier(t.Context(), origin)
	if err != nil {
		t.Fatal(err)
	}
	m := &ledgertest.Memory{}
	l := ledger.New(ledger.Config{Objects: m, Head: m, Signer: s, Verifier: v})
	if err := l.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	e := ledger.Entry{ID: "1", Writer: "w", Time: time.Unix(1e9, 0), Act: json.RawMessage(`{}`)}
	if _, err := l.Append(t.Context(), []ledger.Entry{e}); err != nil {
		t.Fatal(err)
	}
	signed, err := m.Read(t.Context(), "checkpoint/1")
	if err != nil {
		t.Fatal(err)
	}
	vkey, err := s.VerifierKey(t.Context(), origin)
	if err != nil {
		t.Fatal(err)
	}
	other, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := note.Open(signed, note.VerifierList(other)); err != nil {
		t.Error(err)
	}
}

// The key of the configuration is not the one that signs: nothing is signed in vain.
func TestOtherKey(t *testing.T) {
	t.Parallel()
	c, id := newKey(t)
	k, err := ledgertest.NewKey(origin, "seed")
	if err != nil {
		t.Fatal(err)
	}
	m := &ledgertest.Memory{}
	l := ledger.New(ledger.Config{Objects: m, Head: m, Signer: kms.New(c, id), Verifier: k.Verifier})
	if err := l.Create(t.Context()); err == nil {
		t.Error("a checkpoint that does not verify was taken")
	}
	if paths := m.Paths(); len(paths) != 0 {
		t.Errorf("stored %v", paths)
	}
}

func TestDisabled(t *testing.T) {
	t.Parallel()
	c, id := newKey(t)
	if _, err := c.DisableKey(t.Context(), &sdk.DisableKeyInput{KeyId: &id}); err != nil {
		t.Fatal(err)
	}
	s := kms.New(c, id)
	if _, err := s.Sign(t.Context(), []byte("x")); err == nil || err.Error() != "Sign: DisabledException" {
		t.Errorf("sign: %v", err)
	}
	if _, err := s.Verifier(t.Context(), origin); err == nil || err.Error() != "GetPublicKey: DisabledException" {
		t.Errorf("verifier: %v", err)
	}
}

// public answers with a key that is not of the ledger's kind.
type public struct {
	*sdk.Client
	der []byte
}

func (p public) GetPublicKey(context.Context, *sdk.GetPublicKeyInput, ...func(*sdk.Options)) (*sdk.GetPublicKeyOutput, error) {
	return &sdk.GetPublicKeyOutput{PublicKey: p.der}, nil
}

func TestOtherKinds(t *testing.T) {
	t.Parallel()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"ECDSA": der, "half": der[:10], "none": nil} {
		if v, err := kms.New(public{der: data}, "k").Verifier(t.Context(), origin); err == nil {
			t.Errorf("%s: a verifier %s", name, v.Name())
		}
	}
	c, id := newKey(t)
	if _, err := kms.New(c, id).Verifier(t.Context(), "with a space"); err == nil {
		t.Error("a name that no note can have")
	}
}

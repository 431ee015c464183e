// Package kms is the local AWS's Key Management Service, as far as signing with
// Ed25519 goes, and who may use a key.
//
// Operations: CreateKey, CreateAlias, ListAliases, DescribeKey, GetPublicKey, Sign,
// Verify, DisableKey, EnableKey, PutKeyPolicy, GetKeyPolicy, ScheduleKeyDeletion,
// CancelKeyDeletion. Anything else answers NotImplemented.
//
// Documented: the operations, their errors' codes, the limit of 4,096 bytes and
// the public key as DER. Assumed: the texts of the errors, and which requests
// are a ValidationException. Keys are of spec ECC_NIST_EDWARDS25519, or
// SYMMETRIC_DEFAULT, which nothing can be encrypted with. Policies are kept and not
// applied; grants are not modeled, and no key is ever deleted.
package kms

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

const (
	spec      = "ECC_NIST_EDWARDS25519"
	algorithm = "ED25519_SHA_512"
	usage     = "SIGN_VERIFY"
	limit     = 4096 // bytes of a RAW message
	arnPrefix = aliasPrefix + "key/"
	// aliasPrefix begins the ARN of an alias, whose name begins with "alias/".
	aliasPrefix = "arn:aws:kms:" + wire.Region + ":" + wire.Account + ":"
)

// Service is a [wire.Service]. Use [New]; a Service is safe for concurrent use.
//
// API: https://docs.aws.amazon.com/kms/latest/APIReference/
type Service struct {
	handlers map[string]wire.Handler

	mu      sync.Mutex
	keys    map[string]*key
	aliases map[string]string // ids, by "alias/NAME"
}

type key struct {
	private     ed25519.PrivateKey // nil: it is symmetric
	created     time.Time
	description string
	disabled    bool
	policy      string
	deletion    time.Time // when it is to be deleted; zero: never
}

// New returns a Service without keys.
func New() *Service {
	s := &Service{keys: map[string]*key{}, aliases: map[string]string{}}
	s.handlers = map[string]wire.Handler{
		"CreateKey": wire.Typed(s.create), "CreateAlias": wire.Typed(s.alias), "DescribeKey": wire.Typed(s.describe), "GetPublicKey": wire.Typed(s.public),
		"Sign": wire.Typed(s.sign), "Verify": wire.Typed(s.verify),
		"ListAliases": wire.Typed(s.listAliases), "GetKeyPolicy": wire.Typed(s.getPolicy), "PutKeyPolicy": wire.Typed(s.putPolicy),
		"ScheduleKeyDeletion": wire.Typed(s.scheduleDeletion), "CancelKeyDeletion": wire.Typed(s.cancelDeletion),
		"DisableKey": wire.Typed(s.disable), "EnableKey": wire.Typed(s.enable),
	}
	return s
}

// Operation implements [wire.Service].
func (*Service) Operation(r *http.Request, _ []byte) string { return wire.Target(r, "TrentService") }

// Serve implements [wire.Service].
func (s *Service) Serve(ctx context.Context, c *wire.Call) (*wire.Reply, error) {
	h, ok := s.handlers[c.Operation]
	if !ok {
		return nil, wire.NotImplemented(c)
	}
	return h(ctx, c)
}

// Fail implements [wire.Service].
func (*Service) Fail(_ *wire.Call, err *wire.Error) *wire.Reply { return wire.FailJSON(err) }

type createInput struct{ KeySpec, KeyUsage, Description, Policy string }

type metadata struct {
	KeyId, Arn, AWSAccountId, KeySpec, KeyUsage, KeyState string //nolint:revive // AWS's names
	Description, Origin, KeyManager                       string
	SigningAlgorithms                                     []string
	Enabled                                               bool
	CreationDate                                          float64
	DeletionDate                                          float64 `json:",omitempty"`
}

type describeOutput struct{ KeyMetadata metadata }

func (s *Service) create(_ context.Context, c *wire.Call, in *createInput) (*describeOutput, error) {
	var private ed25519.PrivateKey
	switch {
	case in.KeySpec == spec && in.KeyUsage == usage:
		var err error
		if _, private, err = ed25519.GenerateKey(nil); err != nil {
			return nil, err
		}
	case (in.KeySpec == "" || in.KeySpec == symmetric) && (in.KeyUsage == "" || in.KeyUsage == encryption):
	default:
		return nil, invalid("the local AWS has keys of " + spec + " for " + usage + ", and of " + symmetric + " for " + encryption)
	}
	if in.Policy == "" {
		in.Policy = defaultPolicy
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id, k := uuid.NewString(), &key{private: private, created: c.Now, description: in.Description, policy: in.Policy}
	s.keys[id] = k
	return describe(id, k), nil
}

type aliasInput struct {
	AliasName, TargetKeyId string //nolint:revive // AWS's names
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateAlias.html
func (s *Service) alias(_ context.Context, _ *wire.Call, in *aliasInput) (*empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !regexp.MustCompile(`^alias/[a-zA-Z0-9/_-]{1,250}$`).MatchString(in.AliasName) || strings.HasPrefix(in.AliasName, "alias/aws/") {
		return nil, &wire.Error{Code: "InvalidAliasNameException", Message: "an alias is alias/ and letters, digits, /, _ and -, and not alias/aws/"}
	}
	if strings.Contains(in.TargetKeyId, "alias/") {
		return nil, invalid("Aliases must refer to keys. Not aliases")
	}
	id, _, err := s.find(in.TargetKeyId)
	if err != nil {
		return nil, err
	}
	if _, taken := s.aliases[in.AliasName]; taken {
		return nil, &wire.Error{Code: "AlreadyExistsException", Message: "An alias with the name " + aliasPrefix + in.AliasName + " already exists"}
	}
	s.aliases[in.AliasName] = id
	return &empty{}, nil
}

type keyInput struct {
	KeyId string //nolint:revive // AWS's name
}

func (s *Service) describe(_ context.Context, _ *wire.Call, in *keyInput) (*describeOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, k, err := s.find(in.KeyId)
	if err != nil {
		return nil, err
	}
	return describe(id, k), nil
}

func describe(id string, k *key) *describeOutput {
	m := metadata{
		KeyId: id, Arn: arnPrefix + id, AWSAccountId: wire.Account, KeySpec: spec, KeyUsage: usage, KeyState: "Enabled",
		Description: k.description, Origin: "AWS_KMS", KeyManager: "CUSTOMER", SigningAlgorithms: []string{algorithm},
		CreationDate: float64(k.created.Unix()),
	}
	if k.private == nil {
		m.KeySpec, m.KeyUsage, m.SigningAlgorithms = symmetric, encryption, nil
	}
	switch {
	case !k.deletion.IsZero():
		m.KeyState, m.DeletionDate = pending, float64(k.deletion.Unix())
	case k.disabled:
		m.KeyState = "Disabled"
	}
	m.Enabled = m.KeyState == "Enabled"
	return &describeOutput{m}
}

type publicOutput struct {
	KeyId, KeySpec, KeyUsage string //nolint:revive // AWS's names
	PublicKey                []byte
	SigningAlgorithms        []string
}

func (s *Service) public(_ context.Context, _ *wire.Call, in *keyInput) (*publicOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, k, err := s.usable(in.KeyId)
	if err != nil {
		return nil, err
	}
	if k.private == nil {
		return nil, &wire.Error{Code: "UnsupportedOperationException", Message: arnPrefix + id + " is a symmetric key"}
	}
	der, err := x509.MarshalPKIXPublicKey(k.private.Public())
	if err != nil {
		return nil, err
	}
	return &publicOutput{arnPrefix + id, spec, usage, der, []string{algorithm}}, nil
}

type signInput struct {
	KeyId, MessageType, SigningAlgorithm string //nolint:revive // AWS's names
	Message, Signature                   []byte
}

type signOutput struct {
	KeyId, SigningAlgorithm string //nolint:revive // AWS's names
	Signature               []byte
}

func (s *Service) sign(_ context.Context, _ *wire.Call, in *signInput) (*signOutput, error) {
	id, k, err := s.message(in)
	if err != nil {
		return nil, err
	}
	return &signOutput{arnPrefix + id, algorithm, ed25519.Sign(k, in.Message)}, nil
}

type verifyOutput struct {
	KeyId, SigningAlgorithm string //nolint:revive // AWS's names
	SignatureValid          bool
}

func (s *Service) verify(_ context.Context, _ *wire.Call, in *signInput) (*verifyOutput, error) {
	id, k, err := s.message(in)
	if err != nil {
		return nil, err
	}
	public := ed25519.PublicKey(k[ed25519.PrivateKeySize-ed25519.PublicKeySize:]) // the key's second half
	if !ed25519.Verify(public, in.Message, in.Signature) {
		return nil, &wire.Error{Code: "KMSInvalidSignatureException"}
	}
	return &verifyOutput{arnPrefix + id, algorithm, true}, nil
}

// message checks a request of Sign or Verify and finds its key.
func (s *Service) message(in *signInput) (string, ed25519.PrivateKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, k, err := s.usable(in.KeyId)
	switch {
	case err != nil:
		return "", nil, err
	case in.SigningAlgorithm != algorithm || k.private == nil:
		return "", nil, &wire.Error{Code: "InvalidKeyUsageException", Message: "the key signs with " + algorithm + " only"}
	case in.MessageType != "" && in.MessageType != "RAW":
		return "", nil, invalid(algorithm + " takes messages of type RAW")
	case len(in.Message) == 0 || len(in.Message) > limit:
		return "", nil, invalid("a message has 1 to 4096 bytes")
	}
	return id, k.private, nil
}

type empty struct{}

func (s *Service) disable(_ context.Context, _ *wire.Call, in *keyInput) (*empty, error) {
	return s.turn(in.KeyId, true)
}

func (s *Service) enable(_ context.Context, _ *wire.Call, in *keyInput) (*empty, error) {
	return s.turn(in.KeyId, false)
}

func (s *Service) turn(id string, disabled bool) (*empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, k, err := s.find(id)
	if err != nil {
		return nil, err
	}
	if !k.deletion.IsZero() {
		return nil, beingDeleted(id)
	}
	k.disabled = disabled
	return &empty{}, nil
}

// find looks id up: an id, an alias, or the ARN of either; s.mu is held.
func (s *Service) find(id string) (string, *key, error) {
	id = strings.TrimPrefix(strings.TrimPrefix(id, arnPrefix), aliasPrefix)
	if strings.HasPrefix(id, "alias/") {
		target, ok := s.aliases[id]
		if !ok {
			return "", nil, &wire.Error{Code: "NotFoundException", Message: "Alias " + aliasPrefix + id + " is not found."}
		}
		id = target
	}
	k, ok := s.keys[id]
	if !ok {
		return "", nil, &wire.Error{Code: "NotFoundException", Message: "Key '" + arnPrefix + id + "' does not exist"}
	}
	return id, k, nil
}

func (s *Service) usable(id string) (string, *key, error) {
	id, k, err := s.find(id)
	switch {
	case err == nil && !k.deletion.IsZero():
		return "", nil, beingDeleted(id)
	case err == nil && k.disabled:
		return "", nil, &wire.Error{Code: "DisabledException", Message: arnPrefix + id + " is disabled."}
	}
	return id, k, err
}

func invalid(message string) error { return &wire.Error{Code: "ValidationException", Message: message} }

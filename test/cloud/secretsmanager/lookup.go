package secretsmanager

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"regexp"
	"strings"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

const arnPrefix = "arn:aws:secretsmanager:" + wire.Region + ":" + wire.Account + ":secret:"

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

func fail(code, format string, args ...any) error {
	return &wire.Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

func invalidRequest(message string) error { return fail("InvalidRequestException", "%s", message) }

func invalidParameter(format string, args ...any) error {
	return fail("InvalidParameterException", format, args...)
}

func notFound(format string, args ...any) error {
	return fail("ResourceNotFoundException", format, args...)
}

func unknownSecret() error { return notFound("Secrets Manager can't find the specified secret.") }

// Compiled once: they are asked several times in each call.
var (
	nameForm   = regexp.MustCompile(`^[A-Za-z0-9/_+=.@!-]{1,512}$`)
	suffixForm = regexp.MustCompile(`-[A-Za-z0-9]{6}$`)
)

// validName is what the recorded refusals say; AWS's page leaves out the "!".
func validName(name string) bool {
	return nameForm.MatchString(name)
}

func checkID(id string) error {
	if !strings.HasPrefix(id, "arn:") && !validName(id) {
		return badName()
	}
	return nil
}

func badName() error {
	return fail("ValidationException", "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!")
}

// checkToken applies the rules of ClientRequestToken. AWS refuses a request
// without one; the SDKs fill it in.
func checkToken(token, code string) error {
	const missing = "You must provide a ClientRequestToken value. We recommend a UUID-type value."
	if token == "" {
		return fail(code, missing)
	}
	if len(token) < 32 || len(token) > 64 {
		return invalidParameter("ClientRequestToken must be 32-64 characters long.")
	}
	return nil
}

// find resolves a name, an ARN, or an ARN without its random suffix. What ends
// in a hyphen and six characters is taken for a whole ARN, as recorded: so a
// secret whose name ends like that has no partial ARN.
func (s *Service) find(id string) *secret {
	if sec := s.secrets[id]; sec != nil {
		return sec
	}
	name, found := strings.CutPrefix(id, arnPrefix)
	if !found {
		return nil
	}
	if i := len(name) - 7; i > 0 && suffixForm.MatchString(name) {
		if sec := s.secrets[name[:i]]; sec != nil && sec.arn == id {
			return sec
		}
		return nil
	}
	return s.secrets[name]
}

// get returns the secret to work on, refusing what was marked for deletion.
func (s *Service) get(id string) (*secret, error) {
	sec, err := s.getAny(id)
	if err != nil {
		return nil, err
	}
	if !sec.deleted.IsZero() {
		return nil, marked()
	}
	return sec, nil
}

func marked() error {
	return invalidRequest("You can't perform this operation on the secret because it was marked for deletion.")
}

func (s *Service) getAny(id string) (*secret, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	sec := s.find(id)
	if sec == nil {
		return nil, unknownSecret()
	}
	return sec, nil
}

// view is what a read sees: an earlier state if the read is to be stale. The
// second result is the live secret, for dates of access.
func (s *Service) view(ctx context.Context, id string) (seen, live *secret, err error) {
	live, err = s.getAny(id)
	if err != nil {
		return nil, nil, err
	}
	if !s.staleNow(ctx, live) {
		return live, live, nil
	}
	if live.before == nil {
		return nil, nil, unknownSecret()
	}
	return live.before, live, nil
}

func (s *Service) staleNow(ctx context.Context, live *secret) bool {
	return wire.Stale(ctx) || s.opt.ReadLag > 0 && s.now().Sub(live.wrote) < s.opt.ReadLag
}

// NameOf returns the name in a SecretId: a name, an ARN or a partial ARN.
func (s *Service) NameOf(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sec := s.find(id); sec != nil {
		return sec.name
	}
	return strings.TrimPrefix(id, arnPrefix)
}

// ARNOf returns the ARN of a secret, or "" if there is none.
func (s *Service) ARNOf(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sec := s.find(id); sec != nil {
		return sec.arn
	}
	return ""
}

// KeyOf returns the KMS key of a secret as it was given, "" for Secrets Manager's own
// or if there is no such secret.
func (s *Service) KeyOf(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sec := s.find(id); sec != nil {
		return sec.kmsKey
	}
	return ""
}

// pick returns n characters of alphabet at random.
func (s *Service) pick(n int, alphabet string) string {
	out := make([]byte, n)
	for i := range out {
		k, err := rand.Int(s.opt.Rand, big.NewInt(int64(len(alphabet))))
		if err != nil {
			panic(fmt.Errorf("the random source ran dry: %w", err))
		}
		out[i] = alphabet[k.Int64()]
	}
	return string(out)
}

func (s *Service) newUUID() string {
	var raw [16]byte
	if _, err := io.ReadFull(s.opt.Rand, raw[:]); err != nil {
		panic(fmt.Errorf("the random source ran dry: %w", err))
	}
	raw[6] = raw[6]&0x0f | 0x40
	raw[8] = raw[8]&0x3f | 0x80
	return uuid.UUID(raw).String()
}

// newRotationToken returns an opaque token of an alphabet that no id has, so
// that a part of one is known wherever it turns up.
func (s *Service) newRotationToken() string {
	var raw [48]byte
	if _, err := io.ReadFull(s.opt.Rand, raw[:]); err != nil {
		panic(fmt.Errorf("the random source ran dry: %w", err))
	}
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

package awsiamtest

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

// skew is how wrong a signature's time may be,
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html.
const skew = 5 * time.Minute

// signature is what an Authorization header of AWS's says, version 4.
type signature struct {
	id, region, service string
	at                  time.Time
	headers             []string
	whole               string
}

func readSignature(r *http.Request) (signature, bool) {
	s := signature{whole: r.Header.Get("Authorization")}
	rest, ok := strings.CutPrefix(s.whole, "AWS4-HMAC-SHA256 ")
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if !ok || err != nil {
		return s, false
	}
	s.at = at
	for part := range strings.SplitSeq(rest, ", ") {
		switch name, v, _ := strings.Cut(part, "="); name {
		case "Credential":
			scope := strings.Split(v, "/")
			if len(scope) != 5 {
				return s, false
			}
			s.id, s.region, s.service = scope[0], scope[2], scope[3]
		case "SignedHeaders":
			s.headers = strings.Split(v, ";")
		}
	}
	return s, s.id != ""
}

// fits reports whether the signature is the one that r has when it is signed
// with secret, now.
func (s signature) fits(r *http.Request, body []byte, secret string, now time.Time) bool {
	again, err := http.NewRequestWithContext(r.Context(), r.Method, "https://"+r.Host+r.URL.RequestURI(), strings.NewReader(string(body))) //nolint:gosec // it is not sent
	if err != nil || now.Sub(s.at).Abs() > skew {
		return false
	}
	for _, name := range s.headers {
		if name != "host" && name != "content-length" {
			again.Header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
		}
	}
	sign(r.Context(), again, body, s.id, secret, s.region, s.service, s.at)
	return hmac.Equal([]byte(again.Header.Get("Authorization")), []byte(s.whole))
}

func sign(ctx context.Context, r *http.Request, body []byte, id, secret, region, service string, at time.Time) {
	sum := sha256.Sum256(body)
	// It fails without credentials only.
	_ = v4.NewSigner().SignHTTP(ctx, aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}, r, hex.EncodeToString(sum[:]), service, region, at)
}

// Admin returns the admin credential for a server that is reached at host.
func (s *Server) Admin(host string) provider.Admin {
	return provider.Admin{Hosts: []string{host}, Fields: map[string]secret.Value{
		"accessKeyId": secret.New(s.admin.ID), "secretAccessKey": secret.New(s.admin.secret),
	}}
}

// Add makes a key of the user that is not ours, as a person in the console
// would. It pays no heed to the quota; name is for Live only.
func (s *Server) Add(name string, _ ...string) provider.Issued {
	s.Lock()
	defer s.Unlock()
	k := s.add(UserName, name)
	return provider.Issued{Key: k.Public(), Value: secret.New(k.Value)}
}

// Works reports whether value is accepted everywhere now. It is no use of the
// key.
func (s *Server) Works(value secret.Value) bool {
	s.Lock()
	defer s.Unlock()
	id, sec, _ := strings.Cut(value.Reveal(), ":")
	k := s.byID(id)
	return k != nil && k.secret == sec && !k.inactive && !s.Now().Before(s.settled(k))
}

// Consume returns the request with which a consumer uses a key at base: one of a
// service that is neither IAM nor STS, signed now. 200 means that it worked.
func Consume(base string, value secret.Value) (*http.Request, error) {
	req, err := http.NewRequest(http.MethodGet, base+"/?Action=ListQueues&Version=2012-11-05", nil) //nolint:noctx // the caller adds it
	if err != nil {
		return nil, err
	}
	id, sec, _ := strings.Cut(value.Reveal(), ":")
	sign(req.Context(), req, nil, id, sec, "eu-central-1", "sqs", time.Now())
	return req, nil
}

package cloudtrail

import (
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

// signing are the keys that sign digests, each for a period.
type signing struct {
	mu   sync.Mutex
	keys map[int64]*signingKey // by period
}

type signingKey struct {
	private     *rsa.PrivateKey
	public      []byte // PKCS #1, DER
	fingerprint string
}

// validity is how long a key signs: 30 days, as in AWS's example of ListPublicKeys.
// https://docs.aws.amazon.com/cli/latest/reference/cloudtrail/list-public-keys.html
const validity = 30 * 24 * time.Hour

func period(at time.Time) int64 { return at.Unix() / int64(validity/time.Second) }

// key returns the key of a time, and makes it if it was never used.
func (s *signing) key(at time.Time) (*signingKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k, ok := s.keys[period(at)]; ok {
		return k, nil
	}
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	k := &signingKey{private: private, public: x509.MarshalPKCS1PublicKey(&private.PublicKey)}
	sum := md5.Sum(k.public)
	k.fingerprint = hex.EncodeToString(sum[:])
	if s.keys == nil {
		s.keys = map[int64]*signingKey{}
	}
	s.keys[period(at)] = k
	return k, nil
}

type listKeysInput struct {
	StartTime, EndTime *float64
	NextToken          string
}

type publicKey struct {
	Fingerprint       string
	Value             []byte
	ValidityStartTime float64
	ValidityEndTime   float64
}

type listKeysOutput struct{ PublicKeyList []publicKey }

// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_ListPublicKeys.html
func (s *Service) listPublicKeys(_ context.Context, c *wire.Call, in *listKeysInput) (*listKeysOutput, error) {
	from, to := c.Now, c.Now
	if in.StartTime != nil {
		from = seconds(*in.StartTime)
	}
	if in.EndTime != nil {
		to = seconds(*in.EndTime)
	}
	switch {
	case in.NextToken != "":
		return nil, refuse("InvalidTokenException", "Reserved for future use.")
	case from.After(to):
		return nil, refuse("InvalidTimeRangeException", "The start time must not be after the end time.")
	}
	if _, err := s.signing.key(c.Now); err != nil { // there is always a current one
		return nil, err
	}
	s.signing.mu.Lock()
	defer s.signing.mu.Unlock()
	out := &listKeysOutput{PublicKeyList: []publicKey{}}
	for _, p := range slices.Sorted(maps.Keys(s.signing.keys)) {
		if p < period(from) || p > period(to) {
			continue
		}
		k, begin := s.signing.keys[p], p*int64(validity/time.Second)
		out.PublicKeyList = append(out.PublicKeyList, publicKey{
			Fingerprint: k.fingerprint, Value: k.public,
			ValidityStartTime: float64(begin), ValidityEndTime: float64(begin + int64(validity/time.Second)),
		})
	}
	return out, nil
}

func seconds(s float64) time.Time { return time.UnixMilli(int64(s * 1000)).UTC() }

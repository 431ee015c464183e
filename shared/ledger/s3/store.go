// Package s3 keeps the objects of a ledger in an S3 bucket, which must have
// versions and Object Lock, and reads them to verify it. What may be deleted when it
// has aged is below "passing/", for a lifecycle rule; all else is locked.
package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/keyturn/keyturn/shared/awserror"
	"github.com/keyturn/keyturn/shared/ledger"
)

// Client is what a Store needs of the SDK's client.
type Client interface {
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
	ListObjectVersions(context.Context, *s3.ListObjectVersionsInput, ...func(*s3.Options)) (*s3.ListObjectVersionsOutput, error)
}

// The error codes of a write on condition:
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
const (
	codeExists   = "PreconditionFailed"
	codeConflict = "ConditionalRequestConflict" // another write of the key is under way: to be repeated
)

// Lock is how long each object that stays is locked, by Object Lock. The zero value
// leaves it to the bucket.
type Lock struct {
	Mode types.ObjectLockMode // COMPLIANCE cannot be shortened by anybody
	For  time.Duration
	Now  func() time.Time
}

// Store is the [ledger.Objects] and the [ledger.Archive] below a prefix of a bucket.
// Reading needs s3:ListBucket too, without which S3 does not say that there is
// nothing. It is used by several goroutines at once.
type Store struct {
	client         Client
	bucket, prefix string
	lock           Lock
}

// New returns the store in bucket below prefix, which is "" or ends in a slash. It
// calls nothing.
func New(client Client, bucket, prefix string, lock Lock) *Store {
	return &Store{client: client, bucket: bucket, prefix: prefix, lock: lock}
}

// key is where the object at path is.
func (s *Store) key(path string) *string {
	if ledger.Passing(path) {
		path = ledger.PassingDir + path
	}
	return aws.String(s.prefix + path)
}

// Create stores data at path if there is nothing. A deletion that left a marker
// makes room for it: that is for the bucket's policy to refuse, and for Verify to find.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
func (s *Store) Create(ctx context.Context, path string, data []byte) error {
	sum := sha256.Sum256(data)
	in := &s3.PutObjectInput{
		Bucket: &s.bucket, Key: s.key(path), IfNoneMatch: aws.String("*"), Body: bytes.NewReader(data),
		ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(sum[:])),
	}
	if s.lock.Mode != "" && !ledger.Passing(path) {
		in.ObjectLockMode = s.lock.Mode
		in.ObjectLockRetainUntilDate = aws.Time(s.lock.Now().Add(s.lock.For).Truncate(time.Second))
	}
	_, err := s.client.PutObject(ctx, in, func(o *s3.Options) {
		o.Retryer = retry.AddWithErrorCodes(o.Retryer, codeConflict)
	})
	if awserror.Code(err) == codeExists {
		return ledger.ErrExists
	}
	return awserror.Safe("PutObject", err)
}

// Read returns what is at path.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
func (s *Store) Read(ctx context.Context, path string) ([]byte, error) {
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: s.key(path)})
	if _, ok := errors.AsType[*types.NoSuchKey](err); ok {
		return nil, ledger.ErrNotFound
	}
	if err != nil {
		return nil, awserror.Safe("GetObject", err)
	}
	defer out.Body.Close() //nolint:errcheck // read only
	data, err := io.ReadAll(io.LimitReader(out.Body, ledger.MaxObject+1))
	if err != nil {
		return nil, awserror.Safe("GetObject", err)
	}
	if len(data) > ledger.MaxObject {
		return nil, ledger.TooLarge(path)
	}
	return data, nil
}

// Package s3 keeps the weekly reviews in an S3 bucket.
package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/keyturn/keyturn/shared/awserror"
	"github.com/keyturn/keyturn/shared/review/weekly"
)

// Client is what a Store needs of the SDK's client.
type Client interface {
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
}

// maxObject is more than a review of 10,000 keys has.
const maxObject = 512 << 20

// Store is the [weekly.Objects] below a prefix of a bucket. Reading needs
// s3:ListBucket too, without which S3 does not say that there is nothing. It is safe
// for concurrent use.
type Store struct {
	client         Client
	bucket, prefix string
}

// New returns the store in bucket below prefix, which is "" or ends in a slash. It
// calls nothing.
func New(client Client, bucket, prefix string) *Store { return &Store{client, bucket, prefix} }

// Create stores data at path if there is nothing: If-None-Match.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
func (s *Store) Create(ctx context.Context, path, contentType string, data []byte) error {
	sum := sha256.Sum256(data)
	_, err := s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.bucket, Key: aws.String(s.prefix + path), IfNoneMatch: aws.String("*"), Body: bytes.NewReader(data), ContentType: &contentType,
		ChecksumSHA256: aws.String(base64.StdEncoding.EncodeToString(sum[:])),
	})
	if awserror.Code(err) == "PreconditionFailed" {
		return weekly.ErrExists
	}
	return awserror.Safe("PutObject", err)
}

// Read returns what is at path.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
func (s *Store) Read(ctx context.Context, path string) ([]byte, error) {
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: aws.String(s.prefix + path)})
	if _, ok := errors.AsType[*types.NoSuchKey](err); ok {
		return nil, weekly.ErrNotFound
	}
	if err != nil {
		return nil, awserror.Safe("GetObject", err)
	}
	defer out.Body.Close() //nolint:errcheck // read only
	data, err := io.ReadAll(io.LimitReader(out.Body, maxObject+1))
	if err != nil {
		return nil, awserror.Safe("GetObject", err)
	}
	if len(data) > maxObject {
		return nil, fmt.Errorf("more than %d bytes: %w", maxObject, weekly.ErrTooLarge)
	}
	return data, nil
}

// URL returns the object's S3 URI.
func (s *Store) URL(path string) string { return "s3://" + s.bucket + "/" + s.prefix + path }

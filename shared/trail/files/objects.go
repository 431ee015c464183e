package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/keyturn/keyturn/shared/awserror"
	"github.com/keyturn/keyturn/shared/trail/digest"
)

// Bucket is what a [Source] needs of S3's client.
type Bucket interface {
	ListObjectsV2(context.Context, *s3.ListObjectsV2Input, ...func(*s3.Options)) (*s3.ListObjectsV2Output, error)
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
}

// CloudTrail is what a [Source] needs of CloudTrail's client.
type CloudTrail interface {
	ListPublicKeys(context.Context, *cloudtrail.ListPublicKeysInput, ...func(*cloudtrail.Options)) (*cloudtrail.ListPublicKeysOutput, error)
}

// maxObject is more than a compressed file of CloudTrail has.
const maxObject = 128 << 20

// List implements [digest.Objects].
func (s *Source) List(ctx context.Context, prefix, after string, f func(key string) error) error {
	pages := s3.NewListObjectsV2Paginator(s.S3, &s3.ListObjectsV2Input{
		Bucket: &s.Bucket, Prefix: &prefix, StartAfter: aws.String(after), ExpectedBucketOwner: s.owner(),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return awserror.Safe("ListObjectsV2", err)
		}
		for _, o := range page.Contents {
			if err := f(aws.ToString(o.Key)); err != nil {
				return err
			}
		}
	}
	return nil
}

// folders returns the names below prefix that end in a slash, without it.
func (s *Source) folders(ctx context.Context, prefix string) ([]string, error) {
	var out []string
	pages := s3.NewListObjectsV2Paginator(s.S3, &s3.ListObjectsV2Input{
		Bucket: &s.Bucket, Prefix: &prefix, Delimiter: aws.String("/"), ExpectedBucketOwner: s.owner(),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, awserror.Safe("ListObjectsV2", err)
		}
		for _, p := range page.CommonPrefixes {
			out = append(out, strings.TrimSuffix(strings.TrimPrefix(aws.ToString(p.Prefix), prefix), "/"))
		}
	}
	return out, nil
}

// Read implements [digest.Objects].
func (s *Source) Read(ctx context.Context, bucket, key string) ([]byte, map[string]string, error) {
	out, err := s.S3.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key, ExpectedBucketOwner: s.owner()})
	if _, ok := errors.AsType[*types.NoSuchKey](err); ok {
		return nil, nil, digest.ErrNotFound
	}
	if err != nil {
		return nil, nil, awserror.Safe("GetObject", err)
	}
	defer out.Body.Close() //nolint:errcheck // read only
	data, err := io.ReadAll(io.LimitReader(out.Body, maxObject+1))
	if err != nil {
		return nil, nil, awserror.Safe("GetObject", err)
	}
	if len(data) > maxObject {
		return nil, nil, fmt.Errorf("%s: more than %d bytes", key, maxObject)
	}
	return data, out.Metadata, nil
}

// PublicKeys implements [digest.Keys].
func (s *Source) PublicKeys(ctx context.Context, from, to time.Time) (map[string][]byte, error) {
	keys := map[string][]byte{}
	pages := cloudtrail.NewListPublicKeysPaginator(s.CloudTrail, &cloudtrail.ListPublicKeysInput{StartTime: &from, EndTime: &to})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, awserror.Safe("ListPublicKeys", err)
		}
		for _, k := range page.PublicKeyList {
			keys[aws.ToString(k.Fingerprint)] = k.Value
		}
	}
	return keys, nil
}

func (s *Source) owner() *string {
	if s.Owner == "" {
		return nil
	}
	return &s.Owner
}

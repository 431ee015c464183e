// Package bucket calls S3 about buckets of other accounts, whose Region is not known.
package bucket

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Client is a client of one bucket. It asks in its own Region first; S3 refuses what
// is asked elsewhere, and says where the bucket is, which the client remembers. It is
// safe for concurrent use.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
type Client struct {
	s3     *s3.Client
	region atomic.Pointer[string]
}

// New returns a client over one of S3. It calls nothing.
func New(client *s3.Client) *Client { return &Client{s3: client} }

// ListObjectsV2 is [s3.Client.ListObjectsV2].
func (c *Client) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input, opts ...func(*s3.Options)) (*s3.ListObjectsV2Output, error) {
	return call(ctx, c, c.s3.ListObjectsV2, in, nil, opts)
}

// ListObjectVersions is [s3.Client.ListObjectVersions].
func (c *Client) ListObjectVersions(ctx context.Context, in *s3.ListObjectVersionsInput, opts ...func(*s3.Options)) (*s3.ListObjectVersionsOutput, error) {
	return call(ctx, c, c.s3.ListObjectVersions, in, nil, opts)
}

// GetObject is [s3.Client.GetObject].
func (c *Client) GetObject(ctx context.Context, in *s3.GetObjectInput, opts ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	return call(ctx, c, c.s3.GetObject, in, nil, opts)
}

// PutObject is [s3.Client.PutObject]. The body must be an [io.Seeker].
func (c *Client) PutObject(ctx context.Context, in *s3.PutObjectInput, opts ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	return call(ctx, c, c.s3.PutObject, in, in.Body, opts)
}

func call[In, Out any](ctx context.Context, c *Client, op func(context.Context, In, ...func(*s3.Options)) (Out, error), in In, body io.Reader, opts []func(*s3.Options)) (Out, error) {
	out, err := op(ctx, in, append(slices.Clip(opts), c.there)...)
	answer, ok := errors.AsType[*smithyhttp.ResponseError](err)
	if !ok || answer.Response == nil {
		return out, err
	}
	region, known := answer.Response.Header.Get("X-Amz-Bucket-Region"), c.region.Load()
	if region == "" || known != nil && *known == region {
		return out, err
	}
	if c.s3.Options().Region == region {
		return out, err
	}
	if s, ok := body.(io.Seeker); ok {
		if _, err := s.Seek(0, io.SeekStart); err != nil {
			return out, err
		}
	}
	c.region.Store(&region)
	return op(ctx, in, append(slices.Clip(opts), c.there)...)
}

func (c *Client) there(o *s3.Options) {
	if region := c.region.Load(); region != nil {
		o.Region = *region
	}
}

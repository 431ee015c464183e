package region_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/keyturn/keyturn/test/cloud"
	cloud3 "github.com/keyturn/keyturn/test/cloud/s3"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

func TestS3(t *testing.T) {
	t.Parallel()
	r, cfg, _ := open(t)
	c := s3.NewFromConfig(cfg)
	if _, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("ledger")}); err != nil {
		t.Fatal(err)
	}
	put := func() error {
		_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("ledger"), Key: aws.String("a/b"), Body: strings.NewReader("x"), IfNoneMatch: aws.String("*")})
		return err
	}
	r.Cloud.Inject(cloud.Fault{Service: "s3", Operation: "PutObject", Nth: 1, Error: cloud3.Conflict()})
	if err := put(); err == nil || !strings.Contains(err.Error(), "409") || !strings.Contains(err.Error(), "ConditionalRequestConflict") {
		t.Errorf("conflict: %v", err)
	}
	r.Cloud.Inject(cloud.Fault{Service: "s3", Operation: "PutObject", Nth: 1, Effect: cloud.DropAfter})
	if err := put(); err == nil || !strings.Contains(err.Error(), "PreconditionFailed") { // the SDK tries again
		t.Errorf("lost answer: %v", err)
	}
	r.Cloud.Inject(cloud.Fault{Service: "s3", Operation: "GetObject", Nth: 1, Effect: cloud.Throttle})
	if _, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("ledger"), Key: aws.String("a/b")}); err != nil {
		t.Errorf("throttled once: %v", err)
	}
	calls := r.Cloud.Calls(cloud.ByService("s3"), cloud.ByTarget("ledger/a/b"))
	var got []string
	for _, call := range calls {
		got = append(got, call.Operation+" "+call.Error)
	}
	want := "PutObject ConditionalRequestConflict, PutObject , PutObject PreconditionFailed, GetObject ThrottlingException, GetObject "
	if strings.Join(got, ", ") != want {
		t.Errorf("calls %q", got)
	}
}

// Whoever says whose bucket it is to be does not get another account's.
func TestS3_owner(t *testing.T) {
	t.Parallel()
	r, cfg, _ := open(t)
	c, ctx := s3.NewFromConfig(cfg), t.Context()
	bucket := aws.String("trails")
	if _, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	put := func(owner *string) error {
		_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: aws.String("k"), Body: strings.NewReader("x"), ExpectedBucketOwner: owner})
		return err
	}
	if err := put(aws.String(wire.Account)); err != nil {
		t.Error(err)
	}
	if err := r.S3.Give("trails", "999999999999"); err != nil {
		t.Fatal(err)
	}
	if err := put(aws.String(wire.Account)); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		t.Errorf("another account's: %v", err)
	}
	for _, owner := range []*string{aws.String("999999999999"), nil} {
		if err := put(owner); err != nil {
			t.Error(err)
		}
	}
	if err := r.S3.Give("none", "999999999999"); err == nil {
		t.Error("a bucket that is not there is given away")
	}
}

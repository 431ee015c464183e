package s3_test

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/keyturn/keyturn/shared/awserror"
	pages "github.com/keyturn/keyturn/shared/review/s3"
	"github.com/keyturn/keyturn/shared/review/weekly"
	"github.com/keyturn/keyturn/test/cloud/region"
)

// What is there stays; what is not is told apart from what could not be asked.
func TestStore(t *testing.T) {
	t.Parallel()
	r := region.New(region.Options{})
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	client := s3.NewFromConfig(r.Cloud.Config())
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("pages")}); err != nil {
		t.Fatal(err)
	}
	s := pages.New(client, "pages", "review/")
	if _, err := s.Read(t.Context(), "2026-W48/review.html"); !errors.Is(err, weekly.ErrNotFound) {
		t.Errorf("nothing there: %v", err)
	}
	if err := s.Create(t.Context(), "2026-W48/review.html", "text/html; charset=utf-8", []byte("one")); err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), "2026-W48/review.html", "text/html; charset=utf-8", []byte("two")); !errors.Is(err, weekly.ErrExists) {
		t.Errorf("written twice: %v", err)
	}
	data, err := s.Read(t.Context(), "2026-W48/review.html")
	if err != nil || string(data) != "one" {
		t.Errorf("%q, %v", data, err)
	}
	head, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("pages"), Key: aws.String("review/2026-W48/review.html")})
	if err != nil || aws.ToString(head.ContentType) != "text/html; charset=utf-8" {
		t.Errorf("%v, %v", head, err)
	}
	if got := s.URL("2026-W48/review.html"); got != "s3://pages/review/2026-W48/review.html" {
		t.Error(got)
	}
	_, err = pages.New(client, "none", "").Read(t.Context(), "x")
	if e, ok := errors.AsType[*awserror.Error](err); !ok || e.Code != "NoSuchBucket" {
		t.Errorf("no bucket: %v", err)
	}
}

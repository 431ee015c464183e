package s3_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
)

func TestPolicy(t *testing.T) {
	t.Parallel()
	w := open(t, false)
	get := func() (string, error) {
		out, err := w.GetBucketPolicy(t.Context(), &sdk.GetBucketPolicyInput{Bucket: aws.String(name)})
		if err != nil {
			return "", err
		}
		return *out.Policy, nil
	}
	put := func(policy string) error {
		_, err := w.PutBucketPolicy(t.Context(), &sdk.PutBucketPolicyInput{Bucket: aws.String(name), Policy: &policy})
		return err
	}
	_, err := get()
	want(t, "none", err, "NoSuchBucketPolicy")
	want(t, "no JSON", put("{"), "MalformedPolicy")
	want(t, "no statement", put(`{"Version":"2012-10-17"}`), "MalformedPolicy")
	const policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}]}`
	want(t, "put", put(policy), "")
	if got, err := get(); err != nil || got != policy {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := w.put("k", "x"); err != nil {
		t.Errorf("the policy is applied: %v", err)
	}
	_, err = w.DeleteBucketPolicy(t.Context(), &sdk.DeleteBucketPolicyInput{Bucket: aws.String(name)})
	want(t, "delete", err, "")
	_, err = get()
	want(t, "deleted", err, "NoSuchBucketPolicy")
}

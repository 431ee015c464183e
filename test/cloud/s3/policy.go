package s3

import (
	"encoding/json"
	"net/http"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html
func (*Service) putPolicy(q *request, b *bucket) (*wire.Reply, error) {
	var policy struct {
		Version   string
		Statement json.RawMessage
	}
	if json.Unmarshal(q.Body, &policy) != nil {
		return nil, fail(http.StatusBadRequest, "MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'")
	}
	if len(policy.Statement) == 0 {
		return nil, fail(http.StatusBadRequest, "MalformedPolicy", "Missing required field Statement")
	}
	b.policy = q.Body
	return &wire.Reply{Status: http.StatusNoContent}, nil
}

func (*Service) getPolicy(_ *request, b *bucket) (*wire.Reply, error) {
	if b.policy == nil {
		return nil, fail(http.StatusNotFound, "NoSuchBucketPolicy", "The bucket policy does not exist", "BucketName", b.name)
	}
	return &wire.Reply{Header: http.Header{"Content-Type": {"application/json"}}, Body: b.policy}, nil
}

func (*Service) deletePolicy(_ *request, b *bucket) (*wire.Reply, error) {
	b.policy = nil
	return &wire.Reply{Status: http.StatusNoContent}, nil
}

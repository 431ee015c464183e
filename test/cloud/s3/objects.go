package s3

import (
	"fmt"
	"net/http"
	"time"
)

// Put writes an object from Go, as a service of AWS does: no call is counted, no
// fault applies, and the bucket's default retention is left out. Header is what
// describes the object, such as Content-Type; it is not changed. Metadata's names are
// as in x-amz-meta-NAME. The error says that there is no such bucket.
func (s *Service) Put(bucketName, key string, at time.Time, body []byte, header http.Header, metadata map[string]string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.buckets[bucketName]
	if !ok {
		return fmt.Errorf("write to %s: no such bucket", bucketName)
	}
	h := header.Clone()
	for name, value := range metadata {
		h.Set("X-Amz-Meta-"+name, value)
	}
	v := &version{at: at, body: body, etag: etag(body), header: http.Header{}}
	sums, err := verify(h, body)
	if err != nil {
		return err
	}
	v.sums = sums
	if err = v.describe(h); err != nil {
		return err
	}
	if v.id, err = s.newID(b); err != nil {
		return err
	}
	b.add(key, v)
	return nil
}

// Give makes a bucket another account's, as far as those see it who say whose they
// expect it to be. The error says that there is no such bucket.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
func (s *Service) Give(bucketName, account string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.buckets[bucketName]
	if !ok {
		return fmt.Errorf("give %s: no such bucket", bucketName)
	}
	b.owner = account
	return nil
}

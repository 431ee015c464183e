package s3

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/keyturn/keyturn/shared/awserror"
	"github.com/keyturn/keyturn/shared/ledger"
)

// history is what a bucket keeps of one key.
type history struct {
	versions, markers int  // markers are those of deletions
	deleted           bool // the latest is a marker
}

// Walk calls f for each path. Deletions count as versions, but for an object that
// may pass: one that aged and is gone is not there.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
func (s *Store) Walk(ctx context.Context, f func(path string, versions int) error) error {
	found := map[string]*history{}
	of := func(key *string) *history {
		h, ok := found[*key]
		if !ok {
			h = &history{}
			found[*key] = h
		}
		return h
	}
	in := &s3.ListObjectVersionsInput{Bucket: &s.bucket, Prefix: &s.prefix}
	for {
		out, err := s.client.ListObjectVersions(ctx, in)
		if err != nil {
			return awserror.Safe("ListObjectVersions", err)
		}
		for _, v := range out.Versions {
			of(v.Key).versions++
		}
		for _, m := range out.DeleteMarkers {
			h := of(m.Key)
			h.markers++
			h.deleted = h.deleted || m.IsLatest != nil && *m.IsLatest
		}
		more := out.IsTruncated != nil && *out.IsTruncated
		if err := s.emit(found, more, f); err != nil || !more {
			return err
		}
		in.KeyMarker, in.VersionIdMarker = out.NextKeyMarker, out.NextVersionIdMarker
	}
}

// emit calls f for what was found, in order, and forgets it. If there is more, the
// last key's versions may go on, so that it stays.
func (s *Store) emit(found map[string]*history, more bool, f func(path string, versions int) error) error {
	keys := make([]string, 0, len(found))
	for key := range found {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	if more && len(keys) > 0 {
		keys = keys[:len(keys)-1]
	}
	for _, key := range keys {
		h := found[key]
		delete(found, key)
		path := strings.TrimPrefix(key, s.prefix)
		if rest, ok := strings.CutPrefix(path, ledger.PassingDir); ok && ledger.Passing(rest) {
			if path = rest; h.deleted {
				continue
			}
		}
		if err := f(path, h.versions+h.markers); err != nil {
			return err
		}
	}
	return nil
}

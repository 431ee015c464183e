package s3

import (
	"encoding/xml"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

type bucket struct {
	name       string
	owner      string // account
	created    time.Time
	versioning string // "", "Enabled" or "Suspended"
	locked     bool   // has Object Lock
	rule       *rule
	policy     []byte                // nil: none
	objects    map[string][]*version // by key, oldest first
	keys       []string              // of objects, sorted; nil: to be made
}

// version is one version of an object, or a delete marker.
type version struct {
	id       string // "null" without versioning
	at       time.Time
	marker   bool
	body     []byte
	etag     string
	header   http.Header // what a reader gets: type, metadata
	tags     []tag
	sums     map[string]string // by algorithm, such as "crc32"
	mode     string            // of the retention; "" without one
	until    time.Time
	held     bool // legal hold
	hasLocks bool // a retention or a hold was set
}

// order returns the keys, sorted by their bytes.
func (b *bucket) order() []string {
	if b.keys == nil {
		b.keys = slices.Sorted(maps.Keys(b.objects))
	}
	return b.keys
}

func (b *bucket) add(key string, v *version) {
	old := b.objects[key]
	if v.id == "null" {
		old = slices.DeleteFunc(slices.Clone(old), func(o *version) bool { return o.id == "null" })
	}
	b.objects[key] = append(old, v)
	if len(old) == 0 {
		b.keys = nil
	}
}

func (b *bucket) remove(key string, v *version) {
	left := slices.DeleteFunc(slices.Clone(b.objects[key]), func(o *version) bool { return o == v })
	if len(left) == 0 {
		delete(b.objects, key)
		b.keys = nil
		return
	}
	b.objects[key] = left
}

// latest returns the newest version, nil if there is none.
func (b *bucket) latest(key string) *version {
	if all := b.objects[key]; len(all) > 0 {
		return all[len(all)-1]
	}
	return nil
}

func (b *bucket) version(key, id string) *version {
	for _, v := range b.objects[key] {
		if v.id == id {
			return v
		}
	}
	return nil
}

// newID returns a version id for the next write.
func (s *Service) newID(b *bucket) (string, error) {
	if b.versioning != "Enabled" {
		return "null", nil
	}
	return s.random()
}

// nameOK reports whether name follows the rules for buckets.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
func nameOK(name string) bool {
	return regexp.MustCompile(`^[a-z0-9]([a-z0-9-]|\.[a-z0-9]){1,61}[a-z0-9]$`).MatchString(name) && len(name) <= 63 && net.ParseIP(name) == nil
}

func (s *Service) createBucket(q *request) (*wire.Reply, error) {
	if !nameOK(q.bucket) {
		return nil, fail(http.StatusBadRequest, "InvalidBucketName", "The specified bucket is not valid.", "BucketName", q.bucket)
	}
	var in struct{ LocationConstraint string }
	if len(q.Body) > 0 && xml.Unmarshal(q.Body, &in) != nil {
		return nil, malformed()
	}
	if in.LocationConstraint != "" { // the local AWS is in us-east-1, which has none
		return nil, fail(http.StatusBadRequest, "InvalidLocationConstraint", "The specified location-constraint is not valid", "LocationConstraint", in.LocationConstraint)
	}
	if _, ok := s.buckets[q.bucket]; !ok { // in us-east-1, making one's own bucket again succeeds
		b := &bucket{name: q.bucket, owner: wire.Account, created: q.Now, objects: map[string][]*version{}}
		if q.HTTP.Header.Get("X-Amz-Bucket-Object-Lock-Enabled") == "true" {
			b.locked, b.versioning = true, "Enabled"
		}
		s.buckets[q.bucket] = b
	}
	return &wire.Reply{Header: http.Header{"Location": {"/" + q.bucket}}}, nil
}

func (s *Service) deleteBucket(q *request, b *bucket) (*wire.Reply, error) {
	switch {
	case len(b.objects) > 0 && b.versioning != "":
		return nil, fail(http.StatusConflict, "BucketNotEmpty", "The bucket you tried to delete is not empty. You must delete all versions in the bucket.", "BucketName", b.name)
	case len(b.objects) > 0:
		return nil, fail(http.StatusConflict, "BucketNotEmpty", "The bucket you tried to delete is not empty", "BucketName", b.name)
	}
	delete(s.buckets, q.bucket)
	return &wire.Reply{Status: http.StatusNoContent}, nil
}

func (*Service) headBucket(*request, *bucket) (*wire.Reply, error) {
	return &wire.Reply{Header: http.Header{"X-Amz-Bucket-Region": {wire.Region}, "Content-Type": {"application/xml"}}}, nil
}

func (*Service) location(*request, *bucket) (*wire.Reply, error) {
	return answer(struct { // us-east-1 is said by saying nothing
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ LocationConstraint"`
	}{})
}

func (s *Service) listBuckets(*request) (*wire.Reply, error) {
	type entry struct{ Name, CreationDate string }
	out := struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListAllMyBucketsResult"`
		Owner   owner
		Buckets struct{ Bucket []entry }
	}{Owner: self()}
	for _, name := range slices.Sorted(maps.Keys(s.buckets)) {
		out.Buckets.Bucket = append(out.Buckets.Bucket, entry{name, stamp(s.buckets[name].created)})
	}
	return answer(out)
}

type versioning struct {
	XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ VersioningConfiguration"`
	Status  string   `xml:",omitempty"`
}

func (*Service) getVersioning(_ *request, b *bucket) (*wire.Reply, error) {
	return answer(versioning{Status: b.versioning})
}

func (*Service) putVersioning(q *request, b *bucket) (*wire.Reply, error) {
	var in struct{ Status string }
	if xml.Unmarshal(q.Body, &in) != nil || in.Status != "Enabled" && in.Status != "Suspended" {
		return nil, malformed()
	}
	if b.locked && in.Status != "Enabled" {
		return nil, fail(http.StatusConflict, "InvalidBucketState", "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.")
	}
	b.versioning = in.Status
	return &wire.Reply{}, nil
}

package s3

import (
	"encoding/xml"
	"net/http"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

// deleted is what a deletion did: it made marker, or removed a version.
type deleted struct {
	marker  *version
	removed *version
}

// remove deletes the object at key: with an id that version, else it makes a
// delete marker if the bucket has versions. Locks do not keep markers away.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html
func (s *Service) remove(q *request, b *bucket, key, id string, byID, may bool) (deleted, error) {
	if byID {
		v, err := b.named(key, id, true)
		if e, ok := err.(*wire.Error); ok && e.Code == "NoSuchVersion" { //nolint:errorlint // made by named
			return deleted{}, nil // there is nothing to delete
		}
		if err != nil {
			return deleted{}, err
		}
		if err = v.deny(q.Now, may); err != nil {
			return deleted{}, err
		}
		b.remove(key, v)
		return deleted{removed: v}, nil
	}
	if b.versioning == "" {
		if v := b.latest(key); v != nil {
			b.remove(key, v)
		}
		return deleted{}, nil
	}
	id, err := s.newID(b)
	if err != nil {
		return deleted{}, err
	}
	v := &version{id: id, at: q.Now, marker: true}
	b.add(key, v)
	return deleted{marker: v}, nil
}

func (s *Service) deleteObject(q *request, b *bucket) (*wire.Reply, error) {
	may, err := bypass(q, b)
	if err != nil {
		return nil, err
	}
	if match := q.HTTP.Header.Get("If-Match"); match != "" {
		now := b.latest(q.key)
		if now == nil || now.marker {
			return nil, fail(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.", "Key", q.key)
		}
		if match != "*" && !same(match, now.etag) {
			return nil, precondition("If-Match")
		}
	}
	params := q.HTTP.URL.Query()
	d, err := s.remove(q, b, q.key, params.Get("versionId"), params.Has("versionId"), may)
	if err != nil {
		return nil, err
	}
	h := http.Header{}
	switch {
	case d.marker != nil:
		h.Set("X-Amz-Delete-Marker", "true")
		b.showVersion(h, d.marker)
	case d.removed != nil:
		b.showVersion(h, d.removed)
		if d.removed.marker {
			h.Set("X-Amz-Delete-Marker", "true")
		}
	case params.Has("versionId"):
		h.Set("X-Amz-Version-Id", params.Get("versionId"))
	}
	return &wire.Reply{Status: http.StatusNoContent, Header: h}, nil
}

type deletedEntry struct {
	Key                   string
	VersionId             string `xml:",omitempty"` //nolint:revive // AWS's name
	DeleteMarker          bool   `xml:",omitempty"`
	DeleteMarkerVersionId string `xml:",omitempty"` //nolint:revive // AWS's name
}

type deleteFailure struct {
	Key           string
	VersionId     string `xml:",omitempty"` //nolint:revive // AWS's name
	Code, Message string
}

// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
func (s *Service) deleteObjects(q *request, b *bucket) (*wire.Reply, error) {
	may, err := bypass(q, b)
	if err != nil {
		return nil, err
	}
	body, h, err := payload(q.HTTP.Header, q.Body)
	if err != nil {
		return nil, err
	}
	if !summed(h) {
		return nil, fail(http.StatusBadRequest, "InvalidRequest", "Missing required header for this request: Content-MD5")
	}
	if _, err = verify(h, body); err != nil {
		return nil, err
	}
	var in struct {
		Object []struct {
			Key       string
			VersionId *string //nolint:revive // AWS's name
			ETag      string
		}
		Quiet bool
	}
	if xml.Unmarshal(body, &in) != nil || len(in.Object) == 0 || len(in.Object) > 1000 {
		return nil, malformed()
	}
	out := struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ DeleteResult"`
		Deleted []deletedEntry
		Error   []deleteFailure
	}{}
	for _, o := range in.Object {
		id := ""
		if o.VersionId != nil {
			id = *o.VersionId
		}
		var d deleted
		now := b.latest(o.Key)
		if o.ETag != "" && (now == nil || !same(o.ETag, now.etag)) {
			err = precondition("If-Match")
		} else {
			d, err = s.remove(q, b, o.Key, id, o.VersionId != nil, may)
		}
		if err != nil {
			e := wire.AsError(err)
			if e.Code == "InvalidArgument" { // of the id
				e = &wire.Error{Code: "NoSuchVersion", Message: "The specified version does not exist."}
			}
			out.Error = append(out.Error, deleteFailure{o.Key, id, e.Code, e.Message})
			continue
		}
		if in.Quiet {
			continue
		}
		entry := deletedEntry{Key: o.Key, VersionId: id}
		if d.marker != nil {
			entry.DeleteMarker, entry.DeleteMarkerVersionId = true, d.marker.id
		} else if d.removed != nil && d.removed.marker {
			entry.DeleteMarker, entry.DeleteMarkerVersionId = true, d.removed.id
		}
		out.Deleted = append(out.Deleted, entry)
	}
	return answer(out)
}

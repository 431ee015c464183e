package s3

import (
	"encoding/xml"
	"net/http"
	"slices"
	"time"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

const (
	governance = "GOVERNANCE"
	compliance = "COMPLIANCE"
)

// rule is a bucket's default retention.
type rule struct {
	Mode  string
	Days  int `xml:",omitempty"`
	Years int `xml:",omitempty"`
}

type lockConfiguration struct {
	XMLName           xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ObjectLockConfiguration"`
	ObjectLockEnabled string
	Rule              *struct{ DefaultRetention *rule } `xml:",omitempty"`
}

func (*Service) getLock(_ *request, b *bucket) (*wire.Reply, error) {
	if !b.locked {
		return nil, fail(http.StatusNotFound, "ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket", "BucketName", b.name)
	}
	out := lockConfiguration{ObjectLockEnabled: "Enabled"}
	if b.rule != nil {
		out.Rule = &struct{ DefaultRetention *rule }{b.rule}
	}
	return answer(out)
}

func (*Service) putLock(q *request, b *bucket) (*wire.Reply, error) {
	var in struct {
		ObjectLockEnabled string
		Rule              *struct{ DefaultRetention *rule }
	}
	if xml.Unmarshal(q.Body, &in) != nil || in.ObjectLockEnabled != "Enabled" {
		return nil, malformed()
	}
	var r *rule
	if in.Rule != nil {
		r = in.Rule.DefaultRetention
		if r == nil || !modeOK(r.Mode) || (r.Days > 0) == (r.Years > 0) {
			return nil, malformed()
		}
	}
	if b.versioning != "Enabled" {
		return nil, fail(http.StatusConflict, "InvalidBucketState", "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration")
	}
	b.locked, b.rule = true, r
	return &wire.Reply{}, nil
}

func modeOK(mode string) bool { return slices.Contains([]string{governance, compliance}, mode) }

// protect sets the locks that a PutObject asks for, or the bucket's default.
func (v *version) protect(q *request, b *bucket) error {
	h := q.HTTP.Header
	mode, date, hold := h.Get("X-Amz-Object-Lock-Mode"), h.Get("X-Amz-Object-Lock-Retain-Until-Date"), h.Get("X-Amz-Object-Lock-Legal-Hold")
	asked := mode != "" || date != "" || hold != ""
	switch {
	case asked && !b.locked:
		return fail(http.StatusBadRequest, "InvalidRequest", "Bucket is missing Object Lock Configuration")
	case (mode == "") != (date == ""):
		return invalid("x-amz-object-lock-mode", mode, "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied")
	case mode != "" && !modeOK(mode):
		return invalid("x-amz-object-lock-mode", mode, "Unknown wormMode directive.")
	case hold != "" && hold != "ON" && hold != "OFF":
		return invalid("x-amz-object-lock-legal-hold", hold, "Legal Hold must be either of 'ON' or 'OFF'")
	case (asked || b.rule != nil) && !summed(h):
		return fail(http.StatusBadRequest, "InvalidRequest", "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters")
	}
	if date != "" {
		until, err := time.Parse(time.RFC3339, date)
		if err != nil {
			return invalid("x-amz-object-lock-retain-until-date", date, "The retain until date must be provided in ISO 8601 format")
		}
		if !until.After(q.Now) {
			return invalid("x-amz-object-lock-retain-until-date", date, "The retain until date must be in the future!")
		}
		v.mode, v.until = mode, until
	} else if b.rule != nil {
		v.mode, v.until = b.rule.Mode, v.at.AddDate(b.rule.Years, 0, b.rule.Days)
	}
	v.held = hold == "ON"
	v.hasLocks = v.mode != "" || hold != ""
	return nil
}

// deny refuses to end a version that is locked.
func (v *version) deny(now time.Time, bypass bool) error {
	if v.held || v.mode != "" && v.until.After(now) && (v.mode == compliance || !bypass) {
		return protected()
	}
	return nil
}

func protected() error {
	return fail(http.StatusForbidden, "AccessDenied", "Access Denied because object protected by object lock.")
}

func bypass(q *request, b *bucket) (bool, error) {
	value := q.HTTP.Header.Get("X-Amz-Bypass-Governance-Retention")
	if value != "" && !b.locked {
		return false, fail(http.StatusBadRequest, "InvalidArgument", "x-amz-bypass-governance-retention is only applicable to Object Lock enabled buckets.", "ArgumentName", "x-amz-bypass-governance-retention")
	}
	return value == "true", nil
}

// lockable finds the version that a request about locks means.
func (s *Service) lockable(q *request, b *bucket) (*version, error) {
	v, err := s.find(q, b)
	if err == nil && !b.locked {
		return nil, fail(http.StatusBadRequest, "InvalidRequest", "Bucket is missing Object Lock Configuration")
	}
	return v, err
}

func noLock(q *request) error {
	return fail(http.StatusNotFound, "NoSuchObjectLockConfiguration", "The specified object does not have a ObjectLock configuration", "Key", q.key)
}

type retention struct {
	XMLName         xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ Retention"`
	Mode            string
	RetainUntilDate string
}

func (s *Service) getRetention(q *request, b *bucket) (*wire.Reply, error) {
	v, err := s.lockable(q, b)
	if err != nil {
		return nil, err
	}
	if v.mode == "" {
		return nil, noLock(q)
	}
	return answer(retention{Mode: v.mode, RetainUntilDate: stamp(v.until)})
}

func (s *Service) putRetention(q *request, b *bucket) (*wire.Reply, error) {
	v, err := s.lockable(q, b)
	if err != nil {
		return nil, err
	}
	may, err := bypass(q, b)
	if err != nil {
		return nil, err
	}
	var in struct{ Mode, RetainUntilDate string }
	if xml.Unmarshal(q.Body, &in) != nil || in.Mode != "" && !modeOK(in.Mode) || (in.Mode == "") != (in.RetainUntilDate == "") {
		return nil, malformed()
	}
	var until time.Time
	if in.RetainUntilDate != "" {
		if until, err = time.Parse(time.RFC3339, in.RetainUntilDate); err != nil {
			return nil, malformed()
		}
		if !until.After(q.Now) {
			return nil, invalid("RetainUntilDate", in.RetainUntilDate, "The retain until date must be in the future!")
		}
	}
	if v.mode != "" && v.until.After(q.Now) {
		weaker := until.Before(v.until) || v.mode == compliance && in.Mode != compliance
		if weaker && (v.mode == compliance || !may) {
			return nil, protected()
		}
	}
	v.mode, v.until, v.hasLocks = in.Mode, until, true
	return &wire.Reply{}, nil
}

type hold struct {
	XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ LegalHold"`
	Status  string
}

func (s *Service) getHold(q *request, b *bucket) (*wire.Reply, error) {
	v, err := s.lockable(q, b)
	switch {
	case err != nil:
		return nil, err
	case !v.hasLocks:
		return nil, noLock(q)
	case v.held:
		return answer(hold{Status: "ON"})
	}
	return answer(hold{Status: "OFF"})
}

func (s *Service) putHold(q *request, b *bucket) (*wire.Reply, error) {
	v, err := s.lockable(q, b)
	if err != nil {
		return nil, err
	}
	var in struct{ Status string }
	if xml.Unmarshal(q.Body, &in) != nil || in.Status != "ON" && in.Status != "OFF" {
		return nil, malformed()
	}
	v.held, v.hasLocks = in.Status == "ON", true
	return &wire.Reply{}, nil
}

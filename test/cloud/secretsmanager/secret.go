package secretsmanager

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/keyturn/keyturn/test/cloud/schedule"
)

// Staging labels that Secrets Manager knows by itself.
const (
	current  = "AWSCURRENT"
	pending  = "AWSPENDING"
	previous = "AWSPREVIOUS"
)

// secret is one secret. Service.mu guards it.
type secret struct {
	name, arn, description, kmsKey, kind string
	created, changed, accessed           time.Time
	deleted                              time.Time   // zero unless marked for deletion
	purge                                func() bool // stops the deletion
	tags                                 []tag       // nil: never tagged
	policy                               string
	versions                             []*version // oldest first
	replicas                             []*replica
	rotation                             rotationConfig
	job                                  *job        // the rotation under way
	alarm                                func() bool // stops the next scheduled one
	alarmSeq                             int

	// before is the state before the last write, which a stale read sees; nil
	// if the secret did not exist.
	before *secret
	wrote  time.Time
}

// rotationConfig is how a secret rotates. The zero value: never configured.
type rotationConfig struct {
	enabled    *bool
	function   string
	rules      *rotationRules
	schedule   schedule.Schedule
	scheduled  bool
	external   []externalMetadata
	externalAs string

	rotated time.Time // LastRotatedDate
	next    time.Time // NextRotationDate: the end of the next window
	days    int64     // AutomaticallyAfterDays as described; 0: not computed yet
}

type version struct {
	id       string
	text     *string
	binary   []byte
	labels   []string
	created  time.Time
	accessed time.Time
	kmsKey   string
}

func (v *version) empty() bool { return v.text == nil && v.binary == nil }

func (v *version) has(label string) bool { return slices.Contains(v.labels, label) }

func (v *version) drop(label string) {
	v.labels = slices.DeleteFunc(v.labels, func(l string) bool { return l == label })
}

func (v *version) sameValue(text *string, binary []byte) bool {
	if v.text != nil || text != nil {
		return v.text != nil && text != nil && *v.text == *text
	}
	return string(v.binary) == string(binary)
}

// version returns the version by id, or nil.
func (s *secret) version(id string) *version {
	for _, v := range s.versions {
		if v.id == id {
			return v
		}
	}
	return nil
}

// holder returns the version that has the label, or nil.
func (s *secret) holder(label string) *version {
	for _, v := range s.versions {
		if v.has(label) {
			return v
		}
	}
	return nil
}

// stages is VersionIdsToStages; nil if no version has a label.
func (s *secret) stages() map[string][]string {
	out := map[string][]string{}
	for _, v := range s.versions {
		if len(v.labels) > 0 {
			out[v.id] = slices.Clone(v.labels)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func (s *secret) labelCount() int {
	n := 0
	for _, labels := range s.stages() {
		n += len(labels)
	}
	return n
}

// clone copies what reads look at.
func (s *secret) clone() *secret {
	c := *s
	c.before, c.job = nil, nil
	c.tags = slices.Clone(s.tags)
	c.versions = make([]*version, len(s.versions))
	for i, v := range s.versions {
		copied := *v
		copied.labels = slices.Clone(v.labels)
		c.versions[i] = &copied
	}
	return &c
}

// write remembers the state for stale reads. Call it before a change.
func (s *Service) write(sec *secret) {
	sec.before = sec.clone()
	sec.wrote = s.now()
	sec.changed = sec.wrote
}

// attach puts the label on v, and takes it from the version that had it. When
// AWSCURRENT moves, AWSPREVIOUS follows to the version that it left.
func (s *Service) attach(sec *secret, v *version, label string) {
	old := sec.holder(label)
	if old == v {
		return
	}
	if old != nil {
		old.drop(label)
	}
	v.labels = append(v.labels, label)
	if label == current && old != nil {
		s.attach(sec, old, previous)
	}
	if label != pending && label != previous {
		s.opt.Sink.LabelUpdated(sec.arn, sec.name, label, v.id)
	}
}

// keptVersions is the number of versions above which Secrets Manager deletes
// those without a label, if they are older than a day.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
const keptVersions = 100

func (s *Service) prune(sec *secret) {
	excess := len(sec.versions) - keptVersions
	day := s.now().Add(-24 * time.Hour)
	sec.versions = slices.DeleteFunc(sec.versions, func(v *version) bool {
		if excess <= 0 || len(v.labels) > 0 || v.created.After(day) {
			return false
		}
		excess--
		return true
	})
}

func (s *Service) byAge() []*secret {
	return slices.SortedFunc(maps.Values(s.secrets), func(a, b *secret) int {
		return cmp.Or(a.created.Compare(b.created), cmp.Compare(a.name, b.name))
	})
}

package cloudtrail

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

// Trail is a trail of the account. The bus gets the events of the local AWS without
// one too.
type Trail struct {
	Name string
	// Bucket and Prefix are where its files go: see [Service.Deliver]. "": a bucket
	// of which nothing but the name is shown, and no prefix.
	Bucket, Prefix string
	Organization   string // ID, if it is an organization's trail
	HomeRegion     string // "": the local AWS's
	MultiRegion    bool
	Stopped        bool
	// DeliveryError is what S3 answered to the last delivery; "": all is well.
	DeliveryError string
	Selectors     []Selector // basic ones
	Advanced      []Advanced // instead of Selectors; neither: all management events
}

// Selector is a basic event selector.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_EventSelector.html
type Selector struct {
	ReadWriteType                 string
	IncludeManagementEvents       bool
	ExcludeManagementEventSources []string
}

// Advanced is an advanced event selector.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedEventSelector.html
type Advanced struct {
	Name           string
	FieldSelectors []FieldSelector
}

// FieldSelector is one condition of an [Advanced] selector.
type FieldSelector struct {
	Field     string
	Equals    []string `json:",omitempty"`
	NotEquals []string `json:",omitempty"`
}

// trails are the account's.
type trails struct {
	mu     sync.Mutex
	all    []Trail
	status map[string]status // by name
}

// status is what a trail that delivers has done.
type status struct {
	by           *deliverer // nil: it is stopped
	how          *Delivery  // of the last one; nil: there was none
	file, digest time.Time  // the last ones, delivered or not
	trouble      string
}

// SetTrails makes all the account's trails. They write no files: see [Service.Deliver].
func (s *Service) SetTrails(all ...Trail) {
	s.trails.mu.Lock()
	defer s.trails.mu.Unlock()
	s.trails.all = slices.Clone(all)
}

// put adds or replaces a trail.
func (s *trails) put(t Trail, by *deliverer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.status == nil {
		s.status = map[string]status{}
	}
	now := s.status[t.Name]
	if now.by = by; by != nil {
		now.how = &by.how
	}
	s.status[t.Name] = now
	if i := slices.IndexFunc(s.all, func(o Trail) bool { return o.Name == t.Name }); i >= 0 {
		s.all[i] = t
		return
	}
	s.all = append(s.all, t)
}

// validates reports whether the trail has digests; s.mu is held.
func (s *trails) validates(name string) bool {
	st := s.status[name]
	return st.by != nil && !st.by.how.NoDigests
}

func (s *trails) deliverers() (out []*deliverer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.status {
		if st.by != nil {
			out = append(out, st.by)
		}
	}
	return out
}

// delivered keeps how a delivery went.
func (s *trails) delivered(name string, at time.Time, digest bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.status[name]
	st.trouble = ""
	if err != nil {
		st.trouble = "NoSuchBucket"
	}
	if digest {
		st.digest = at
	} else {
		st.file = at
	}
	s.status[name] = st
}

func (t Trail) home() string {
	if t.HomeRegion == "" {
		return wire.Region
	}
	return t.HomeRegion
}

func (t Trail) arn() string {
	return "arn:aws:cloudtrail:" + t.home() + ":" + wire.Account + ":trail/" + t.Name
}

// here reports whether the Region has the trail, or a shadow of it.
func (t Trail) here() bool { return t.MultiRegion || t.home() == wire.Region }

type describeTrailsInput struct {
	TrailNameList       []string `json:"trailNameList"`
	IncludeShadowTrails *bool    `json:"includeShadowTrails"`
}

type trailDescription struct {
	Name                       string
	S3BucketName               string
	S3KeyPrefix                string `json:",omitempty"`
	IncludeGlobalServiceEvents bool
	IsMultiRegionTrail         bool
	HomeRegion                 string
	TrailARN                   string
	LogFileValidationEnabled   bool
	HasCustomEventSelectors    bool
	HasInsightSelectors        bool
	IsOrganizationTrail        bool
}

type describeTrailsOutput struct {
	TrailList []trailDescription `json:"trailList"`
}

func (s *Service) describeTrails(_ context.Context, _ *wire.Call, in *describeTrailsInput) (*describeTrailsOutput, error) {
	s.trails.mu.Lock()
	defer s.trails.mu.Unlock()
	out := &describeTrailsOutput{TrailList: []trailDescription{}}
	for _, t := range s.trails.all {
		shadow := t.home() != wire.Region
		if !t.here() || shadow && in.IncludeShadowTrails != nil && !*in.IncludeShadowTrails ||
			len(in.TrailNameList) > 0 && !slices.Contains(in.TrailNameList, t.arn()) && (shadow || !slices.Contains(in.TrailNameList, t.Name)) {
			continue
		}
		out.TrailList = append(out.TrailList, trailDescription{
			Name: t.Name, S3BucketName: cmp.Or(t.Bucket, "trail-"+wire.Account), S3KeyPrefix: t.Prefix, IsOrganizationTrail: t.Organization != "",
			LogFileValidationEnabled: s.trails.validates(t.Name), IncludeGlobalServiceEvents: t.MultiRegion, IsMultiRegionTrail: t.MultiRegion,
			HomeRegion: t.home(), TrailARN: t.arn(), HasCustomEventSelectors: len(t.Selectors)+len(t.Advanced) > 0,
		})
	}
	return out, nil
}

// find returns the trail that ref, a name or an ARN, means. A trail of another
// Region is named by its ARN.
func (s *Service) find(ref string) (Trail, error) {
	s.trails.mu.Lock()
	defer s.trails.mu.Unlock()
	for _, t := range s.trails.all {
		if t.here() && (ref == t.arn() || ref == t.Name && t.home() == wire.Region) {
			return t, nil
		}
	}
	if !strings.HasPrefix(ref, "arn:") && !regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{2,127}$`).MatchString(ref) {
		return Trail{}, &wire.Error{Code: "InvalidTrailNameException", Message: "Trail name or ARN is not valid"}
	}
	return Trail{}, &wire.Error{Code: "TrailNotFoundException", Message: "Unknown trail: " + ref + " for the user: " + wire.Account}
}

type getTrailStatusInput struct{ Name string }

type getTrailStatusOutput struct {
	IsLogging           bool
	LatestDeliveryError string   `json:",omitempty"`
	LatestDeliveryTime  *float64 `json:",omitempty"`

	LatestDigestDeliveryTime *float64 `json:",omitempty"`
}

func (s *Service) getTrailStatus(_ context.Context, c *wire.Call, in *getTrailStatusInput) (*getTrailStatusOutput, error) {
	t, err := s.find(in.Name)
	if err != nil {
		return nil, err
	}
	out := &getTrailStatusOutput{IsLogging: !t.Stopped, LatestDeliveryError: t.DeliveryError}
	s.trails.mu.Lock()
	defer s.trails.mu.Unlock()
	switch st, delivers := s.trails.status[t.Name]; {
	case delivers:
		out.LatestDeliveryError = cmp.Or(out.LatestDeliveryError, st.trouble)
		out.LatestDeliveryTime, out.LatestDigestDeliveryTime = unix(st.file), unix(st.digest)
	case !t.Stopped:
		out.LatestDeliveryTime = new(float64(c.Now.Add(-time.Minute).Unix()))
	}
	return out, nil
}

func unix(t time.Time) *float64 {
	if t.IsZero() {
		return nil
	}
	return new(float64(t.Unix()))
}

type getEventSelectorsInput struct{ TrailName string }

type basicSelector struct {
	ReadWriteType                 string
	IncludeManagementEvents       bool
	DataResources                 []struct{}
	ExcludeManagementEventSources []string
}

type getEventSelectorsOutput struct {
	TrailARN               string
	EventSelectors         []basicSelector `json:",omitempty"`
	AdvancedEventSelectors []Advanced      `json:",omitempty"`
}

func (s *Service) getEventSelectors(_ context.Context, _ *wire.Call, in *getEventSelectorsInput) (*getEventSelectorsOutput, error) {
	t, err := s.find(in.TrailName)
	if err != nil {
		return nil, err
	}
	out := &getEventSelectorsOutput{TrailARN: t.arn(), AdvancedEventSelectors: t.Advanced}
	if len(t.Selectors)+len(t.Advanced) == 0 {
		t.Selectors = []Selector{{ReadWriteType: "All", IncludeManagementEvents: true}}
	}
	for _, b := range t.Selectors {
		out.EventSelectors = append(out.EventSelectors, basicSelector{
			ReadWriteType: b.ReadWriteType, IncludeManagementEvents: b.IncludeManagementEvents, DataResources: []struct{}{},
			ExcludeManagementEventSources: append([]string{}, b.ExcludeManagementEventSources...),
		})
	}
	return out, nil
}

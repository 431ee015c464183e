package cloudtrail

import (
	"context"
	"slices"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

type nameInput struct{ Name string }

type empty struct{}

// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_StopLogging.html
func (s *Service) stopLogging(_ context.Context, _ *wire.Call, in *nameInput) (*empty, error) {
	t, err := s.own(in.Name)
	if err != nil {
		return nil, err
	}
	if d := s.trails.of(t.Name).by; d != nil {
		s.halt(t, d)
		return &empty{}, nil
	}
	t.Stopped = true
	s.trails.put(t, nil)
	return &empty{}, nil
}

// startLogging begins a trail again, with a new chain of digests.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_StartLogging.html
func (s *Service) startLogging(_ context.Context, _ *wire.Call, in *nameInput) (*empty, error) {
	t, err := s.own(in.Name)
	if err != nil {
		return nil, err
	}
	st := s.trails.of(t.Name)
	switch {
	case st.by != nil: // it is on
	case st.how != nil:
		if _, err := s.Deliver(t, *st.how); err != nil {
			return nil, &wire.Error{Code: "S3BucketDoesNotExistException", Message: "S3 bucket " + t.Bucket + " does not exist!"}
		}
	default:
		t.Stopped = false
		s.trails.put(t, nil)
	}
	return &empty{}, nil
}

// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_DeleteTrail.html
func (s *Service) deleteTrail(_ context.Context, _ *wire.Call, in *nameInput) (*empty, error) {
	t, err := s.own(in.Name)
	if err != nil {
		return nil, err
	}
	if d := s.trails.of(t.Name).by; d != nil {
		s.halt(t, d)
	}
	s.trails.mu.Lock()
	defer s.trails.mu.Unlock()
	s.trails.all = slices.DeleteFunc(s.trails.all, func(o Trail) bool { return o.Name == t.Name })
	delete(s.trails.status, t.Name)
	return &empty{}, nil
}

// own finds a trail that is changed, which is done in its home Region only.
func (s *Service) own(ref string) (Trail, error) {
	t, err := s.find(ref)
	if err == nil && t.home() != wire.Region {
		return Trail{}, refuse("InvalidHomeRegionException", "The trail's home Region is "+t.home()+".")
	}
	return t, err
}

// of returns what a trail has done.
func (s *trails) of(name string) status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status[name]
}

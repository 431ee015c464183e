package cloudtrail_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudtrail"

	"github.com/keyturn/keyturn/test/cloud/cloudtrail"
)

// Whoever stops a trail is unseen in its files, until it is begun again.
func TestStopLogging(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.deliver(cloudtrail.Delivery{})
		api, main := sdk.NewFromConfig(w.region.Cloud.Config()), aws.String("main")
		logging := func() bool {
			s, err := api.GetTrailStatus(t.Context(), &sdk.GetTrailStatusInput{Name: main})
			if err != nil {
				t.Fatal(err)
			}
			return *s.IsLogging
		}
		w.act(1)
		time.Sleep(time.Hour + time.Minute)
		if _, err := api.StopLogging(t.Context(), &sdk.StopLoggingInput{Name: main}); err != nil || logging() {
			t.Fatalf("it logs, %v", err)
		}
		w.act(1)
		time.Sleep(3 * time.Hour)
		for range 2 { // the second does nothing
			if _, err := api.StartLogging(t.Context(), &sdk.StartLoggingInput{Name: main}); err != nil || !logging() {
				t.Fatalf("it does not log, %v", err)
			}
		}
		w.act(1)
		time.Sleep(time.Hour + time.Minute)
		r, seen := w.walk()
		if len(seen) != 2 || len(r.Problems) != 1 || !strings.Contains(r.Problems[0], "a new chain begins") {
			t.Errorf("%d of 3 records, problems %q", len(seen), r.Problems)
		}
		if _, err := api.DeleteTrail(t.Context(), &sdk.DeleteTrailInput{Name: main}); err != nil {
			t.Error(err)
		}
		if out, err := api.DescribeTrails(t.Context(), &sdk.DescribeTrailsInput{}); err != nil || len(out.TrailList) != 0 {
			t.Errorf("%+v, %v", out, err)
		}
		if _, err := api.StopLogging(t.Context(), &sdk.StopLoggingInput{Name: main}); err == nil || !strings.Contains(err.Error(), "TrailNotFoundException") {
			t.Errorf("a trail that is gone: %v", err)
		}
	})
}

func TestStopLogging_elsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.region.CloudTrail.SetTrails(cloudtrail.Trail{Name: "far", HomeRegion: "eu-west-1", MultiRegion: true}, cloudtrail.Trail{Name: "here"})
	api := sdk.NewFromConfig(w.region.Cloud.Config())
	_, err := api.StopLogging(t.Context(), &sdk.StopLoggingInput{Name: aws.String("arn:aws:cloudtrail:eu-west-1:123456789012:trail/far")})
	if err == nil || !strings.Contains(err.Error(), "InvalidHomeRegionException") {
		t.Errorf("another Region's: %v", err)
	}
	for _, stop := range []bool{true, false} {
		if stop {
			_, err = api.StopLogging(t.Context(), &sdk.StopLoggingInput{Name: aws.String("here")})
		} else {
			_, err = api.StartLogging(t.Context(), &sdk.StartLoggingInput{Name: aws.String("here")})
		}
		s, errStatus := api.GetTrailStatus(t.Context(), &sdk.GetTrailStatusInput{Name: aws.String("here")})
		if err != nil || errStatus != nil || *s.IsLogging == stop {
			t.Errorf("stopped %v: %v, %v, %+v", stop, err, errStatus, s)
		}
	}
}

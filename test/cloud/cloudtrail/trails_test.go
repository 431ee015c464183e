package cloudtrail_test

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/test/cloud/clock"
	"github.com/keyturn/keyturn/test/cloud/cloudtrail"
	"github.com/keyturn/keyturn/test/cloud/wire/wiretest"
)

func trailClient(t *testing.T) *sdk.Client {
	t.Helper()
	s := cloudtrail.New(cloudtrail.Options{Now: time.Now, Trail: trail})
	s.SetTrails(
		cloudtrail.Trail{Name: "main", MultiRegion: true},
		cloudtrail.Trail{Name: "stopped", Stopped: true, DeliveryError: "NoSuchBucket", Advanced: []cloudtrail.Advanced{{FieldSelectors: []cloudtrail.FieldSelector{
			{Field: "eventCategory", Equals: []string{"Data"}}, {Field: "readOnly", NotEquals: []string{"true"}},
		}}}},
		cloudtrail.Trail{Name: "shadow", MultiRegion: true, HomeRegion: "eu-west-1", Selectors: []cloudtrail.Selector{{ReadWriteType: "WriteOnly", IncludeManagementEvents: true}}},
		cloudtrail.Trail{Name: "elsewhere", HomeRegion: "eu-west-1"},
	)
	return sdk.NewFromConfig(wiretest.Config("cloudtrail", s, clock.New()))
}

func TestTrails(t *testing.T) {
	t.Parallel()
	c := trailClient(t)
	names := func(in *sdk.DescribeTrailsInput) (out []string) {
		t.Helper()
		all, err := c.DescribeTrails(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range all.TrailList {
			out = append(out, *d.Name+" "+*d.HomeRegion)
		}
		return out
	}
	for _, tt := range []struct {
		in   *sdk.DescribeTrailsInput
		want []string
	}{
		{&sdk.DescribeTrailsInput{}, []string{"main us-east-1", "stopped us-east-1", "shadow eu-west-1"}},
		{&sdk.DescribeTrailsInput{IncludeShadowTrails: aws.Bool(false)}, []string{"main us-east-1", "stopped us-east-1"}},
		{&sdk.DescribeTrailsInput{TrailNameList: []string{"main", "shadow"}}, []string{"main us-east-1"}},
	} {
		if diff := cmp.Diff(tt.want, names(tt.in)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	const shadow = "arn:aws:cloudtrail:eu-west-1:123456789012:trail/shadow"
	st, err := c.GetTrailStatus(t.Context(), &sdk.GetTrailStatusInput{Name: aws.String("stopped")})
	if err != nil || *st.IsLogging || *st.LatestDeliveryError != "NoSuchBucket" {
		t.Errorf("%+v, %v", st, err)
	}
	if st, err = c.GetTrailStatus(t.Context(), &sdk.GetTrailStatusInput{Name: aws.String(shadow)}); err != nil || !*st.IsLogging || st.LatestDeliveryTime == nil {
		t.Errorf("%+v, %v", st, err)
	}
	for name, want := range map[string]string{"main": "All", shadow: "WriteOnly"} {
		s, err := c.GetEventSelectors(t.Context(), &sdk.GetEventSelectorsInput{TrailName: &name})
		if err != nil || len(s.EventSelectors) != 1 || string(s.EventSelectors[0].ReadWriteType) != want || !*s.EventSelectors[0].IncludeManagementEvents {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
	s, err := c.GetEventSelectors(t.Context(), &sdk.GetEventSelectorsInput{TrailName: aws.String("stopped")})
	if err != nil || len(s.EventSelectors) != 0 || len(s.AdvancedEventSelectors) != 1 || s.AdvancedEventSelectors[0].FieldSelectors[1].NotEquals[0] != "true" {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestTrails_refused(t *testing.T) {
	t.Parallel()
	c := trailClient(t)
	for name, want := range map[string]string{"elsewhere": "TrailNotFoundException", "shadow": "TrailNotFoundException", "a b": "InvalidTrailNameException"} {
		_, err := c.GetTrailStatus(t.Context(), &sdk.GetTrailStatusInput{Name: &name})
		if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := c.GetInsightSelectors(t.Context(), &sdk.GetInsightSelectorsInput{TrailName: aws.String("main")})
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "NotImplemented" {
		t.Errorf("not modeled: %v", err)
	}
}

package s3_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func (w *world) rule(mode types.ObjectLockRetentionMode, days int32) error {
	in := &types.ObjectLockConfiguration{ObjectLockEnabled: types.ObjectLockEnabledEnabled}
	if mode != "" {
		in.Rule = &types.ObjectLockRule{DefaultRetention: &types.DefaultRetention{Mode: mode, Days: &days}}
	}
	_, err := w.PutObjectLockConfiguration(w.t.Context(), &sdk.PutObjectLockConfigurationInput{Bucket: aws.String(name), ObjectLockConfiguration: in})
	return err
}

func (w *world) retain(key string, id *string, mode types.ObjectLockRetentionMode, until time.Time, bypass bool) error {
	in := &sdk.PutObjectRetentionInput{Bucket: aws.String(name), Key: &key, VersionId: id, Retention: &types.ObjectLockRetention{Mode: mode, RetainUntilDate: &until}}
	if bypass {
		in.BypassGovernanceRetention = &bypass
	}
	_, err := w.PutObjectRetention(w.t.Context(), in)
	return err
}

func TestLock(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		mode   types.ObjectLockRetentionMode
		bypass string // what deleting with a bypass answers
	}{{types.ObjectLockRetentionModeCompliance, "AccessDenied"}, {types.ObjectLockRetentionModeGovernance, ""}} {
		w := open(t, true)
		if err := w.rule(tt.mode, 10); err != nil {
			t.Fatal(err)
		}
		first, second := w.version("k", "first"), w.version("k", "second") // an overwrite is a version of its own
		for _, id := range []*string{first, second} {
			_, err := w.remove("k", id, false)
			want(t, "delete of a version", err, "AccessDenied")
		}
		out, err := w.DeleteObjects(t.Context(), &sdk.DeleteObjectsInput{Bucket: aws.String(name), Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String("k"), VersionId: first}}}})
		if err != nil || len(out.Deleted) != 0 || len(out.Errors) != 1 || *out.Errors[0].Code != "AccessDenied" {
			t.Errorf("%+v, %v", out, err)
		}
		if _, err = w.remove("k", nil, false); err != nil {
			t.Errorf("a marker is refused: %v", err)
		}
		now := w.clock.Now()
		want(t, "shorter", w.retain("k", first, tt.mode, now.Add(time.Hour), false), "AccessDenied")
		want(t, "longer", w.retain("k", first, tt.mode, now.AddDate(0, 0, 20), false), "")
		_, err = w.remove("k", second, true)
		want(t, "bypass", err, tt.bypass)
		want(t, "shorter with a bypass", w.retain("k", first, tt.mode, now.AddDate(0, 0, 15), true), tt.bypass)
		w.clock.Advance(12 * 24 * time.Hour)
		_, err = w.remove("k", first, false)
		want(t, "after 12 days, longer", err, "AccessDenied")
		w.clock.Advance(9 * 24 * time.Hour)
		if _, err = w.remove("k", first, false); err != nil {
			t.Errorf("after the retention: %v", err)
		}
	}
}

func TestLock_ofOneObject(t *testing.T) {
	t.Parallel()
	w := open(t, true)
	until := w.clock.Now().Add(time.Hour).Truncate(time.Second)
	id := w.version("k", "x", func(in *sdk.PutObjectInput) {
		in.ObjectLockMode, in.ObjectLockRetainUntilDate = types.ObjectLockModeCompliance, &until
		in.ObjectLockLegalHoldStatus = types.ObjectLockLegalHoldStatusOn
	})
	head, err := w.HeadObject(t.Context(), &sdk.HeadObjectInput{Bucket: aws.String(name), Key: aws.String("k")})
	if err != nil || head.ObjectLockMode != types.ObjectLockModeCompliance || !head.ObjectLockRetainUntilDate.Equal(until) || head.ObjectLockLegalHoldStatus != types.ObjectLockLegalHoldStatusOn {
		t.Errorf("%+v, %v", head, err)
	}
	got, err := w.GetObjectRetention(t.Context(), &sdk.GetObjectRetentionInput{Bucket: aws.String(name), Key: aws.String("k")})
	if err != nil || !got.Retention.RetainUntilDate.Equal(until) {
		t.Errorf("%+v, %v", got, err)
	}
	w.clock.Advance(2 * time.Hour)
	_, err = w.remove("k", id, true)
	want(t, "held", err, "AccessDenied")
	if _, err = w.PutObjectLegalHold(t.Context(), &sdk.PutObjectLegalHoldInput{Bucket: aws.String(name), Key: aws.String("k"), LegalHold: &types.ObjectLockLegalHold{Status: types.ObjectLockLegalHoldStatusOff}}); err != nil {
		t.Fatal(err)
	}
	held, err := w.GetObjectLegalHold(t.Context(), &sdk.GetObjectLegalHoldInput{Bucket: aws.String(name), Key: aws.String("k")})
	if err != nil || held.LegalHold.Status != types.ObjectLockLegalHoldStatusOff {
		t.Errorf("%+v, %v", held, err)
	}
	if _, err = w.remove("k", id, false); err != nil {
		t.Error(err)
	}
}

// From TestS3ObjectLock of LocalStack, recorded of AWS, but for the last three.
func TestLock_refused(t *testing.T) {
	t.Parallel()
	w := open(t, false)
	_, err := w.GetObjectLockConfiguration(t.Context(), &sdk.GetObjectLockConfigurationInput{Bucket: aws.String(name)})
	want(t, "none", err, "ObjectLockConfigurationNotFoundError")
	want(t, "no versions", w.rule("", 0), "InvalidBucketState")
	_, err = w.remove("k", nil, true)
	want(t, "bypass without a lock", err, "InvalidArgument")
	_, err = w.put("k", "x", func(in *sdk.PutObjectInput) {
		in.ObjectLockMode, in.ObjectLockRetainUntilDate = types.ObjectLockModeCompliance, aws.Time(w.clock.Now().Add(time.Hour))
	})
	want(t, "no lock", err, "InvalidRequest")
	w.versions(types.BucketVersioningStatusEnabled)
	if err = w.rule("", 0); err != nil {
		t.Fatal(err)
	}
	want(t, "no days", w.rule(types.ObjectLockRetentionModeCompliance, 0), "MalformedXML")
	_, err = w.PutBucketVersioning(t.Context(), &sdk.PutBucketVersioningInput{Bucket: aws.String(name), VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusSuspended}})
	want(t, "suspend", err, "InvalidBucketState")
	_, err = w.put("k", "x", func(in *sdk.PutObjectInput) {
		in.ObjectLockMode, in.ObjectLockRetainUntilDate = types.ObjectLockModeCompliance, aws.Time(w.clock.Now().Add(-time.Hour))
	})
	want(t, "in the past", err, "InvalidArgument")
	w.version("k", "x")
	_, err = w.GetObjectRetention(t.Context(), &sdk.GetObjectRetentionInput{Bucket: aws.String(name), Key: aws.String("k")})
	want(t, "no retention", err, "NoSuchObjectLockConfiguration")
	bare := open(t, true, func(o *sdk.Options) { o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired })
	if err = bare.rule(types.ObjectLockRetentionModeGovernance, 1); err != nil {
		t.Fatal(err)
	}
	_, err = bare.put("k", "x")
	want(t, "no checksum", err, "InvalidRequest")
}

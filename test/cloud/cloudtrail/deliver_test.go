package cloudtrail_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/trail/digest"
	"github.com/keyturn/keyturn/test/cloud/cloudtrail"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// world is a Region with a bucket for trails.
type world struct {
	t      *testing.T
	region *region.Region
	s3     *s3.Client
	start  time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	r := region.New(region.Options{})
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{t, r, s3.NewFromConfig(r.Cloud.Config()), r.Cloud.Clock().Now()}
	if _, err := w.s3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("trails")}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) deliver(how cloudtrail.Delivery) (stop func()) {
	w.t.Helper()
	stop, err := w.region.CloudTrail.Deliver(cloudtrail.Trail{Name: "main", Bucket: "trails", Prefix: "org", MultiRegion: true}, how)
	if err != nil {
		w.t.Fatal(err)
	}
	return stop
}

// act makes n records.
func (w *world) act(n int) {
	w.t.Helper()
	c := sm.NewFromConfig(w.region.Cloud.Config())
	for range n {
		if _, err := c.ListSecrets(w.t.Context(), &sm.ListSecretsInput{}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// List and Read are the bucket as package digest reads it, and PublicKeys CloudTrail.
func (w *world) List(ctx context.Context, prefix, after string, f func(string) error) error {
	pages := s3.NewListObjectsV2Paginator(w.s3, &s3.ListObjectsV2Input{Bucket: aws.String("trails"), Prefix: &prefix, StartAfter: &after})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, o := range page.Contents {
			if err := f(*o.Key); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *world) Read(ctx context.Context, bucket, key string) ([]byte, map[string]string, error) {
	out, err := w.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if _, missing := errors.AsType[*types.NoSuchKey](err); missing {
		return nil, nil, digest.ErrNotFound
	}
	if err != nil {
		return nil, nil, err
	}
	data, err := io.ReadAll(out.Body)
	return data, out.Metadata, err
}

func (w *world) PublicKeys(ctx context.Context, from, to time.Time) (map[string][]byte, error) {
	out, err := sdk.NewFromConfig(w.region.Cloud.Config()).ListPublicKeys(ctx, &sdk.ListPublicKeysInput{StartTime: &from, EndTime: &to})
	if err != nil {
		return nil, err
	}
	keys := map[string][]byte{}
	for _, k := range out.PublicKeyList {
		keys[*k.Fingerprint] = k.Value
	}
	return keys, nil
}

// walk returns how often each event is in the files that digests prove.
func (w *world) walk() (digest.Report, map[string]int) {
	w.t.Helper()
	trail := digest.Trail{
		Objects: w, Keys: w, Bucket: "trails", Prefix: "org", Account: wire.Account, Region: wire.Region, Home: wire.Region, Name: "main",
	}
	seen := map[string]int{}
	r, err := trail.Walk(w.t.Context(), w.start.Add(-time.Hour), w.region.Cloud.Clock().Now(), func(f digest.File) error {
		count(w.t, f.Data, seen)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return r, seen
}

func count(t *testing.T, data []byte, seen map[string]int) (times []string) {
	t.Helper()
	var f struct {
		Records []struct{ EventID, EventTime string }
	}
	if err := json.Unmarshal(data, &f); err != nil || len(f.Records) == 0 {
		t.Fatalf("no file of records: %v %s", err, data)
	}
	for _, r := range f.Records {
		seen[r.EventID]++
		times = append(times, r.EventTime)
	}
	return times
}

func (w *world) keys(prefix string) (all []string) {
	w.t.Helper()
	if err := w.List(w.t.Context(), prefix, "", func(k string) error { all = append(all, k); return nil }); err != nil {
		w.t.Fatal(err)
	}
	return all
}

// An hour's records come in files that the hour's digest proves, and hours of peace have
// digests too.
func TestDeliver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.deliver(cloudtrail.Delivery{})
		w.act(3)
		time.Sleep(3*time.Hour + time.Minute)
		r, seen := w.walk()
		want := digest.Report{Digests: 3, Files: 1, Through: w.start.Truncate(time.Second).Add(3 * time.Hour)}
		if diff := cmp.Diff(want, r); diff != "" {
			t.Errorf("report (-want +got):\n%s", diff)
		}
		if len(seen) != 3 {
			t.Errorf("%d of 3 records came", len(seen))
		}
		for kind, form := range map[string]string{
			"CloudTrail":        `^org/AWSLogs/123456789012/CloudTrail/us-east-1/\d{4}/\d\d/\d\d/123456789012_CloudTrail_us-east-1_\d{8}T\d{4}Z_[A-Za-z0-9]{16}\.json\.gz$`,
			"CloudTrail-Digest": `^org/AWSLogs/123456789012/CloudTrail-Digest/us-east-1/\d{4}/\d\d/\d\d/123456789012_CloudTrail-Digest_us-east-1_main_us-east-1_\d{8}T\d{6}Z\.json\.gz$`,
		} {
			for _, k := range w.keys("org/AWSLogs/123456789012/" + kind + "/") {
				if !regexp.MustCompile(form).MatchString(k) {
					t.Errorf("%s is called %s", kind, k)
				}
			}
		}
	})
}

// What comes late, twice and in another order comes all the same.
func TestDeliver_lateAndTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.deliver(cloudtrail.Delivery{Seed: 1, Delay: 3 * time.Hour, Duplicates: 50, Backfill: 30})
		for range 60 {
			w.act(1)
			time.Sleep(time.Minute)
		}
		if _, seen := w.walk(); len(seen) > 40 {
			t.Errorf("%d of 60 came within an hour", len(seen))
		}
		time.Sleep(6 * time.Hour)
		r, seen := w.walk()
		if len(r.Problems) != 0 {
			t.Errorf("problems %q", r.Problems)
		}
		all, twice, disorder := map[string]int{}, 0, false
		for _, k := range w.keys("org/AWSLogs/123456789012/CloudTrail/") {
			data, _, err := w.Read(t.Context(), "trails", k)
			if err != nil {
				t.Fatal(err)
			}
			times := count(t, unzip(t, data), all)
			disorder = disorder || !slices.IsSorted(times)
		}
		for _, n := range all {
			twice += n - 1
		}
		if len(all) != 60 || twice < 8 || twice > 52 || !disorder {
			t.Errorf("%d of 60 records came, %d twice; disorder: %v", len(all), twice, disorder)
		}
		if len(seen) != 60 {
			t.Errorf("%d of 60 records are in a digest", len(seen))
		}
		backfills := slices.DeleteFunc(w.keys("org/AWSLogs/123456789012/CloudTrail-Digest/"), func(k string) bool { return !strings.HasSuffix(k, "_backfill.json.gz") })
		if len(backfills) == 0 {
			t.Error("no file was left out of its digest")
		}
		for _, k := range backfills {
			_, meta, err := w.Read(t.Context(), "trails", k)
			if err != nil || meta["backfill-generation-timestamp"] == "" || meta["signature"] == "" {
				t.Fatalf("%s: %v %v", k, err, meta)
			}
		}
	})
}

func unzip(t *testing.T, data []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A trail that is stopped writes nothing, and begins a new chain afterwards.
func TestDeliver_stopped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stop := w.deliver(cloudtrail.Delivery{})
		time.Sleep(2*time.Hour + time.Minute)
		stop()
		api := sdk.NewFromConfig(w.region.Cloud.Config())
		status, err := api.GetTrailStatus(t.Context(), &sdk.GetTrailStatusInput{Name: aws.String("main")})
		if err != nil || *status.IsLogging || status.LatestDigestDeliveryTime == nil {
			t.Errorf("status %+v, %v", status, err)
		}
		w.act(1)
		time.Sleep(2 * time.Hour)
		w.deliver(cloudtrail.Delivery{})
		w.act(1)
		time.Sleep(time.Hour + time.Minute)
		r, seen := w.walk()
		if len(r.Problems) != 1 || !strings.Contains(r.Problems[0], "a new chain begins") || len(seen) != 1 || r.Digests != 3 {
			t.Errorf("%+v, %d records", r, len(seen))
		}
		shown, err := api.DescribeTrails(t.Context(), &sdk.DescribeTrailsInput{})
		if err != nil || len(shown.TrailList) != 1 || *shown.TrailList[0].S3BucketName != "trails" || *shown.TrailList[0].S3KeyPrefix != "org" || !*shown.TrailList[0].LogFileValidationEnabled {
			t.Errorf("trails %+v, %v", shown, err)
		}
	})
}

// Digests of another month are signed with another key, and each is listed for its time.
func TestListPublicKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const key = 30 * 24 * time.Hour
		w := newWorld(t)
		time.Sleep(key - time.Duration(time.Now().Unix())*time.Second%key - 6*time.Hour) // soon another key signs
		w.deliver(cloudtrail.Delivery{})
		time.Sleep(12*time.Hour + time.Minute)
		if r, _ := w.walk(); r.Digests != 12 || len(r.Problems) != 0 {
			t.Errorf("%d digests, problems %q", r.Digests, r.Problems)
		}
		now, err := w.PublicKeys(t.Context(), time.Now(), time.Now())
		all, errAll := w.PublicKeys(t.Context(), w.start, time.Now())
		if err != nil || errAll != nil || len(now) != 1 || len(all) < 2 {
			t.Errorf("%d keys of now, %d of all times, %v, %v", len(now), len(all), err, errAll)
		}
		if _, err := w.PublicKeys(t.Context(), time.Now(), w.start); err == nil || !strings.Contains(err.Error(), "InvalidTimeRangeException") {
			t.Errorf("from the future: %v", err)
		}
	})
}

// Selectors decide what is in files; what is not in a bucket is in the status.
func TestDeliver_selected(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		if _, err := w.region.CloudTrail.Deliver(cloudtrail.Trail{Name: "main", Bucket: "none"}, cloudtrail.Delivery{}); err == nil {
			t.Error("a trail without a bucket begins")
		}
		_, err := w.region.CloudTrail.Deliver(cloudtrail.Trail{
			Name: "main", Bucket: "trails", Prefix: "org", Selectors: []cloudtrail.Selector{{ReadWriteType: "WriteOnly", IncludeManagementEvents: true}},
		}, cloudtrail.Delivery{})
		if err != nil {
			t.Fatal(err)
		}
		w.act(2)
		if _, err := sm.NewFromConfig(w.region.Cloud.Config()).CreateSecret(t.Context(), &sm.CreateSecretInput{Name: aws.String("s")}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour + time.Minute)
		if _, seen := w.walk(); len(seen) != 1 {
			t.Errorf("%d records, want the write", len(seen))
		}
	})
}

func TestSetLookup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.region.CloudTrail.SetLookup(cloudtrail.Lookup{PerSecond: 2, Delay: 10 * time.Minute})
		w.act(50)
		cfg := w.region.Cloud.Config()
		cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
		api := sdk.NewFromConfig(cfg)
		found := func() (int, error) {
			out, err := api.LookupEvents(t.Context(), &sdk.LookupEventsInput{})
			if err != nil {
				return 0, err
			}
			return len(out.Events), nil
		}
		if n, err := found(); err != nil || n != 0 {
			t.Errorf("%d events at once, %v", n, err)
		}
		if _, err := found(); err != nil {
			t.Error(err)
		}
		if _, err := found(); err == nil || !strings.Contains(err.Error(), "ThrottlingException") {
			t.Errorf("the third call in a second: %v", err)
		}
		time.Sleep(5 * time.Minute)
		if n, err := found(); err != nil || n < 5 || n > 45 {
			t.Errorf("%d events after half of the delay, %v", n, err)
		}
		time.Sleep(6 * time.Minute)
		if n, err := found(); err != nil || n != 50 {
			t.Errorf("%d events after the delay, %v", n, err)
		}
	})
}

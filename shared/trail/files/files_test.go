package files_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/keyturn/keyturn/shared/trail"
	"github.com/keyturn/keyturn/shared/trail/files"
	"github.com/keyturn/keyturn/test/cloud/cloudtrail"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// world is the local AWS with a bucket for trails.
type world struct {
	t      *testing.T
	region *region.Region
	at     trail.Position
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, region: region.New(region.Options{})}
	t.Cleanup(func() {
		if err := w.region.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := w.s3().CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("trails")}); err != nil {
		t.Fatal(err)
	}
	if err := w.region.S3.Give("trails", "999999999999"); err != nil {
		t.Fatal(err)
	}
	w.at.Through = w.now()
	return w
}

func (w *world) s3() *s3.Client { return s3.NewFromConfig(w.region.Cloud.Config()) }

func (w *world) now() time.Time { return w.region.Cloud.Clock().Now() }

func (w *world) deliver(t cloudtrail.Trail) (stop func()) {
	w.t.Helper()
	t.Bucket, t.MultiRegion = "trails", true
	stop, err := w.region.CloudTrail.Deliver(t, cloudtrail.Delivery{})
	if err != nil {
		w.t.Fatal(err)
	}
	return stop
}

// act makes n records in an hour.
func (w *world) act(n int) {
	w.t.Helper()
	for range n {
		if _, err := sm.NewFromConfig(w.region.Cloud.Config()).ListSecrets(w.t.Context(), &sm.ListSecretsInput{}); err != nil {
			w.t.Fatal(err)
		}
	}
	time.Sleep(time.Hour)
}

func (w *world) source(client files.Bucket, prefix string) *files.Source {
	return &files.Source{
		S3: client, CloudTrail: sdk.NewFromConfig(w.region.Cloud.Config()), Bucket: "trails", Prefix: prefix, Owner: "999999999999", Account: wire.Account, Region: wire.Region,
	}
}

// walk goes on, and returns how many records came and what was wrong.
func (w *world) walk(s *files.Source) (records int, problems []string) {
	w.t.Helper()
	err := s.Walk(w.t.Context(), w.at, w.now(), func(s trail.Step) error {
		w.at = s.Next
		if s.Problem != "" {
			problems = append(problems, s.Problem)
		}
		if s.Data != nil {
			f, err := trail.ReadFile(strings.NewReader(string(s.Data)))
			records += len(f.Events)
			return err
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return records, problems
}

// owned wants each call to say whose the bucket is.
type owned struct {
	files.Bucket

	t *testing.T
}

func (o owned) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input, opts ...func(*s3.Options)) (*s3.ListObjectsV2Output, error) {
	o.check(in.ExpectedBucketOwner)
	return o.Bucket.ListObjectsV2(ctx, in, opts...)
}

func (o owned) GetObject(ctx context.Context, in *s3.GetObjectInput, opts ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	o.check(in.ExpectedBucketOwner)
	return o.Bucket.GetObject(ctx, in, opts...)
}

func (o owned) check(owner *string) {
	if aws.ToString(owner) != "999999999999" {
		o.t.Errorf("the bucket may be anybody's: %q", aws.ToString(owner))
	}
}

// Whatever a trail is called and whoever's it is, its files are found.
func TestSource(t *testing.T) {
	t.Parallel()
	for name, one := range map[string]cloudtrail.Trail{
		"of the account":         {Name: "main"},
		"with a prefix":          {Name: "main", Prefix: "a/b"},
		"of an organization":     {Name: "main", Prefix: "logs", Organization: "o-abcdefghij"},
		"with lines in its name": {Name: "a_trail_of_ours", HomeRegion: "eu-west-1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				s := w.source(owned{w.s3(), t}, one.Prefix)
				if n, problems := w.walk(s); n+len(problems) > 0 {
					t.Errorf("an empty bucket has %d records, %q", n, problems)
				}
				w.deliver(one)
				w.act(3)
				w.act(2)
				time.Sleep(time.Hour)
				if n, problems := w.walk(s); n != 5 || len(problems) > 0 {
					t.Errorf("%d records, %q", n, problems)
				}
				w.act(1)
				time.Sleep(time.Hour)
				if n, problems := w.walk(s); n != 1 || len(problems) > 0 {
					t.Errorf("then %d records, %q", n, problems)
				}
			})
		})
	}
}

// Of two trails one is read, until it ends: then that is told, and the other is read.
func TestSource_two(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := w.source(w.s3(), "")
		stop := w.deliver(cloudtrail.Trail{Name: "first"})
		time.Sleep(10 * time.Minute)
		w.act(3)
		if n, problems := w.walk(s); n != 3 || len(problems) > 0 {
			t.Errorf("%d records, %q", n, problems)
		}
		w.deliver(cloudtrail.Trail{Name: "second"})
		w.act(2)
		time.Sleep(time.Hour)
		if n, problems := w.walk(s); n != 2 || len(problems) > 0 {
			t.Errorf("%d records, %q", n, problems)
		}
		stop()
		w.act(4)
		time.Sleep(time.Hour)
		n, problems := w.walk(s)
		if n != 4 || !slices.Equal(problems, []string{"the digests of the trail first have ended; those of second are read instead"}) {
			t.Errorf("%d records, %q", n, problems)
		}
		if n, problems := w.walk(s); n+len(problems) > 0 {
			t.Errorf("again %d records, %q", n, problems)
		}
	})
}

// refusing is a bucket that lets nobody in.
type refusing struct{ files.Bucket }

var errRefused = errors.New("refused")

func (refusing) ListObjectsV2(context.Context, *s3.ListObjectsV2Input, ...func(*s3.Options)) (*s3.ListObjectsV2Output, error) {
	return nil, errRefused
}

// A bucket that cannot be read is an error, and not an empty one; neither is a position
// that is not ours.
func TestSource_errors(t *testing.T) {
	t.Parallel()
	s := &files.Source{S3: refusing{}, Bucket: "trails", Account: wire.Account, Region: wire.Region}
	f := func(trail.Step) error { return nil }
	if err := s.Walk(t.Context(), trail.Position{}, time.Now(), f); err == nil || err.Error() != "ListObjectsV2: no answer" {
		t.Errorf("%v", err)
	}
	if err := s.Walk(t.Context(), trail.Position{Rest: []byte(`[]`)}, time.Now(), f); err == nil || !strings.Contains(err.Error(), "not as it was stored") {
		t.Errorf("%v", err)
	}
}

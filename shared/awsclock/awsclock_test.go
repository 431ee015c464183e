package awsclock_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/awsclock"
	"github.com/keyturn/keyturn/test/cloud"
)

func list(t *testing.T, cfg aws.Config) {
	t.Helper()
	_, _ = sm.NewFromConfig(cfg).ListSecrets(t.Context(), &sm.ListSecretsInput{}) // errors have a Date, too
}

func TestNow(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		ahead time.Duration // of AWS
		slow  time.Duration // how long the answer takes
		age   bool          // a cache answered
		want  time.Duration // offset, to within the Date's second
	}{
		{"agrees", 0, 0, false, 0},
		{"within the Date's precision", 1900 * time.Millisecond, 0, false, 0},
		{"the local clock is slow", 40 * 24 * time.Hour, 0, false, 40 * 24 * time.Hour},
		{"the local clock is fast", -time.Hour, 0, false, -time.Hour},
		{"slow answers prove less", 4 * time.Second, 6 * time.Second, false, 0},
		{"very slow answers prove nothing", time.Hour, time.Minute, false, 0},
		{"a cache's Date is not AWS's", time.Hour, 0, true, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := cloud.New(cloud.Options{})
				t.Cleanup(c.Close)
				local := func() time.Time { return time.Now().Add(-tt.ahead) }
				k := awsclock.New(local)
				if got := k.Now().Sub(local()); got != 0 {
					t.Errorf("before any answer it is %s off the local clock", got)
				}
				cfg := c.Config()
				k.Watch(&cfg)
				cfg.HTTPClient = &http.Client{Transport: delayed{c.Transport(), tt.slow, tt.age}}
				list(t, cfg)
				if got := k.Offset(); (got - tt.want).Abs() > 2*time.Second {
					t.Errorf("offset %s, want %s", got, tt.want)
				}
				if tt.want == 0 && k.Offset() != 0 {
					t.Errorf("offset %s, want none", k.Offset())
				}
			})
		})
	}
}

// delayed answers late, and perhaps like a cache.
type delayed struct {
	base http.RoundTripper
	by   time.Duration
	age  bool
}

func (d delayed) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := d.base.RoundTrip(r)
	if d.by > 0 {
		<-time.After(d.by)
	}
	if d.age && err == nil {
		res.Header.Set("Age", "1")
	}
	return res, err
}

// A clock that was set right while the process lives is believed again.
func TestNow_heals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := cloud.New(cloud.Options{})
		t.Cleanup(c.Close)
		wrong := time.Hour
		k := awsclock.New(func() time.Time { return time.Now().Add(wrong) })
		cfg := c.Config()
		k.Watch(&cfg)
		list(t, cfg)
		if k.Offset() == 0 {
			t.Error("nothing learned from a successful answer")
		}
		wrong = 0
		c.Inject(cloud.Fault{Effect: cloud.FailBefore})
		list(t, cfg)
		if k.Offset() != 0 {
			t.Errorf("offset %s after the clock was set, want 0", k.Offset())
		}
	})
}

func TestCounting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := cloud.New(cloud.Options{})
		t.Cleanup(c.Close)
		k := awsclock.New(time.Now)
		cfg := c.Config()
		k.Watch(&cfg)
		client := sm.NewFromConfig(cfg)
		ctx, calls := awsclock.Counting(t.Context())
		c.Inject(cloud.Fault{Operation: "ListSecrets", Nth: 1}) // and the SDK sends it again
		if _, err := client.ListSecrets(ctx, &sm.ListSecretsInput{}); err != nil {
			t.Fatal(err)
		}
		if _, err := client.GetRandomPassword(ctx, &sm.GetRandomPasswordInput{}); err != nil {
			t.Fatal(err)
		}
		list(t, cfg) // of another context
		want := map[awsclock.Call]int{{Service: "Secrets Manager", Operation: "ListSecrets"}: 2, {Service: "Secrets Manager", Operation: "GetRandomPassword"}: 1}
		if diff := cmp.Diff(want, calls.By()); diff != "" || calls.Total() != 3 {
			t.Errorf("%d calls (-want +got):\n%s", calls.Total(), diff)
		}
	})
}

package secretsmanager_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/shared/store"
	"github.com/keyturn/keyturn/shared/store/secretsmanager"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

const (
	name   = "prod/mailer"
	first  = "11111111-1111-4111-8111-111111111111"
	second = "22222222-2222-4222-8222-222222222222"
)

// bench is a local AWS with one secret, whose first version is current.
type bench struct {
	*secretsmanager.Store
	cloud *cloud.Cloud
	sdk   *sm.Client
}

func setup(t *testing.T) *bench {
	t.Helper()
	c := cloud.New(cloud.Options{Invoker: cloud.InvokerFunc(func(context.Context, string, []byte) ([]byte, string, error) {
		return []byte("null"), "", nil
	})})
	t.Cleanup(c.Close)
	sdk := sm.NewFromConfig(c.Config())
	if _, err := sdk.CreateSecret(t.Context(), &sm.CreateSecretInput{
		Name: aws.String(name), SecretString: aws.String("old-value"), ClientRequestToken: aws.String(first),
	}); err != nil {
		t.Fatal(err)
	}
	return &bench{Store: secretsmanager.New(sdk), cloud: c, sdk: sdk}
}

func pending(value string) store.Put {
	return store.Put{SecretID: name, Token: second, Value: secret.New(value), Stages: []string{store.Pending}}
}

func TestLifeOfAVersion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, ctx := setup(t), t.Context()
		if _, err := b.Get(ctx, name, "", store.Pending); store.KindOf(err) != store.KindNotFound {
			t.Errorf("Get of a label that nothing has: %v, want not found", err)
		}
		labels, err := b.Put(ctx, pending("new-value"))
		if err != nil || !slices.Equal(labels, []string{store.Pending}) {
			t.Fatalf("Put = %v, %v", labels, err)
		}
		if _, err := b.Put(ctx, pending("new-value")); err != nil {
			t.Errorf("the same Put again: %v, want no error", err)
		}
		if _, err := b.Put(ctx, pending("other-value")); store.KindOf(err) != store.KindExists {
			t.Errorf("Put of another value: %v, want exists already", err)
		}
		v, err := b.Get(ctx, name, second, store.Pending)
		if err != nil || v.Value.Reveal() != "new-value" || v.ID != second || !v.Has(store.Pending) || v.Name != name || v.Created.IsZero() || v.Binary {
			t.Errorf("Get = %+v, %v", v, err)
		}
		if err := b.Promote(ctx, name, second, first); err != nil {
			t.Fatal(err)
		}
		d, err := b.Describe(ctx, v.ARN)
		if err != nil || d.VersionAt(store.Current) != second || d.VersionAt(store.Previous) != first || d.Name != name || d.ARN != v.ARN {
			t.Errorf("Describe = %+v, %v", d, err)
		}
		if d.Has(second, store.Pending) {
			if err := b.Unstage(ctx, name, store.Pending, second); err != nil {
				t.Error(err)
			}
		}
		if err := b.Unstage(ctx, name, store.Previous, first); err != nil {
			t.Fatal(err)
		}
		got, err := b.Versions(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string][]string{first: nil, second: {store.Current}}
		labelsOf := map[string][]string{}
		for _, i := range got {
			labelsOf[i.ID] = append([]string(nil), i.Stages...)
		}
		if diff := cmp.Diff(want, labelsOf); diff != "" {
			t.Errorf("versions, unlabeled included (-want +got):\n%s", diff)
		}
	})
}

func TestVersions_allPages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		for range 120 {
			if _, err := b.sdk.PutSecretValue(t.Context(), &sm.PutSecretValueInput{SecretId: aws.String(name), SecretString: aws.String("v")}); err != nil {
				t.Fatal(err)
			}
		}
		got, err := b.Versions(t.Context(), name)
		if err != nil || len(got) != 121 {
			t.Errorf("%d versions, %v; want 121", len(got), err)
		}
		if n := len(b.cloud.Calls(cloud.ByOperation("ListSecretVersionIds"))); n < 2 {
			t.Errorf("%d calls: this test needs more than one page", n)
		}
	})
}

func TestRotate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		if _, err := b.Rotate(t.Context(), name, second); store.KindOf(err) != store.KindInvalid {
			t.Errorf("rotation is not configured: %v, want refused", err)
		}
		if _, err := b.sdk.RotateSecret(t.Context(), &sm.RotateSecretInput{
			SecretId: aws.String(name), RotateImmediately: aws.Bool(false),
			RotationLambdaARN: aws.String("arn:aws:lambda:us-east-1:123456789012:function:rotate"),
		}); err != nil {
			t.Fatal(err)
		}
		if err := b.cloud.SecretsManager().Wait(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		version, err := b.Rotate(t.Context(), name, second)
		if err != nil || version != second {
			t.Errorf("Rotate = %q, %v; want %q", version, err, second)
		}
	})
}

func TestGet_binary(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := b.sdk.CreateSecret(t.Context(), &sm.CreateSecretInput{Name: aws.String("binary"), SecretBinary: []byte{0, 1}}); err != nil {
		t.Fatal(err)
	}
	v, err := b.Get(t.Context(), "binary", "", "")
	if err != nil || !v.Binary || !v.Value.Empty() {
		t.Errorf("Get = %+v, %v; want binary and empty", v, err)
	}
}

// An untested value never becomes current by omission.
// Promise: untested-never-live
func TestPut_nothingWithoutTokenOrLabel(t *testing.T) {
	t.Parallel()
	b := setup(t)
	before := len(b.cloud.Calls())
	for _, p := range []store.Put{
		{SecretID: name, Token: second, Value: secret.New("x")},
		{SecretID: name, Stages: []string{store.Pending}, Value: secret.New("x")},
	} {
		if _, err := b.Put(t.Context(), p); !store.Definite(err) {
			t.Errorf("Put(%+v) = %v, want refused", p, err)
		}
	}
	if n := len(b.cloud.Calls()); n != before {
		t.Errorf("%d calls were sent", n-before)
	}
}

func TestKinds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		code   string
		status int
		want   store.Kind
	}{
		{"ResourceNotFoundException", 400, store.KindNotFound},
		{"ResourceExistsException", 400, store.KindExists},
		{"AccessDeniedException", 400, store.KindDenied},
		{"UnrecognizedClientException", 400, store.KindDenied},
		{"InvalidRequestException", 400, store.KindInvalid},
		{"InvalidParameterException", 400, store.KindInvalid},
		{"LimitExceededException", 400, store.KindInvalid},
		{"EncryptionFailure", 400, store.KindInvalid},
		{"ThrottlingException", 400, store.KindThrottled},
		{"SomethingNew", 400, store.KindInvalid},
		{"SomethingNew", 429, store.KindThrottled},
		{"SomethingNew", 500, store.KindUnknown},
		{"InternalServiceError", 500, store.KindUnknown},
		{"ServiceUnavailable", 503, store.KindUnknown},
	} {
		t.Run(tt.code, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := setup(t)
				b.cloud.Inject(cloud.Fault{Error: &wire.Error{Code: tt.code, Status: tt.status, Message: "you sent new-value"}})
				_, err := b.Put(t.Context(), pending("new-value"))
				if got := store.KindOf(err); got != tt.want {
					t.Errorf("Put: kind %v (%v), want %v", got, err, tt.want)
				}
				if err == nil || strings.Contains(err.Error(), "new-value") || strings.Contains(err.Error(), "you sent") {
					t.Errorf("Put: %v; want an error without AWS's text", err)
				}
				_, err = b.Get(t.Context(), name, "", "")
				if got := store.KindOf(err); got != tt.want {
					t.Errorf("Get: kind %v, want %v", got, tt.want)
				}
			})
		})
	}
}

// A write that took effect and whose reply was lost is sent again by the SDK.
// Where AWS refuses the repetition, the refusal must not be taken for the
// answer.
func TestReplyLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		b.cloud.Inject(cloud.Fault{Operation: "PutSecretValue", Nth: 1, Effect: cloud.DropAfter})
		if _, err := b.Put(t.Context(), pending("new-value")); err != nil {
			t.Errorf("Put: %v, want none: the token makes the second the same as the first", err)
		}
		b.cloud.Inject(cloud.Fault{Operation: "UpdateSecretVersionStage", Nth: 1, Effect: cloud.DropAfter})
		if err := b.Promote(t.Context(), name, second, first); err != nil && store.Definite(err) {
			t.Errorf("Promote: %v, which says that it had no effect", err)
		}
		d, err := b.Describe(t.Context(), name)
		if err != nil || d.VersionAt(store.Current) != second {
			t.Fatalf("Describe = %+v, %v; this test needs the first call to have taken effect", d, err)
		}
	})
}

func TestPromote_secondSendingRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		if _, err := b.Put(t.Context(), pending("new-value")); err != nil {
			t.Fatal(err)
		}
		b.cloud.Inject(cloud.Fault{Operation: "UpdateSecretVersionStage", Nth: 1, Effect: cloud.FailAfter})
		b.cloud.Inject(cloud.Fault{
			Operation: "UpdateSecretVersionStage", Nth: 2, Effect: cloud.FailBefore,
			Error: &wire.Error{Code: "InvalidParameterException", Message: "the label is on another version"},
		})
		err := b.Promote(t.Context(), name, second, first)
		if err == nil || store.Definite(err) {
			t.Errorf("Promote: %v, want an unknown outcome", err)
		}
	})
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		b.cloud.Inject(cloud.Fault{Effect: cloud.Throttle})
		b.cloud.Inject(cloud.Fault{Operation: "DescribeSecret", Effect: cloud.Hang})
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		began := time.Now()
		if _, err := b.Describe(ctx, name); err == nil || store.Definite(err) {
			t.Errorf("Describe: %v, want an unknown outcome", err)
		}
		if took := time.Since(began); took > 20*time.Millisecond {
			t.Errorf("gave up after %s, later than the deadline", took)
		}
	})
}

// Throttled to the end is still "had no effect", also when the deadline and not
// the SDK ends the waiting.
func TestThrottledToTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		b.cloud.Inject(cloud.Fault{Operation: "PutSecretValue", Effect: cloud.Throttle})
		_, err := b.Put(t.Context(), pending("new-value"))
		if store.KindOf(err) != store.KindThrottled {
			t.Errorf("Put: %v, want throttled", err)
		}
	})
}

// An answer that is not AWS's has no words for our log.
func TestForeignAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hc := &http.Client{Transport: answer(func(r *http.Request) *http.Response {
			w := &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{"X-Amzn-Errortype": {"<h1>new-value</h1>"}}, Body: http.NoBody, Request: r}
			return w
		})}
		cfg := cloud.New(cloud.Options{}).Config()
		cfg.HTTPClient = hc
		_, err := secretsmanager.New(sm.NewFromConfig(cfg)).Put(t.Context(), pending("new-value"))
		if err == nil || store.Definite(err) || strings.Contains(err.Error(), "new-value") {
			t.Errorf("Put: %v; want an unknown outcome in our own words", err)
		}
	})
}

type answer func(*http.Request) *http.Response

func (a answer) RoundTrip(r *http.Request) (*http.Response, error) { return a(r), nil }

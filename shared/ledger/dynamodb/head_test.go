package dynamodb_test

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/ledger/dynamodb"
	"github.com/keyturn/keyturn/test/cloud/clock"
	local "github.com/keyturn/keyturn/test/cloud/dynamodb"
	"github.com/keyturn/keyturn/test/cloud/wire/wiretest"
)

// lossy loses the answers to the next calls, which take effect.
type lossy struct {
	http.RoundTripper
	lose int
}

func (l *lossy) RoundTrip(r *http.Request) (*http.Response, error) {
	out, err := l.RoundTripper.RoundTrip(r)
	if err == nil && l.lose > 0 {
		l.lose--
		_ = out.Body.Close()
		return nil, io.ErrUnexpectedEOF
	}
	return out, err
}

// newHead returns a head on a table whose reads are stale unless they are consistent.
func newHead(t *testing.T) (*dynamodb.Head, *lossy) {
	t.Helper()
	clk := clock.New()
	t.Cleanup(clk.Stop)
	cfg := wiretest.Config("dynamodb", local.New(clk, local.Options{StaleFor: time.Hour}), clk)
	l := &lossy{RoundTripper: cfg.HTTPClient.(*http.Client).Transport}
	cfg.HTTPClient = &http.Client{Transport: l}
	cfg.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		})
	}
	c := sdk.NewFromConfig(cfg)
	if _, err := c.CreateTable(t.Context(), &sdk.CreateTableInput{
		TableName: new("watch"), BillingMode: types.BillingModePayPerRequest,
		KeySchema:            []types.KeySchemaElement{{AttributeName: new("secret"), KeyType: "HASH"}, {AttributeName: new("item"), KeyType: "RANGE"}},
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: new("secret"), AttributeType: "S"}, {AttributeName: new("item"), AttributeType: "S"}},
	}); err != nil {
		t.Fatal(err)
	}
	return dynamodb.New(c, "watch", map[string]string{"secret": "#ledger", "item": "head"}), l
}

func TestHead(t *testing.T) {
	t.Parallel()
	h, _ := newHead(t)
	if _, err := h.Load(t.Context()); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("load of none: %v", err)
	}
	for _, c := range []struct {
		old, next string
		want      error
	}{
		{"zero", "one", ledger.ErrConflict}, // there is none to replace
		{"", "one", nil},
		{"", "other", ledger.ErrConflict},
		{"zero", "two", ledger.ErrConflict},
		{"one", "two", nil},
		{"one", "three", ledger.ErrConflict},
	} {
		var old []byte
		if c.old != "" {
			old = []byte(c.old)
		}
		if err := h.Swap(t.Context(), old, []byte(c.next)); !errors.Is(err, c.want) {
			t.Errorf("swap %q for %q: %v, want %v", c.old, c.next, err, c.want)
		}
	}
	if got, err := h.Load(t.Context()); err != nil || string(got) != "two" {
		t.Errorf("load: %q, %v", got, err)
	}
}

// A swap whose answer was lost is repeated by the SDK, refused, and known as done.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	h, l := newHead(t)
	for _, c := range []struct{ old, next string }{{"", "one"}, {"one", "two"}} {
		var old []byte
		if c.old != "" {
			old = []byte(c.old)
		}
		l.lose = 2
		if err := h.Swap(t.Context(), old, []byte(c.next)); err != nil {
			t.Errorf("swap %q for %q: %v", c.old, c.next, err)
		}
	}
	l.lose = 10
	err := h.Swap(t.Context(), []byte("two"), []byte("three"))
	if err == nil || errors.Is(err, ledger.ErrConflict) {
		t.Errorf("swap without any answer: %v", err)
	}
}

func TestNoTable(t *testing.T) {
	t.Parallel()
	clk := clock.New()
	t.Cleanup(clk.Stop)
	c := sdk.NewFromConfig(wiretest.Config("dynamodb", local.New(clk, local.Options{}), clk))
	h := dynamodb.New(c, "watch", map[string]string{"secret": "#ledger"})
	if _, err := h.Load(t.Context()); err == nil || errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("load without a table: %v", err)
	}
	if err := h.Swap(t.Context(), nil, []byte("one")); err == nil || errors.Is(err, ledger.ErrConflict) {
		t.Errorf("swap without a table: %v", err)
	}
}

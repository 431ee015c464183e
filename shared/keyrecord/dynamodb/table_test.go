package dynamodb_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/keyrecord/dynamodb"
	"github.com/keyturn/keyturn/test/cloud/clock"
	local "github.com/keyturn/keyturn/test/cloud/dynamodb"
	"github.com/keyturn/keyturn/test/cloud/wire/wiretest"
)

type item = map[string]types.AttributeValue

// newTable returns a table of the local AWS, and its SDK client.
func newTable(t *testing.T) (*dynamodb.Table, *sdk.Client) {
	t.Helper()
	clk := clock.New()
	t.Cleanup(clk.Stop)
	c := sdk.NewFromConfig(wiretest.Config("dynamodb", local.New(clk, local.Options{ExpiryLag: 48 * time.Hour}), clk))
	if _, err := c.CreateTable(t.Context(), &sdk.CreateTableInput{
		TableName: new("records"), BillingMode: types.BillingModePayPerRequest,
		KeySchema:            []types.KeySchemaElement{{AttributeName: new("secret"), KeyType: "HASH"}, {AttributeName: new("item"), KeyType: "RANGE"}},
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: new("secret"), AttributeType: "S"}, {AttributeName: new("item"), AttributeType: "S"}},
	}); err != nil {
		t.Fatal(err)
	}
	return dynamodb.New(c, "records"), c
}

// edit changes a stored item of the secret s behind the adapter's back, and returns how many
// attributes it had.
func edit(t *testing.T, c *sdk.Client, kind string, more item) int {
	t.Helper()
	key := item{"secret": &types.AttributeValueMemberS{Value: "s"}, "item": &types.AttributeValueMemberS{Value: kind}}
	out, err := c.GetItem(t.Context(), &sdk.GetItemInput{TableName: new("records"), Key: key})
	if err != nil || out.Item == nil {
		t.Fatalf("no item %q: %v", kind, err)
	}
	n := len(out.Item)
	maps.Copy(out.Item, more)
	if _, err = c.PutItem(t.Context(), &sdk.PutItemInput{TableName: new("records"), Item: out.Item}); err != nil {
		t.Fatal(err)
	}
	return n
}

// broken is a client that gets no answers.
type broken struct{ error }

func (b broken) Query(context.Context, *sdk.QueryInput, ...func(*sdk.Options)) (*sdk.QueryOutput, error) {
	return nil, b.error
}

func (b broken) GetItem(context.Context, *sdk.GetItemInput, ...func(*sdk.Options)) (*sdk.GetItemOutput, error) {
	return nil, b.error
}

func (b broken) PutItem(context.Context, *sdk.PutItemInput, ...func(*sdk.Options)) (*sdk.PutItemOutput, error) {
	return nil, b.error
}

func (b broken) DeleteItem(context.Context, *sdk.DeleteItemInput, ...func(*sdk.Options)) (*sdk.DeleteItemOutput, error) {
	return nil, b.error
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 5e6, time.UTC)

// filled returns a T with something else in every field.
func filled[T any]() T {
	var v T
	s := reflect.ValueOf(&v).Elem()
	for i := range s.NumField() {
		switch f := s.Field(i); f.Interface().(type) {
		case time.Time:
			f.Set(reflect.ValueOf(noon.Add(time.Duration(i) * time.Hour)))
		case int:
			f.SetInt(int64(i + 1))
		case nil: // More: only what was loaded is in it
		case []string:
			f.Set(reflect.ValueOf([]string{"a", strconv.Itoa(i)}))
		default:
			f.SetString(fmt.Sprint("field ", i)) // panics for a type that nobody thought of
		}
	}
	return v
}

func TestRoundTrip_everyField(t *testing.T) {
	t.Parallel()
	table, c := newTable(t)
	r, q, f := filled[keyrecord.Record](), filled[keyrecord.Request](), filled[keyrecord.Failure]()
	r.Secret, q.Secret, f.Secret, r.Revision, f.Count = "s", "s", "s", 0, 1
	r, err := table.Put(t.Context(), r)
	if err != nil || r.Revision != 1 {
		t.Fatalf("Put: revision %d, %v", r.Revision, err)
	}
	bare := keyrecord.Record{Secret: "s", KeyID: "bare"}
	if bare, err = table.Put(t.Context(), bare); err != nil {
		t.Fatal(err)
	}
	other := keyrecord.Record{Secret: "s2", KeyID: "of another secret"}
	if _, err = table.Put(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if err = errors.Join(table.PutRequest(t.Context(), q), table.SetFailure(t.Context(), f)); err != nil {
		t.Fatal(err)
	}
	p := filled[keyrecord.Pause]()
	p.Secret, p.Revision = "s", 0
	if p, err = table.PutPause(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	a := filled[keyrecord.Alert]()
	a.Secret, a.Revision = "s", 0
	if a, err = table.PutAlert(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	// An attribute of a version to come, and one of a type we never write.
	n := edit(t, c, "key#bare", item{
		"color": &types.AttributeValueMemberS{Value: "blue"}, "flag": &types.AttributeValueMemberBOOL{Value: true},
	})
	if n != 4 {
		t.Errorf("a bare record has %d attributes, want secret, item, key_id and revision: zero values are not stored", n)
	}
	got, err := table.Load(t.Context(), "s")
	if err != nil {
		t.Fatal(err)
	}
	if bare.More = got.Keys[0].More; bare.More == nil {
		t.Error("attributes of a newer version are not kept")
	}
	want := keyrecord.Book{Keys: []keyrecord.Record{bare, r}, Requests: []keyrecord.Request{q}, Failure: &f, Pause: &p, Alerts: []keyrecord.Alert{a}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("Load (-want +got):\n%s", d)
	}
	if err = table.ClearFailure(t.Context(), "s"); err != nil {
		t.Fatal(err)
	}
	if got, err = table.Load(t.Context(), "s"); err != nil || got.Failure != nil {
		t.Errorf("after ClearFailure: %+v, %v", got.Failure, err)
	}
}

// A version that goes back for a while must not lose what the newer one stored.
func TestPut_keepsWhatANewerVersionStored(t *testing.T) {
	t.Parallel()
	table, c := newTable(t)
	_, err1 := table.Put(t.Context(), keyrecord.Record{Secret: "s", KeyID: "k"})
	_, err2 := table.PutPause(t.Context(), keyrecord.Pause{Secret: "s"})
	_, err3 := table.PutAlert(t.Context(), keyrecord.Alert{Secret: "s", ID: "a", At: noon})
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	newer := item{
		"color": &types.AttributeValueMemberS{Value: "blue"}, "flag": &types.AttributeValueMemberBOOL{Value: true},
		"deep": &types.AttributeValueMemberM{Value: item{"n": &types.AttributeValueMemberN{Value: "7"}}},
	}
	kinds := []string{"key#k", "pause", "alert#a"}
	before := map[string]int{}
	for _, kind := range kinds {
		before[kind] = edit(t, c, kind, newer) + len(newer)
	}
	b, err := table.Load(t.Context(), "s")
	if err != nil {
		t.Fatal(err)
	}
	_, err1 = table.Put(t.Context(), b.Keys[0])
	_, err2 = table.PutPause(t.Context(), *b.Pause)
	_, err3 = table.PutAlert(t.Context(), b.Alerts[0])
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	for _, kind := range kinds {
		if n := edit(t, c, kind, nil); n != before[kind] {
			t.Errorf("%s has %d attributes when it was written again, and had %d", kind, n, before[kind])
		}
	}
	again, err := table.Load(t.Context(), "s")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(b.Keys[0].More, again.Keys[0].More); d != "" {
		t.Errorf("-before +after:\n%s", d)
	}
}

func TestPut_revisions(t *testing.T) {
	t.Parallel()
	table, _ := newTable(t)
	first, err := table.Put(t.Context(), keyrecord.Record{Secret: "s", KeyID: "k"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = table.Put(t.Context(), keyrecord.Record{Secret: "s", KeyID: "k"}); !errors.Is(err, keyrecord.ErrConflict) {
		t.Errorf("a second first record: %v, want ErrConflict", err)
	}
	second, err := table.Put(t.Context(), first)
	if err != nil || second.Revision != 2 {
		t.Fatalf("revision %d, %v; want 2", second.Revision, err)
	}
	if _, err = table.Put(t.Context(), first); !errors.Is(err, keyrecord.ErrConflict) {
		t.Errorf("an older revision: %v, want ErrConflict", err)
	}
}

// Two who pause at once do not overwrite each other unseen, nor does one who
// ends a pause that he has not seen.
func TestPutPause_revisions(t *testing.T) {
	t.Parallel()
	table, _ := newTable(t)
	mine, err := table.PutPause(t.Context(), keyrecord.Pause{Secret: "s", Reason: "mine"})
	if err != nil || mine.Revision != 1 {
		t.Fatalf("revision %d, %v; want 1", mine.Revision, err)
	}
	if _, err = table.PutPause(t.Context(), keyrecord.Pause{Secret: "s", Reason: "theirs"}); !errors.Is(err, keyrecord.ErrConflict) {
		t.Errorf("a second first pause: %v, want ErrConflict", err)
	}
	longer := mine
	longer.Until = noon
	if _, err = table.PutPause(t.Context(), longer); err != nil {
		t.Fatal(err)
	}
	mine.Ended = noon
	if _, err = table.PutPause(t.Context(), mine); !errors.Is(err, keyrecord.ErrConflict) {
		t.Errorf("the end of an older pause: %v, want ErrConflict", err)
	}
	b, err := table.Load(t.Context(), "s")
	if err != nil || b.Pause == nil || b.Pause.Reason != "mine" || !b.Pause.Until.Equal(noon) || b.Pause.Revision != 2 {
		t.Errorf("%+v, %v; want the longer one", b.Pause, err)
	}
}

func TestFirst(t *testing.T) {
	t.Parallel()
	now := noon
	table, _ := newTable(t)
	table.Now = func() time.Time { return now }
	say := func(secret, id string) bool {
		t.Helper()
		first, err := table.First(t.Context(), secret, id, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return first
	}
	if !say("s", "a") || say("s", "a") {
		t.Error("of two callers the first one is first, and only that one")
	}
	if !say("s", "b") || !say("s2", "a") {
		t.Error("another id and another secret have first callers of their own")
	}
	now = now.Add(time.Hour)
	if !say("s", "a") {
		t.Error("after its ttl there is a first caller again, whether DynamoDB has deleted the item or not")
	}
	if err := table.Forget(t.Context(), "s", "a"); err != nil || !say("s", "a") {
		t.Errorf("what was taken back can be said again (%v)", err)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	lost := errors.New("dial tcp 10.0.0.1: echoed")
	table := dynamodb.New(broken{lost}, "records")
	_, load := table.Load(t.Context(), "s")
	_, put := table.Put(t.Context(), keyrecord.Record{})
	_, pause := table.PutPause(t.Context(), keyrecord.Pause{})
	_, alert := table.PutAlert(t.Context(), keyrecord.Alert{})
	_, first := table.First(t.Context(), "s", "a", time.Hour)
	for name, err := range map[string]error{
		"Load": load, "Put": put, "PutPause": pause, "PutAlert": alert, "First": first, "PutRequest": table.PutRequest(t.Context(), keyrecord.Request{}),
		"SetFailure": table.SetFailure(t.Context(), keyrecord.Failure{}), "ClearFailure": table.ClearFailure(t.Context(), "s"),
		"Forget": table.Forget(t.Context(), "s", "a"), "PutFailure": table.PutFailure(t.Context(), keyrecord.Failure{}),
		"OpenAlert": table.OpenAlert(t.Context(), keyrecord.Alert{}), "CloseAlert": table.CloseAlert(t.Context(), "s", "a"),
	} {
		if err == nil || errors.Is(err, keyrecord.ErrConflict) || strings.Contains(err.Error(), lost.Error()) {
			t.Errorf("%s: %v, want an error without the SDK's text", name, err)
		}
	}
}

func TestLoad_damaged(t *testing.T) {
	t.Parallel()
	table, c := newTable(t)
	if _, err := table.Put(t.Context(), keyrecord.Record{Secret: "s", KeyID: "k"}); err != nil {
		t.Fatal(err)
	}
	edit(t, c, "key#k", item{"next": &types.AttributeValueMemberS{Value: "tomorrow"}})
	if b, err := table.Load(t.Context(), "s"); err == nil {
		t.Errorf("Load = %+v, want an error: a record that cannot be read is not no record", b)
	}
}

// A page of DynamoDB's ends at 1 MB.
func TestLoad_pages(t *testing.T) {
	t.Parallel()
	table, _ := newTable(t)
	const keys = 9
	for i := range keys {
		if _, err := table.Put(t.Context(), keyrecord.Record{Secret: "s", KeyID: strconv.Itoa(i), Why: strings.Repeat("x", 300_000)}); err != nil {
			t.Fatal(err)
		}
	}
	b, err := table.Load(t.Context(), "s")
	if err != nil || len(b.Keys) != keys {
		t.Errorf("%d records, %v; want %d", len(b.Keys), err, keys)
	}
}

func TestSetFailure_counts(t *testing.T) {
	t.Parallel()
	table, _ := newTable(t)
	var counts []int
	for _, version := range []string{"v1", "v1", "v1", "v2"} {
		if err := table.SetFailure(t.Context(), keyrecord.Failure{Secret: "s", Version: version, At: noon}); err != nil {
			t.Fatal(err)
		}
		b, err := table.Load(t.Context(), "s")
		if err != nil {
			t.Fatal(err)
		}
		counts = append(counts, b.Failure.Count)
	}
	if diff := cmp.Diff([]int{1, 2, 3, 1}, counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

// again is a client whose first answer is always lost, so that it sends twice.
type again struct{ *sdk.Client }

func (a again) PutItem(ctx context.Context, in *sdk.PutItemInput, opts ...func(*sdk.Options)) (*sdk.PutItemOutput, error) {
	_, _ = a.Client.PutItem(ctx, in, opts...)
	return a.Client.PutItem(ctx, in, opts...)
}

// Whoever claimed something and did not hear of it is still the one who has it:
// otherwise nobody would until the claim ends.
func TestFirst_sentAgain(t *testing.T) {
	t.Parallel()
	_, c := newTable(t)
	table := dynamodb.New(again{c}, "records")
	for _, want := range []bool{true, false} {
		if first, err := table.First(t.Context(), "s", "a", time.Hour); err != nil || first != want {
			t.Errorf("first %v, %v; want %v", first, err, want)
		}
	}
}

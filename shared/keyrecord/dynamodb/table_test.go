package dynamodb_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/keyrecord/dynamodb"
)

type item = map[string]types.AttributeValue

// fake is a table that knows the three conditions that the adapter sends, and
// gives pages of two items.
type fake struct {
	mu    sync.Mutex
	items map[string]item // by secret, NUL, item
	fail  error
}

func newFake() *fake { return &fake{items: map[string]item{}} }

func str(a types.AttributeValue) string {
	s, _ := a.(*types.AttributeValueMemberS)
	return s.Value
}

func num(a types.AttributeValue) int64 {
	n, err := strconv.ParseInt(a.(*types.AttributeValueMemberN).Value, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func at(it item) string { return str(it["secret"]) + "\x00" + str(it["item"]) }

func (f *fake) Query(_ context.Context, in *sdk.QueryInput, _ ...func(*sdk.Options)) (*sdk.QueryOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return nil, f.fail
	}
	if !aws.ToBool(in.ConsistentRead) || *in.KeyConditionExpression != "#secret = :secret" || in.ExpressionAttributeNames["#secret"] != "secret" {
		return nil, fmt.Errorf("unexpected query %v", in)
	}
	secret, after := str(in.ExpressionAttributeValues[":secret"]), ""
	if in.ExclusiveStartKey != nil {
		after = at(in.ExclusiveStartKey)
	}
	out := &sdk.QueryOutput{}
	for _, k := range slices.Sorted(maps.Keys(f.items)) {
		it := f.items[k]
		if str(it["secret"]) != secret || k <= after {
			continue
		}
		if len(out.Items) == 2 {
			last := out.Items[1]
			out.LastEvaluatedKey = item{"secret": last["secret"], "item": last["item"]}
			break
		}
		out.Items = append(out.Items, it)
	}
	return out, nil
}

func (f *fake) PutItem(_ context.Context, in *sdk.PutItemInput, _ ...func(*sdk.Options)) (*sdk.PutItemOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return nil, f.fail
	}
	old, exists := f.items[at(in.Item)]
	held := true
	switch c := aws.ToString(in.ConditionExpression); c {
	case "":
	case "attribute_not_exists(#item)":
		held = !exists
	case "#revision = :revision":
		held = exists && num(old[in.ExpressionAttributeNames["#revision"]]) == num(in.ExpressionAttributeValues[":revision"])
	case "attribute_not_exists(#item) OR #expires <= :now":
		held = !exists || num(old[in.ExpressionAttributeNames["#expires"]]) <= num(in.ExpressionAttributeValues[":now"])
	default:
		return nil, fmt.Errorf("unknown condition %q", c)
	}
	if !held {
		return nil, &types.ConditionalCheckFailedException{}
	}
	f.items[at(in.Item)] = maps.Clone(in.Item)
	return &sdk.PutItemOutput{}, nil
}

func (f *fake) DeleteItem(_ context.Context, in *sdk.DeleteItemInput, _ ...func(*sdk.Options)) (*sdk.DeleteItemOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		return nil, f.fail
	}
	delete(f.items, at(in.Key))
	return &sdk.DeleteItemOutput{}, nil
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
		case []string:
			f.Set(reflect.ValueOf([]string{"a", fmt.Sprint(i)}))
		default:
			f.SetString(fmt.Sprint("field ", i)) // panics for a type that nobody thought of
		}
	}
	return v
}

func TestRoundTrip_everyField(t *testing.T) {
	t.Parallel()
	c := newFake()
	table := dynamodb.New(c, "t")
	r, q, f := filled[keyrecord.Record](), filled[keyrecord.Request](), filled[keyrecord.Failure]()
	r.Secret, q.Secret, f.Secret, r.Revision = "s", "s", "s", 0
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
	// An attribute of a version to come, and one of a type we never write.
	c.items["s\x00key#bare"]["colour"] = &types.AttributeValueMemberS{Value: "blue"}
	c.items["s\x00key#bare"]["flag"] = &types.AttributeValueMemberBOOL{Value: true}
	if n := len(c.items["s\x00key#bare"]); n != 3+1+2 {
		t.Errorf("a bare record has %d attributes, want secret, item, key_id, revision and two foreign ones: zero values are not stored", n)
	}
	got, err := table.Load(t.Context(), "s")
	if err != nil {
		t.Fatal(err)
	}
	want := keyrecord.Book{Keys: []keyrecord.Record{bare, r}, Requests: []keyrecord.Request{q}, Failure: &f}
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

func TestPut_revisions(t *testing.T) {
	t.Parallel()
	table := dynamodb.New(newFake(), "t")
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

func TestFirst(t *testing.T) {
	t.Parallel()
	now := noon
	table := dynamodb.New(newFake(), "t")
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
	c := newFake()
	c.fail = errors.New("throttled")
	table := dynamodb.New(c, "t")
	_, load := table.Load(t.Context(), "s")
	_, put := table.Put(t.Context(), keyrecord.Record{})
	_, first := table.First(t.Context(), "s", "a", time.Hour)
	for name, err := range map[string]error{
		"Load": load, "Put": put, "First": first, "PutRequest": table.PutRequest(t.Context(), keyrecord.Request{}),
		"SetFailure": table.SetFailure(t.Context(), keyrecord.Failure{}), "ClearFailure": table.ClearFailure(t.Context(), "s"),
		"Forget": table.Forget(t.Context(), "s", "a"),
	} {
		if !errors.Is(err, c.fail) || errors.Is(err, keyrecord.ErrConflict) {
			t.Errorf("%s: %v, want the client's error", name, err)
		}
	}
}

func TestLoad_damaged(t *testing.T) {
	t.Parallel()
	c := newFake()
	table := dynamodb.New(c, "t")
	if _, err := table.Put(t.Context(), keyrecord.Record{Secret: "s", KeyID: "k"}); err != nil {
		t.Fatal(err)
	}
	c.items["s\x00key#k"]["next"] = &types.AttributeValueMemberS{Value: "tomorrow"}
	if b, err := table.Load(t.Context(), "s"); err == nil {
		t.Errorf("Load = %+v, want an error: a record that cannot be read is not no record", b)
	}
}

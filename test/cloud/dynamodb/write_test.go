package dynamodb_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/keyturn/keyturn/test/cloud/clock"
	"github.com/keyturn/keyturn/test/cloud/dynamodb"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

func TestBatches(t *testing.T) {
	t.Parallel()
	w := newWorld(t, dynamodb.Options{})
	w.put(t, key("a", "0"))
	if _, err := w.BatchWriteItem(t.Context(), &sdk.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{"keys": {
		{PutRequest: &types.PutRequest{Item: with(key("a", "1"), item{"n": &num{Value: "1"}})}},
		{DeleteRequest: &types.DeleteRequest{Key: key("a", "0")}},
	}}}); err != nil {
		t.Fatal(err)
	}
	out, err := w.BatchGetItem(t.Context(), &sdk.BatchGetItemInput{RequestItems: map[string]types.KeysAndAttributes{"keys": {
		Keys: []map[string]types.AttributeValue{key("a", "0"), key("a", "1"), key("a", "2")}, ProjectionExpression: new("n"),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if d := diff([]map[string]types.AttributeValue{{"n": &num{Value: "1"}}}, out.Responses["keys"]); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestTransaction(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, dynamodb.Options{})
		w.put(t, with(key("a", "lock"), item{"holder": &str{Value: "me"}}))
		transact := func(token, holder string) error {
			_, err := w.TransactWriteItems(t.Context(), &sdk.TransactWriteItemsInput{ClientRequestToken: &token, TransactItems: []types.TransactWriteItem{
				{Update: &types.Update{TableName: new("keys"), Key: key("a", "count"), UpdateExpression: new("ADD n :n"), ExpressionAttributeValues: item{":n": &num{Value: "1"}}}},
				{ConditionCheck: &types.ConditionCheck{
					TableName: new("keys"), Key: key("a", "lock"), ConditionExpression: new("holder = :h"), ExpressionAttributeValues: item{":h": &str{Value: holder}},
					ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
				}},
			}})
			return err
		}
		count := func() string {
			n, ok := w.get(t, "count", true)["n"].(*num)
			if !ok {
				return "0"
			}
			return n.Value
		}
		canceled, ok := errors.AsType[*types.TransactionCanceledException](transact("t1", "you"))
		if !ok || len(canceled.CancellationReasons) != 2 || *canceled.CancellationReasons[0].Code != "None" || *canceled.CancellationReasons[1].Code != "ConditionalCheckFailed" {
			t.Fatalf("got %+v", canceled)
		}
		if holder := canceled.CancellationReasons[1].Item["holder"].(*str).Value; holder != "me" || count() != "0" {
			t.Errorf("holder %s, count %s", holder, count())
		}
		for range 2 { // the second time the token is known
			if err := transact("t2", "me"); err != nil {
				t.Fatal(err)
			}
		}
		if count() != "1" {
			t.Errorf("count %s", count())
		}
		if _, ok := errors.AsType[*types.IdempotentParameterMismatchException](transact("t2", "you")); !ok {
			t.Error("another transaction with the same token is accepted")
		}
		w.clock.Advance(11 * time.Minute)
		if err := transact("t2", "me"); err != nil || count() != "2" {
			t.Errorf("after ten minutes: %v, count %s", err, count())
		}
	})
}

func TestTimeToLive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, dynamodb.Options{ExpiryLag: time.Hour})
		w.put(t, with(key("a", "1"), item{"gone": &num{Value: strconv.FormatInt(w.clock.Now().Add(time.Minute).Unix(), 10)}}))
		w.put(t, with(key("a", "2"), item{"gone": &str{Value: "not a number"}}))
		w.clock.Advance(time.Hour)
		if w.get(t, "1", true) == nil {
			t.Error("gone before the lag was over")
		}
		w.clock.Advance(time.Minute + time.Second)
		if w.get(t, "1", true) != nil || len(w.service.Items("keys")) != 1 {
			t.Error("still there")
		}
	})
}

func TestStaleReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, dynamodb.Options{StaleFor: time.Second})
		w.put(t, key("a", "1"))
		if w.get(t, "1", false) != nil || w.get(t, "1", true) == nil {
			t.Error("only a consistent read sees the write at once")
		}
		w.clock.Advance(time.Second)
		if w.get(t, "1", false) == nil {
			t.Error("stale for too long")
		}
	})
}

func TestStaleFault(t *testing.T) {
	t.Parallel()
	clk := clock.New()
	s := dynamodb.New(clk, dynamodb.Options{})
	call := func(ctx context.Context, operation, body string) string {
		c := &wire.Call{Service: "dynamodb", Operation: operation, Body: []byte(body), Now: clk.Now()}
		reply, err := s.Serve(ctx, c)
		if err != nil {
			t.Fatal(err)
		}
		return string(reply.Body)
	}
	ctx := t.Context()
	call(ctx, "CreateTable", `{"TableName":"keys","KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}],"AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}]}`)
	call(ctx, "PutItem", `{"TableName":"keys","Item":{"pk":{"S":"a"},"n":{"N":"1"}}}`)
	call(ctx, "PutItem", `{"TableName":"keys","Item":{"pk":{"S":"a"},"n":{"N":"2"}}}`)
	for _, tt := range []struct {
		name, body, want string
	}{
		{"eventually consistent", `{"TableName":"keys","Key":{"pk":{"S":"a"}}}`, `"1"`},
		{"consistent", `{"TableName":"keys","Key":{"pk":{"S":"a"}},"ConsistentRead":true}`, `"2"`},
	} {
		if got := call(wire.WithStale(ctx), "GetItem", tt.body); !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %s", tt.name, got)
		}
	}
}

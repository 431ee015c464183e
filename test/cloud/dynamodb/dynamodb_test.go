package dynamodb_test

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/keyturn/keyturn/test/cloud/clock"
	"github.com/keyturn/keyturn/test/cloud/dynamodb"
	"github.com/keyturn/keyturn/test/cloud/wire/wiretest"
)

type (
	item = map[string]types.AttributeValue
	str  = types.AttributeValueMemberS
	num  = types.AttributeValueMemberN
)

type world struct {
	*sdk.Client

	clock   *clock.Clock
	service *dynamodb.Service
}

// newWorld has the table "keys" with partition key pk, sort key sk, an index
// "byState" on state and due, and a time to live in "gone".
func newWorld(t *testing.T, o dynamodb.Options) *world {
	t.Helper()
	clk := clock.New()
	t.Cleanup(clk.Stop)
	s := dynamodb.New(clk, o)
	w := &world{Client: sdk.NewFromConfig(wiretest.Config("dynamodb", s, clk)), clock: clk, service: s}
	if _, err := w.CreateTable(t.Context(), &sdk.CreateTableInput{
		TableName: new("keys"), BillingMode: types.BillingModePayPerRequest,
		KeySchema: []types.KeySchemaElement{{AttributeName: new("pk"), KeyType: "HASH"}, {AttributeName: new("sk"), KeyType: "RANGE"}},
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: new("pk"), AttributeType: "S"},
			{AttributeName: new("sk"), AttributeType: "S"},
			{AttributeName: new("state"), AttributeType: "S"},
			{AttributeName: new("due"), AttributeType: "N"},
		},
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName: new("byState"), Projection: &types.Projection{ProjectionType: "KEYS_ONLY"},
			KeySchema: []types.KeySchemaElement{{AttributeName: new("state"), KeyType: "HASH"}, {AttributeName: new("due"), KeyType: "RANGE"}},
		}},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.UpdateTimeToLive(t.Context(), &sdk.UpdateTimeToLiveInput{
		TableName: new("keys"), TimeToLiveSpecification: &types.TimeToLiveSpecification{AttributeName: new("gone"), Enabled: new(true)},
	}); err != nil {
		t.Fatal(err)
	}
	return w
}

func key(pk, sk string) item { return item{"pk": &str{Value: pk}, "sk": &str{Value: sk}} }

func with(base, more item) item {
	maps.Copy(base, more)
	return base
}

func (w *world) put(t *testing.T, it item) {
	t.Helper()
	if _, err := w.PutItem(t.Context(), &sdk.PutItemInput{TableName: new("keys"), Item: it}); err != nil {
		t.Fatal(err)
	}
}

func (w *world) get(t *testing.T, sk string, consistent bool) item {
	t.Helper()
	out, err := w.GetItem(t.Context(), &sdk.GetItemInput{TableName: new("keys"), Key: key("a", sk), ConsistentRead: &consistent})
	if err != nil {
		t.Fatal(err)
	}
	return out.Item
}

func diff(want, got any) string {
	return cmp.Diff(want, got, cmpopts.IgnoreUnexported(str{}, num{}, types.AttributeValueMemberM{}, types.AttributeValueMemberL{}, types.AttributeValueMemberNULL{}))
}

func TestTables(t *testing.T) {
	t.Parallel()
	w := newWorld(t, dynamodb.Options{})
	ctx := t.Context()
	out, err := w.DescribeTable(ctx, &sdk.DescribeTableInput{TableName: new("keys")})
	if err != nil || out.Table.TableStatus != types.TableStatusActive || *out.Table.TableArn != dynamodb.ARN("keys") || out.Table.CreationDateTime == nil || len(out.Table.GlobalSecondaryIndexes) != 1 {
		t.Errorf("describe: %+v, %v", out, err)
	}
	if out, err := w.ListTables(ctx, &sdk.ListTablesInput{}); err != nil || diff([]string{"keys"}, out.TableNames) != "" {
		t.Errorf("list: %v, %v", out, err)
	}
	if out, err := w.DescribeTimeToLive(ctx, &sdk.DescribeTimeToLiveInput{TableName: new("keys")}); err != nil || *out.TimeToLiveDescription.AttributeName != "gone" {
		t.Errorf("time to live: %v, %v", out, err)
	}
	if _, err := w.DeleteTable(ctx, &sdk.DeleteTableInput{TableName: new("keys")}); err != nil {
		t.Error(err)
	}
	_, err = w.GetItem(ctx, &sdk.GetItemInput{TableName: new("keys"), Key: key("a", "b")})
	if _, ok := errors.AsType[*types.ResourceNotFoundException](err); !ok {
		t.Errorf("deleted table: %v", err)
	}
}

func TestConditionalPut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, dynamodb.Options{})
	first := with(key("a", "1"), item{"rev": &num{Value: "1"}, "m": &types.AttributeValueMemberM{Value: item{"x": &types.AttributeValueMemberNULL{Value: true}}}})
	in := &sdk.PutItemInput{
		TableName: new("keys"), Item: first, ConditionExpression: new("attribute_not_exists(pk)"),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	if _, err := w.PutItem(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	_, err := w.PutItem(t.Context(), in)
	failed, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
	if !ok || failed.ErrorMessage() != "The conditional request failed" {
		t.Fatalf("got %v", err)
	}
	if d := diff(first, failed.Item); d != "" {
		t.Errorf("the item of the error (-want +got):\n%s", d)
	}
	if d := diff(first, w.get(t, "1", true)); d != "" {
		t.Errorf("stored (-want +got):\n%s", d)
	}
	in.ConditionExpression, in.ReturnValues = new("rev = :r"), types.ReturnValueAllOld
	in.ExpressionAttributeValues = item{":r": &num{Value: "1"}}
	in.Item = with(key("a", "1"), item{"rev": &num{Value: "2"}})
	if out, err := w.PutItem(t.Context(), in); err != nil || diff(first, out.Attributes) != "" {
		t.Errorf("old attributes %v, %v", out, err)
	}
}

func TestUpdateItem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, dynamodb.Options{})
	update := func(expression string, returns types.ReturnValue, values item) item {
		t.Helper()
		out, err := w.UpdateItem(t.Context(), &sdk.UpdateItemInput{
			TableName: new("keys"), Key: key("a", "1"), UpdateExpression: &expression, ReturnValues: returns, ExpressionAttributeValues: values,
		})
		if err != nil {
			t.Fatal(err)
		}
		return out.Attributes
	}
	one := item{":n": &num{Value: "1"}}
	for _, tt := range []struct {
		name string
		got  item
		want item
	}{
		{"creates", update("ADD attempts :n", types.ReturnValueAllNew, one), with(key("a", "1"), item{"attempts": &num{Value: "1"}})},
		{"new", update("SET attempts = attempts + :n", types.ReturnValueUpdatedNew, one), item{"attempts": &num{Value: "2"}}},
		{"old", update("SET attempts = attempts + :n", types.ReturnValueUpdatedOld, one), item{"attempts": &num{Value: "2"}}},
		{"all old", update("REMOVE attempts", types.ReturnValueAllOld, nil), with(key("a", "1"), item{"attempts": &num{Value: "3"}})},
	} {
		if d := diff(tt.want, tt.got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
	if d := diff(key("a", "1"), w.get(t, "1", true)); d != "" {
		t.Errorf("left (-want +got):\n%s", d)
	}
}

func TestDeleteItem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, dynamodb.Options{})
	w.put(t, key("a", "1"))
	in := &sdk.DeleteItemInput{TableName: new("keys"), Key: key("a", "1"), ConditionExpression: new("attribute_exists(pk)"), ReturnValues: types.ReturnValueAllOld}
	if out, err := w.DeleteItem(t.Context(), in); err != nil || diff(key("a", "1"), out.Attributes) != "" {
		t.Errorf("got %v, %v", out, err)
	}
	_, err := w.DeleteItem(t.Context(), in)
	if _, ok := errors.AsType[*types.ConditionalCheckFailedException](err); !ok {
		t.Errorf("again: %v", err)
	}
	if got := w.get(t, "1", true); got != nil {
		t.Errorf("left %v", got)
	}
}

func TestQuery(t *testing.T) {
	t.Parallel()
	w := newWorld(t, dynamodb.Options{})
	for i := range 7 {
		w.put(t, with(key("a", fmt.Sprintf("key#%d", i)), item{"state": &str{Value: "grace"}, "due": &num{Value: strconv.Itoa(10 - i)}, "odd": &types.AttributeValueMemberBOOL{Value: i%2 == 1}}))
	}
	w.put(t, key("a", "request#1"))
	w.put(t, key("b", "key#1"))
	for _, tt := range []struct {
		name string
		in   sdk.QueryInput
		want []string
	}{
		{"all of a partition", sdk.QueryInput{KeyConditionExpression: new("pk = :a")}, []string{"key#0", "key#1", "key#2", "key#3", "key#4", "key#5", "key#6", "request#1"}},
		{"prefix", sdk.QueryInput{KeyConditionExpression: new("pk = :a AND begins_with(sk, :p)"), ExpressionAttributeValues: item{":p": &str{Value: "req"}}}, []string{"request#1"}},
		{"between, backward", sdk.QueryInput{KeyConditionExpression: new("pk = :a AND sk BETWEEN :p AND :q"), ExpressionAttributeValues: item{":p": &str{Value: "key#2"}, ":q": &str{Value: "key#4"}}, ScanIndexForward: new(false)}, []string{"key#4", "key#3", "key#2"}},
		{"filter", sdk.QueryInput{KeyConditionExpression: new("pk = :a"), FilterExpression: new("odd = :p"), ExpressionAttributeValues: item{":p": &types.AttributeValueMemberBOOL{Value: true}}}, []string{"key#1", "key#3", "key#5"}},
		{"index", sdk.QueryInput{IndexName: new("byState"), KeyConditionExpression: new("#s = :a AND due < :p"), ExpressionAttributeNames: map[string]string{"#s": "state"}, ExpressionAttributeValues: item{":a": &str{Value: "grace"}, ":p": &num{Value: "7"}}}, []string{"key#6", "key#5", "key#4"}},
	} {
		// Pages of every size give the same.
		for limit := range int32(9) {
			t.Run(fmt.Sprintf("%s, %d at once", tt.name, limit), func(t *testing.T) {
				t.Parallel()
				in := tt.in
				in.TableName = new("keys")
				in.ExpressionAttributeValues = with(item{":a": &str{Value: "a"}}, in.ExpressionAttributeValues)
				if limit > 0 {
					in.Limit = &limit
				}
				var got []string
				for p := sdk.NewQueryPaginator(w.Client, &in); p.HasMorePages(); {
					out, err := p.NextPage(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					for _, it := range out.Items {
						got = append(got, it["sk"].(*str).Value)
					}
				}
				if d := diff(tt.want, got); d != "" {
					t.Errorf("(-want +got):\n%s", d)
				}
			})
		}
	}
}

func TestPageOfOneMegabyte(t *testing.T) {
	t.Parallel()
	w := newWorld(t, dynamodb.Options{})
	for i := range 4 {
		w.put(t, with(key("a", strconv.Itoa(i)), item{"fat": &str{Value: strings.Repeat("x", 390<<10)}}))
	}
	out, err := w.Query(t.Context(), &sdk.QueryInput{TableName: new("keys"), KeyConditionExpression: new("pk = :a"), ExpressionAttributeValues: item{":a": &str{Value: "a"}}, ProjectionExpression: new("sk")})
	if err != nil || out.Count != 3 || out.LastEvaluatedKey == nil {
		t.Errorf("got %d items, %v", out.Count, err)
	}
}

func TestScan(t *testing.T) {
	t.Parallel()
	w := newWorld(t, dynamodb.Options{})
	for i := range 30 {
		w.put(t, with(key(strconv.Itoa(i), "x"), item{"n": &num{Value: strconv.Itoa(i)}}))
	}
	seen := map[string]bool{}
	scanned := 0
	for p := sdk.NewScanPaginator(w.Client, &sdk.ScanInput{TableName: new("keys"), Limit: new(int32(4)), FilterExpression: new("n >= :n"), ExpressionAttributeValues: item{":n": &num{Value: "10"}}}); p.HasMorePages(); {
		out, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		scanned += int(out.ScannedCount)
		for _, it := range out.Items {
			seen[it["pk"].(*str).Value] = true
		}
	}
	if len(seen) != 20 || scanned != 30 {
		t.Errorf("saw %d, scanned %d", len(seen), scanned)
	}
	out, err := w.Scan(t.Context(), &sdk.ScanInput{TableName: new("keys"), Select: types.SelectCount})
	if err != nil || out.Count != 30 || out.Items != nil {
		t.Errorf("count: %v, %v", out, err)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, dynamodb.Options{})
	ctx := t.Context()
	put := func(it item) func() error {
		return func() error {
			_, err := w.PutItem(ctx, &sdk.PutItemInput{TableName: new("keys"), Item: it})
			return err
		}
	}
	update := func(expression string, values item) func() error {
		return func() error {
			_, err := w.UpdateItem(ctx, &sdk.UpdateItemInput{TableName: new("keys"), Key: key("a", "1"), UpdateExpression: &expression, ExpressionAttributeValues: values})
			return err
		}
	}
	for _, tt := range []struct {
		name       string
		call       func() error
		code, want string
	}{
		{"no sort key", put(item{"pk": &str{Value: "a"}}), "ValidationException", "Missing the key sk in the item"},
		{"kind of key", put(item{"pk": &str{Value: "a"}, "sk": &num{Value: "1"}}), "ValidationException", "Type mismatch for key sk expected: S actual: N"},
		{"kind of index key", put(with(key("a", "1"), item{"due": &str{Value: "soon"}})), "ValidationException", "Type mismatch for Index Key due"},
		{"empty key", put(key("", "1")), "ValidationException", "cannot contain an empty string value. Key: pk"},
		{"too big", put(with(key("a", "1"), item{"x": &str{Value: strings.Repeat("x", 400<<10)}})), "ValidationException", "Item size has exceeded the maximum allowed size"},
		{"empty set", put(with(key("a", "1"), item{"x": &types.AttributeValueMemberSS{Value: []string{}}})), "ValidationException", "may not be empty"},
		{"number", put(with(key("a", "1"), item{"x": &num{Value: "x"}})), "ValidationException", "cannot be converted to a numeric value"},
		{"key of another shape", func() error {
			_, err := w.GetItem(ctx, &sdk.GetItemInput{TableName: new("keys"), Key: item{"pk": &str{Value: "a"}}})
			return err
		}, "ValidationException", "The provided key element does not match the schema"},
		{"update of the key", update("SET sk = :x", item{":x": &str{Value: "2"}}), "ValidationException", "Cannot update attribute sk. This attribute is part of the key"},
		{"reserved word", update("SET ttl = :x", item{":x": &str{Value: "2"}}), "ValidationException", "Invalid UpdateExpression: Attribute name is a reserved keyword; reserved keyword: ttl"},
		{"unused value", update("REMOVE x", item{":x": &str{Value: "2"}}), "ValidationException", "unused in expressions: keys: {:x}"},
		{"consistent index", func() error {
			_, err := w.Query(ctx, &sdk.QueryInput{TableName: new("keys"), IndexName: new("byState"), ConsistentRead: new(true), KeyConditionExpression: new("pk = :a"), ExpressionAttributeValues: item{":a": &str{Value: "a"}}})
			return err
		}, "ValidationException", "Consistent reads are not supported on global secondary indexes"},
		{"table", func() error { _, err := w.Scan(ctx, &sdk.ScanInput{TableName: new("nothing")}); return err }, "ResourceNotFoundException", "Requested resource not found"},
		{"same table", func() error {
			_, err := w.CreateTable(ctx, &sdk.CreateTableInput{TableName: new("keys"), KeySchema: []types.KeySchemaElement{}, AttributeDefinitions: []types.AttributeDefinition{}})
			return err
		}, "ResourceInUseException", "Table already exists: keys"},
		{"same item twice", func() error {
			del := types.TransactWriteItem{Delete: &types.Delete{TableName: new("keys"), Key: key("a", "1")}}
			_, err := w.TransactWriteItems(ctx, &sdk.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{del, del}})
			return err
		}, "ValidationException", "cannot include multiple operations on one item"},
		{"old parameters", func() error {
			_, err := w.PutItem(ctx, &sdk.PutItemInput{TableName: new("keys"), Item: key("a", "1"), Expected: map[string]types.ExpectedAttributeValue{"pk": {Exists: new(false)}}})
			return err
		}, "NotImplemented", "does not model"},
		{"operation", func() error { _, err := w.ListBackups(ctx, &sdk.ListBackupsInput{}); return err }, "NotImplemented", "does not model dynamodb ListBackups"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e, ok := errors.AsType[smithy.APIError](tt.call())
			if !ok || e.ErrorCode() != tt.code || !strings.Contains(e.ErrorMessage(), tt.want) {
				t.Errorf("got %v", e)
			}
		})
	}
}

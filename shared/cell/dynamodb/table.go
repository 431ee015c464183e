// Package dynamodb keeps cells in one DynamoDB table, whose partition key is "part"
// and whose sort key is "name". The attribute "expires" is the table's time to live.
package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/keyturn/keyturn/shared/awserror"
	"github.com/keyturn/keyturn/shared/cell"
)

// Client is what a Table needs of the SDK's client.
type Client interface {
	BatchGetItem(context.Context, *dynamodb.BatchGetItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
}

// The table's attributes.
const (
	Part    = "part"
	Name    = "name"
	Expires = "expires"

	revision = "revision"
	data     = "data"
)

const (
	batchGet = 100 // DynamoDB's limit of keys in one BatchGetItem
	tries    = 40  // of a batch that DynamoDB answers in parts of at least 16 MB
)

// Table implements [cell.Store]. It is safe for concurrent use.
type Table struct {
	client Client
	name   string
}

// New returns the table of this name.
func New(client Client, name string) *Table { return &Table{client, name} }

// Load implements [cell.Store].
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
func (t *Table) Load(ctx context.Context, part string, names []string) ([]cell.Cell, error) {
	names = slices.Compact(slices.Sorted(slices.Values(names))) // DynamoDB refuses one that comes twice
	var out []cell.Cell
	for chunk := range slices.Chunk(names, batchGet) {
		keys := make([]map[string]types.AttributeValue, len(chunk))
		for i, n := range chunk {
			keys[i] = key(part, n)
		}
		cells, err := t.get(ctx, keys)
		if err != nil {
			return nil, fmt.Errorf("load cells of %q: %w", part, err)
		}
		out = append(out, cells...)
	}
	return out, nil
}

// get reads the items at keys, in as many answers as DynamoDB makes of them.
func (t *Table) get(ctx context.Context, keys []map[string]types.AttributeValue) ([]cell.Cell, error) {
	var out []cell.Cell
	asked := map[string]types.KeysAndAttributes{t.name: {Keys: keys, ConsistentRead: aws.Bool(true)}}
	for range tries {
		got, err := t.client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: asked})
		if err != nil {
			return nil, awserror.Safe("BatchGetItem", err)
		}
		for _, it := range got.Responses[t.name] {
			c, err := decode(it)
			if err != nil {
				return nil, err
			}
			out = append(out, c)
		}
		if asked = got.UnprocessedKeys; len(asked) == 0 {
			return out, nil
		}
	}
	return nil, errors.New("BatchGetItem answers only in parts")
}

// Put implements [cell.Store].
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html
func (t *Table) Put(ctx context.Context, c cell.Cell) error {
	if len(c.Data) > cell.MaxData {
		return fmt.Errorf("store cell %q of %q: %d bytes, limit %d", c.Name, c.Part, len(c.Data), cell.MaxData)
	}
	it := key(c.Part, c.Name)
	it[revision] = number(c.Revision + 1)
	it[data] = &types.AttributeValueMemberB{Value: c.Data}
	if !c.Expires.IsZero() {
		it[Expires] = number(c.Expires.Unix())
	}
	in := &dynamodb.PutItemInput{TableName: &t.name, Item: it}
	in.ConditionExpression, in.ExpressionAttributeNames, in.ExpressionAttributeValues = at(c.Revision)
	if _, err := t.client.PutItem(ctx, in); err != nil {
		return fmt.Errorf("store cell %q of %q: %w", c.Name, c.Part, refused("PutItem", err))
	}
	return nil
}

// Remove implements [cell.Store].
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteItem.html
func (t *Table) Remove(ctx context.Context, c cell.Cell) error {
	_, err := t.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &t.name, Key: key(c.Part, c.Name),
		ConditionExpression:       aws.String("attribute_not_exists(#revision) OR #revision = :revision"),
		ExpressionAttributeNames:  map[string]string{"#revision": revision},
		ExpressionAttributeValues: map[string]types.AttributeValue{":revision": number(c.Revision)},
	})
	if err != nil {
		return fmt.Errorf("remove cell %q of %q: %w", c.Name, c.Part, refused("DeleteItem", err))
	}
	return nil
}

// Walk implements [cell.Store].
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html
func (t *Table) Walk(ctx context.Context, part, before string, f func(cell.Cell) error) error {
	in := &dynamodb.QueryInput{
		TableName: &t.name, ConsistentRead: aws.Bool(true), KeyConditionExpression: aws.String("#part = :part"),
		ExpressionAttributeNames:  map[string]string{"#part": Part},
		ExpressionAttributeValues: map[string]types.AttributeValue{":part": text(part)},
	}
	if before != "" {
		in.KeyConditionExpression = aws.String("#part = :part AND #name < :before")
		in.ExpressionAttributeNames["#name"] = Name
		in.ExpressionAttributeValues[":before"] = text(before)
	}
	for {
		out, err := t.client.Query(ctx, in)
		if err != nil {
			return fmt.Errorf("walk cells of %q: %w", part, awserror.Safe("Query", err))
		}
		for _, it := range out.Items {
			c, err := decode(it)
			if err != nil {
				return err
			}
			if err := f(c); err != nil {
				return err
			}
		}
		if len(out.LastEvaluatedKey) == 0 {
			return nil
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

// at is the condition that the stored revision is n.
func at(n int64) (condition *string, names map[string]string, values map[string]types.AttributeValue) {
	names = map[string]string{"#revision": revision}
	if n == 0 {
		return aws.String("attribute_not_exists(#revision)"), names, nil
	}
	return aws.String("#revision = :revision"), names, map[string]types.AttributeValue{":revision": number(n)}
}

func refused(operation string, err error) error {
	if _, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return cell.ErrConflict
	}
	return awserror.Safe(operation, err)
}

func decode(it map[string]types.AttributeValue) (cell.Cell, error) {
	c := cell.Cell{Part: textOf(it[Part]), Name: textOf(it[Name])}
	n, err := strconv.ParseInt(numberOf(it[revision]), 10, 64)
	b, ok := it[data].(*types.AttributeValueMemberB)
	if err != nil || n < 1 || !ok {
		return cell.Cell{}, fmt.Errorf("cell %q of %q is not as it was stored", c.Name, c.Part)
	}
	c.Revision, c.Data = n, b.Value
	if s, err := strconv.ParseInt(numberOf(it[Expires]), 10, 64); err == nil {
		c.Expires = time.Unix(s, 0).UTC()
	}
	return c, nil
}

func key(part, name string) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{Part: text(part), Name: text(name)}
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func textOf(v types.AttributeValue) string {
	if s, ok := v.(*types.AttributeValueMemberS); ok {
		return s.Value
	}
	return ""
}

func numberOf(v types.AttributeValue) string {
	if n, ok := v.(*types.AttributeValueMemberN); ok {
		return n.Value
	}
	return ""
}

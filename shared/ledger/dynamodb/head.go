// Package dynamodb keeps the head of a ledger in one item of a DynamoDB table.
package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/keyturn/keyturn/shared/awserror"
	"github.com/keyturn/keyturn/shared/ledger"
)

// Client is what a Head needs of the SDK's client.
type Client interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
}

// attrHead holds the head, as text. The item has no time to live, and nothing
// else but its key.
const attrHead = "head"

type item = map[string]types.AttributeValue

// Head is a [ledger.Head]. It is used by several goroutines at once.
type Head struct {
	client Client
	table  string
	key    item
}

// New returns the head in the item of table whose key attributes have these values,
// all of type S. It calls nothing.
func New(client Client, table string, key map[string]string) *Head {
	h := &Head{client: client, table: table, key: item{}}
	for name, value := range key {
		h.key[name] = &types.AttributeValueMemberS{Value: value}
	}
	return h
}

// Load returns the head, read consistently.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetItem.html
func (h *Head) Load(ctx context.Context) ([]byte, error) {
	out, err := h.client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &h.table, Key: h.key, ConsistentRead: aws.Bool(true)})
	if err != nil {
		return nil, awserror.Safe("GetItem", err)
	}
	if out.Item == nil {
		return nil, ledger.ErrNotFound
	}
	s, ok := out.Item[attrHead].(*types.AttributeValueMemberS)
	if !ok {
		return nil, fmt.Errorf("the item of the head has no %q of type S", attrHead)
	}
	return []byte(s.Value), nil
}

// Swap replaces old by next. The SDK repeats a call whose answer was lost: if the
// head is next by then, this writer put it there, or one that appends the very same.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html
func (h *Head) Swap(ctx context.Context, old, next []byte) error {
	in := &dynamodb.PutItemInput{
		TableName: &h.table, Item: item{attrHead: &types.AttributeValueMemberS{Value: string(next)}},
		ExpressionAttributeNames:            map[string]string{"#head": attrHead},
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	maps.Copy(in.Item, h.key)
	if old == nil {
		in.ConditionExpression = aws.String("attribute_not_exists(#head)")
	} else {
		in.ConditionExpression = aws.String("#head = :old")
		in.ExpressionAttributeValues = item{":old": &types.AttributeValueMemberS{Value: string(old)}}
	}
	_, err := h.client.PutItem(ctx, in)
	refused, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
	if !ok {
		return awserror.Safe("PutItem", err)
	}
	if now, ok := refused.Item[attrHead].(*types.AttributeValueMemberS); ok && now.Value == string(next) {
		return nil
	}
	return ledger.ErrConflict
}

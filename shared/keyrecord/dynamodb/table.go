// Package dynamodb keeps the records of package keyrecord in one DynamoDB
// table.
//
// The partition key "secret" is the secret's name and the sort key "item" says
// what an item is: "key#<id>", "request#<rotation>", "failure", "pause",
// "alert#<id>" or "once#<id>".
// The attribute "expires" is the table's time to live. Attributes that this
// version does not know are kept with a key, a pause and an alert; a request and
// a failure are written anew each time.
package dynamodb

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/keyturn/keyturn/shared/awserror"
	"github.com/keyturn/keyturn/shared/keyrecord"
)

// Client is what a Table needs of the SDK's client.
type Client interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
}

const (
	attrSecret   = "secret"
	attrItem     = "item"
	attrRevision = "revision"
	attrExpires  = "expires"
	attrBy       = "by" // who said it: one call of First

	itemKey     = "key#"
	itemRequest = "request#"
	itemFailure = "failure"
	itemPause   = "pause"
	itemAlert   = "alert#"
	itemOnce    = "once#"

	requestLife = 90 * 24 * time.Hour // the audit trail keeps requests for ever
)

// Table is one table of records. It is safe for concurrent use.
type Table struct {
	Now func() time.Time // for what expires; [New] sets time.Now

	client Client
	name   string
}

// New returns the table of this name.
func New(client Client, table string) *Table {
	return &Table{Now: time.Now, client: client, name: table}
}

// Load returns everything recorded about a secret, read consistently.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html
func (t *Table) Load(ctx context.Context, secret string) (keyrecord.Book, error) {
	in := &dynamodb.QueryInput{
		TableName: &t.name, ConsistentRead: aws.Bool(true),
		KeyConditionExpression:    aws.String("#secret = :secret"),
		ExpressionAttributeNames:  map[string]string{"#secret": attrSecret},
		ExpressionAttributeValues: item{":secret": text(secret)},
	}
	var b keyrecord.Book
	for {
		out, err := t.client.Query(ctx, in)
		if err != nil {
			return keyrecord.Book{}, fmt.Errorf("read the records of %q: %w", secret, awserror.Safe("Query", err))
		}
		for _, it := range out.Items {
			if err := add(&b, it); err != nil {
				return keyrecord.Book{}, fmt.Errorf("read the records of %q: %w", secret, err)
			}
		}
		if len(out.LastEvaluatedKey) == 0 {
			return b, nil
		}
		in.ExclusiveStartKey = out.LastEvaluatedKey
	}
}

func add(b *keyrecord.Book, it item) error {
	switch kind := textOf(it[attrItem]); {
	case strings.HasPrefix(kind, itemKey):
		r, err := decode[record](it)
		r.More = restOf[record](it)
		b.Keys = append(b.Keys, keyrecord.Record(r))
		return err
	case strings.HasPrefix(kind, itemRequest):
		r, err := decode[request](it)
		b.Requests = append(b.Requests, keyrecord.Request(r))
		return err
	case kind == itemFailure:
		f, err := decode[failure](it)
		b.Failure = new(keyrecord.Failure(f))
		return err
	case strings.HasPrefix(kind, itemAlert):
		a, err := decode[alert](it)
		a.More = restOf[alert](it)
		b.Alerts = append(b.Alerts, keyrecord.Alert(a))
		return err
	case kind == itemPause:
		p, err := decode[pause](it)
		p.More = restOf[pause](it)
		b.Pause = new(keyrecord.Pause(p))
		return err
	}
	return nil
}

// Put stores a key's record if its Revision is still the stored one; 0 means
// that there is none yet. It returns the record with its new Revision, or
// [keyrecord.ErrConflict].
//
// A conflict may be our own doing: the SDK sends again after a lost reply.
// Whoever gets one loads again, and finds what is stored.
func (t *Table) Put(ctx context.Context, r keyrecord.Record) (keyrecord.Record, error) {
	old := r.Revision
	r.Revision++
	if err := t.replace(ctx, with(encode(record(r), r.Secret, itemKey+r.KeyID), r.More), old); err != nil {
		return keyrecord.Record{}, fmt.Errorf("store the record of key %q: %w", r.KeyID, err)
	}
	return r, nil
}

// PutPause stores a secret's pause, as [Table.Put] stores a key's record: only
// over the one that the caller has seen, so that nobody overwrites another's.
func (t *Table) PutPause(ctx context.Context, p keyrecord.Pause) (keyrecord.Pause, error) {
	old := p.Revision
	p.Revision++
	if err := t.replace(ctx, with(encode(pause(p), p.Secret, itemPause), p.More), old); err != nil {
		return keyrecord.Pause{}, fmt.Errorf("store the pause of %q: %w", p.Secret, err)
	}
	return p, nil
}

// OpenAlert stores an alert unless one of this ID is open: an acknowledged one
// stays so.
func (t *Table) OpenAlert(ctx context.Context, a keyrecord.Alert) error {
	a.Revision = 1
	if _, err := t.put(ctx, &dynamodb.PutItemInput{
		TableName: &t.name, Item: alertItem(a),
		ConditionExpression:       aws.String("attribute_not_exists(#item) OR #expires <= :now"),
		ExpressionAttributeNames:  map[string]string{"#item": attrItem, "#expires": attrExpires},
		ExpressionAttributeValues: item{":now": number(t.Now().Unix())},
	}); err != nil {
		return fmt.Errorf("store the alert %q of %q: %w", a.ID, a.Secret, err)
	}
	return nil
}

// PutAlert stores a change of an alert, as [Table.Put] stores a key's record.
func (t *Table) PutAlert(ctx context.Context, a keyrecord.Alert) (keyrecord.Alert, error) {
	old := a.Revision
	a.Revision++
	if err := t.replace(ctx, alertItem(a), old); err != nil {
		return keyrecord.Alert{}, fmt.Errorf("store the alert %q of %q: %w", a.ID, a.Secret, err)
	}
	return a, nil
}

// CloseAlert forgets an alert; without one it does nothing.
func (t *Table) CloseAlert(ctx context.Context, secret, id string) error {
	if err := t.remove(ctx, secret, itemAlert+id); err != nil {
		return fmt.Errorf("close the alert %q of %q: %w", id, secret, err)
	}
	return nil
}

func alertItem(a keyrecord.Alert) item {
	it := with(encode(alert(a), a.Secret, itemAlert+a.ID), a.More)
	it[attrExpires] = number(a.At.Add(keyrecord.AlertFor).Unix())
	return it
}

// replace stores it over the item with revision old, 0 for none, or returns
// [keyrecord.ErrConflict].
func (t *Table) replace(ctx context.Context, it item, old int) error {
	in := &dynamodb.PutItemInput{
		TableName: &t.name, Item: it,
		ConditionExpression:      aws.String("attribute_not_exists(#item)"),
		ExpressionAttributeNames: map[string]string{"#item": attrItem},
	}
	if old > 0 {
		in.ConditionExpression = aws.String("#revision = :revision")
		in.ExpressionAttributeNames = map[string]string{"#revision": attrRevision}
		in.ExpressionAttributeValues = item{":revision": number(int64(old))}
	}
	held, err := t.put(ctx, in)
	if err == nil && !held {
		err = keyrecord.ErrConflict
	}
	return err
}

// PutRequest stores a request, over an older one of the same rotation. It is
// kept for 90 days.
func (t *Table) PutRequest(ctx context.Context, r keyrecord.Request) error {
	it := encode(request(r), r.Secret, itemRequest+r.Rotation)
	it[attrExpires] = number(t.Now().Add(requestLife).Unix())
	if _, err := t.put(ctx, &dynamodb.PutItemInput{TableName: &t.name, Item: it}); err != nil {
		return fmt.Errorf("store the request for rotation %q: %w", r.Rotation, err)
	}
	return nil
}

// SetFailure stores a secret's last failure, over an older one. Its Count is one
// more than that of an older failure of the same version.
func (t *Table) SetFailure(ctx context.Context, f keyrecord.Failure) error {
	old, err := t.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &t.name, Key: item{attrSecret: text(f.Secret), attrItem: text(itemFailure)}, ConsistentRead: aws.Bool(true),
	})
	f.Count = 1
	if err == nil {
		if o, err := decode[failure](old.Item); err == nil && len(old.Item) > 0 && o.Version == f.Version {
			f.Count = o.Count + 1
		}
	}
	return t.PutFailure(ctx, f)
}

// PutFailure is [Table.SetFailure] for a caller that knows the Count.
func (t *Table) PutFailure(ctx context.Context, f keyrecord.Failure) error {
	in := &dynamodb.PutItemInput{TableName: &t.name, Item: encode(failure(f), f.Secret, itemFailure)}
	if _, err := t.put(ctx, in); err != nil {
		return fmt.Errorf("store the failure of %q: %w", f.Secret, err)
	}
	return nil
}

// ClearFailure forgets a secret's last failure; without one it does nothing.
func (t *Table) ClearFailure(ctx context.Context, secret string) error {
	if err := t.remove(ctx, secret, itemFailure); err != nil {
		return fmt.Errorf("clear the failure of %q: %w", secret, err)
	}
	return nil
}

// First reports whether nobody has said id of this secret within ttl, and says
// it. It does not rely on DynamoDB's own deletion, which may be days late. A
// write that was sent again because its answer was lost is known by its author.
func (t *Table) First(ctx context.Context, secret, id string, ttl time.Duration) (bool, error) {
	now, by := t.Now(), text(rand.Text())
	first, err := t.put(ctx, &dynamodb.PutItemInput{
		TableName: &t.name,
		Item: item{
			attrSecret: text(secret), attrItem: text(itemOnce + id),
			attrExpires: number(now.Add(ttl).Unix()), attrBy: by,
		},
		ConditionExpression:       aws.String("attribute_not_exists(#item) OR #expires <= :now OR #by = :by"),
		ExpressionAttributeNames:  map[string]string{"#item": attrItem, "#expires": attrExpires, "#by": attrBy},
		ExpressionAttributeValues: item{":now": number(now.Unix()), ":by": by},
	})
	if err != nil {
		return false, fmt.Errorf("store that %q was said of %q: %w", id, secret, err)
	}
	return first, nil
}

// Forget takes back what [Table.First] said, for a caller that could not do
// what it had claimed.
func (t *Table) Forget(ctx context.Context, secret, id string) error {
	if err := t.remove(ctx, secret, itemOnce+id); err != nil {
		return fmt.Errorf("take back that %q was said of %q: %w", id, secret, err)
	}
	return nil
}

// put reports whether in's condition held.
func (t *Table) put(ctx context.Context, in *dynamodb.PutItemInput) (held bool, err error) {
	_, err = t.client.PutItem(ctx, in)
	if _, ok := errors.AsType[*types.ConditionalCheckFailedException](err); ok {
		return false, nil
	}
	return err == nil, awserror.Safe("PutItem", err)
}

func (t *Table) remove(ctx context.Context, secret, kind string) error {
	_, err := t.client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
		TableName: &t.name, Key: item{attrSecret: text(secret), attrItem: text(kind)},
	})
	return awserror.Safe("DeleteItem", err)
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

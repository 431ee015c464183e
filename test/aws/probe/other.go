package probe

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

func otherProbes() []Probe {
	return []Probe{
		{
			Name: "missing-attribute", Claims: []string{"dynamodb/expr: a <> with a missing", "dynamodb/expr: the text of syntax"},
			Assumed: Outcome{
				"<>": "ok", "=": "ConditionalCheckFailedException", "<": "ConditionalCheckFailedException", ">=": "ConditionalCheckFailedException",
				"syntax": "ValidationException: Invalid ConditionExpression: Syntax error",
			},
			Run: missingAttribute,
		},
		{
			Name: "older-receipt-handle", Claims: []string{"sqs: every receipt handle of a message deletes it"},
			Assumed: Outcome{"delete": "ok", "left": 0}, Run: olderHandle,
		},
		{
			Name: "past-schedule", Claims: []string{"scheduler: a past at() fires at once", "scheduler: a schedule that deletes itself", "scheduler: a client token"},
			Assumed: Outcome{"fired": true, "gone": true, "same token, same request": "ok", "same token, other request": "ConflictException"}, Run: pastSchedule,
		},
		{
			Name: "failed-event", Claims: []string{"lambda: failed events wait one minute, then two"},
			Assumed: Outcome{"attempts": 3, "waits in minutes": "1 2"}, Run: failedEvent,
		},
	}
}

func missingAttribute(ctx context.Context, w *World) (Outcome, error) {
	s := w.scene("missing-attribute")
	client, table := dynamodb.NewFromConfig(w.Config), aws.String(s.base)
	_, err := client.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: table, BillingMode: ddb.BillingModePayPerRequest,
		AttributeDefinitions: []ddb.AttributeDefinition{{AttributeName: aws.String("id"), AttributeType: ddb.ScalarAttributeTypeS}},
		KeySchema:            []ddb.KeySchemaElement{{AttributeName: aws.String("id"), KeyType: ddb.KeyTypeHash}},
		Tags:                 []ddb.Tag{{Key: aws.String(TagInstallation), Value: aws.String(s.Name)}},
	})
	if err != nil {
		return nil, err
	}
	active := func() (bool, error) {
		out, err := client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: table})
		return err == nil && out.Table.TableStatus == ddb.TableStatusActive, err
	}
	if _, err := s.until(ctx, w.patience(), active); err != nil {
		return nil, err
	}
	item := func(id string) map[string]ddb.AttributeValue {
		return map[string]ddb.AttributeValue{"id": &ddb.AttributeValueMemberS{Value: id}}
	}
	if _, err := client.PutItem(ctx, &dynamodb.PutItemInput{TableName: table, Item: item("a")}); err != nil {
		return nil, err
	}
	put := func(condition string) error {
		_, err := client.PutItem(ctx, &dynamodb.PutItemInput{
			TableName: table, Item: item("a"), ConditionExpression: &condition,
			ExpressionAttributeValues: map[string]ddb.AttributeValue{":v": &ddb.AttributeValueMemberN{Value: "1"}},
		})
		return err
	}
	out := Outcome{}
	for _, op := range []string{"<>", "=", "<", ">="} {
		if out[op], err = code(put("n " + op + " :v")); err != nil {
			return nil, err
		}
	}
	text, err := refusal(put("n = = :v"))
	if before, _, found := strings.Cut(text, "Syntax error"); found {
		text = before + "Syntax error" // what follows names tokens
	}
	out["syntax"] = text
	return out, err
}

// olderHandle deletes with the handle of the first of two receipts. On AWS a
// receive may find nothing, so it is repeated.
func olderHandle(ctx context.Context, w *World) (Outcome, error) {
	s := w.scene("older-handle")
	if _, err := s.directions(ctx, nil); err != nil { // makes the queue
		return nil, err
	}
	client := sqs.NewFromConfig(w.Config)
	if _, err := client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &s.queue, MessageBody: aws.String("m")}); err != nil {
		return nil, err
	}
	receive := func(most time.Duration) (handle *string, err error) {
		_, err = s.until(ctx, most, func() (bool, error) {
			out, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: &s.queue, VisibilityTimeout: 1, WaitTimeSeconds: 2})
			if err != nil || len(out.Messages) == 0 {
				return false, err
			}
			handle = out.Messages[0].ReceiptHandle
			return true, nil
		})
		return handle, err
	}
	first, err := receive(time.Minute)
	if err != nil {
		return nil, err
	}
	if err := wait(ctx, 2*time.Second); err != nil {
		return nil, err
	}
	if _, err := receive(time.Minute); err != nil {
		return nil, err
	}
	out := Outcome{"left": 0}
	_, err = client.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &s.queue, ReceiptHandle: first})
	if out["delete"], err = code(err); err != nil {
		return nil, err
	}
	left, err := receive(20 * time.Second)
	if left != nil {
		out["left"] = 1
	}
	return out, err
}

func pastSchedule(ctx context.Context, w *World) (Outcome, error) {
	s := w.scene("past-schedule")
	d, err := s.note(ctx, "fired", false)
	if err != nil {
		return nil, err
	}
	client, id := scheduler.NewFromConfig(w.Config), token()
	_, err = client.CreateScheduleGroup(ctx, &scheduler.CreateScheduleGroupInput{ // schedules themselves take no tags
		Name: &s.base, Tags: []types.Tag{{Key: aws.String(TagInstallation), Value: &s.Name}},
	})
	if err != nil {
		return nil, err
	}
	create := func(at time.Time) error {
		_, err := client.CreateSchedule(ctx, &scheduler.CreateScheduleInput{
			Name: &s.base, GroupName: &s.base, ClientToken: id, ActionAfterCompletion: types.ActionAfterCompletionDelete,
			ScheduleExpression: aws.String("at(" + at.UTC().Format("2006-01-02T15:04:05") + ")"),
			FlexibleTimeWindow: &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff},
			Target:             &types.Target{Arn: &s.Function, RoleArn: &s.Role, Input: &d},
		})
		return err
	}
	// First one that is far away, so that it is still there for the tokens.
	far := time.Now().AddDate(0, 1, 0)
	if err := create(far); err != nil {
		return nil, err
	}
	out := Outcome{}
	if out["same token, same request"], err = code(create(far)); err != nil {
		return nil, err
	}
	if out["same token, other request"], err = code(create(far.Add(time.Hour))); err != nil {
		return nil, err
	}
	if _, err := client.DeleteSchedule(ctx, &scheduler.DeleteScheduleInput{Name: &s.base, GroupName: &s.base}); err != nil {
		return nil, err
	}
	id = token()
	if err := create(time.Now().Add(-time.Hour)); err != nil {
		return nil, err
	}
	said, err := s.said(ctx, quiet, func(all []Said) bool { return len(all) > 0 })
	if err != nil {
		return nil, err
	}
	out["fired"] = len(said) > 0
	out["gone"], err = s.until(ctx, 5*time.Minute, func() (bool, error) {
		_, err := client.GetSchedule(ctx, &scheduler.GetScheduleInput{Name: &s.base, GroupName: &s.base})
		c, err := code(err)
		return c == "ResourceNotFoundException", err
	})
	return out, err
}

// note is a payload with which the function says so, and fails if it is told to.
func (s *scene) note(ctx context.Context, text string, fail bool) (string, error) {
	if _, err := s.directions(ctx, nil); err != nil {
		return "", err
	}
	b, err := json.Marshal(directions{Queue: s.queue, Note: text, Fail: fail})
	return string(b), err
}

func failedEvent(ctx context.Context, w *World) (Outcome, error) {
	s := w.scene("failed-event")
	d, err := s.note(ctx, "failing", true)
	if err != nil {
		return nil, err
	}
	_, err = lambda.NewFromConfig(w.Config).Invoke(ctx, &lambda.InvokeInput{
		FunctionName: &s.Function, InvocationType: lambdatypes.InvocationTypeEvent, Payload: []byte(d),
	})
	if err != nil {
		return nil, err
	}
	all, err := s.said(ctx, 5*time.Minute, nil)
	var waits []string
	for i := 1; i < len(all); i++ {
		waits = append(waits, all[i].At.Sub(all[i-1].At).Round(time.Minute).Truncate(time.Minute).String())
	}
	minutes := strings.NewReplacer("m0s", "").Replace(strings.Join(waits, " "))
	return Outcome{"attempts": len(all), "waits in minutes": minutes}, err
}

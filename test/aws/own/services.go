package own

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

func (s *Sweeper) secrets(ctx context.Context) (all []Resource, err error) {
	pages := sm.NewListSecretsPaginator(sm.NewFromConfig(s.Config), &sm.ListSecretsInput{
		Filters: []smtypes.Filter{{Key: smtypes.FilterNameStringTypeName, Values: []string{prefix}}}, IncludePlannedDeletion: aws.Bool(true),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, e := range page.SecretList {
			tags := map[string]string{}
			for _, t := range e.Tags {
				tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
			}
			all = append(all, Resource{Kind: "secret", Name: aws.ToString(e.Name), ID: aws.ToString(e.ARN), Tags: tags})
		}
	}
	return all, nil
}

// removeSecret forces the deletion, so that the name is free and nothing is paid
// for. Values of tests are worth nothing.
func (s *Sweeper) removeSecret(ctx context.Context, r Resource) error {
	_, err := sm.NewFromConfig(s.Config).DeleteSecret(ctx, &sm.DeleteSecretInput{SecretId: &r.ID, ForceDeleteWithoutRecovery: aws.Bool(true)})
	return err
}

func (s *Sweeper) functions(ctx context.Context) (all []Resource, err error) {
	client := lambda.NewFromConfig(s.Config)
	pages := lambda.NewListFunctionsPaginator(client, &lambda.ListFunctionsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, f := range page.Functions {
			if !strings.HasPrefix(aws.ToString(f.FunctionName), prefix) {
				continue
			}
			out, err := client.ListTags(ctx, &lambda.ListTagsInput{Resource: f.FunctionArn})
			if err != nil {
				return nil, err
			}
			all = append(all, Resource{Kind: "function", Name: *f.FunctionName, ID: *f.FunctionArn, Tags: out.Tags})
		}
	}
	return all, nil
}

func (s *Sweeper) removeFunction(ctx context.Context, r Resource) error {
	_, err := lambda.NewFromConfig(s.Config).DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: &r.Name})
	return err
}

func (s *Sweeper) groups(ctx context.Context) (all []Resource, err error) {
	client := scheduler.NewFromConfig(s.Config)
	pages := scheduler.NewListScheduleGroupsPaginator(client, &scheduler.ListScheduleGroupsInput{NamePrefix: aws.String(prefix)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, g := range page.ScheduleGroups {
			out, err := client.ListTagsForResource(ctx, &scheduler.ListTagsForResourceInput{ResourceArn: g.Arn})
			if err != nil {
				return nil, err
			}
			tags := map[string]string{}
			for _, t := range out.Tags {
				tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
			}
			all = append(all, Resource{Kind: "schedule group", Name: aws.ToString(g.Name), Tags: tags})
		}
	}
	return all, nil
}

func (s *Sweeper) removeGroup(ctx context.Context, r Resource) error {
	_, err := scheduler.NewFromConfig(s.Config).DeleteScheduleGroup(ctx, &scheduler.DeleteScheduleGroupInput{Name: &r.Name})
	return err
}

func (s *Sweeper) queues(ctx context.Context) (all []Resource, err error) {
	client := sqs.NewFromConfig(s.Config)
	pages := sqs.NewListQueuesPaginator(client, &sqs.ListQueuesInput{QueueNamePrefix: aws.String(prefix), MaxResults: aws.Int32(1000)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, u := range page.QueueUrls {
			out, err := client.ListQueueTags(ctx, &sqs.ListQueueTagsInput{QueueUrl: &u})
			if err != nil {
				return nil, err
			}
			all = append(all, Resource{Kind: "queue", Name: u[strings.LastIndex(u, "/")+1:], ID: u, Tags: out.Tags})
		}
	}
	return all, nil
}

func (s *Sweeper) removeQueue(ctx context.Context, r Resource) error {
	_, err := sqs.NewFromConfig(s.Config).DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: &r.ID})
	return err
}

func (s *Sweeper) tables(ctx context.Context) (all []Resource, err error) {
	client := dynamodb.NewFromConfig(s.Config)
	pages := dynamodb.NewListTablesPaginator(client, &dynamodb.ListTablesInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, name := range page.TableNames {
			if !strings.HasPrefix(name, prefix) {
				continue
			}
			table, err := client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &name})
			if err != nil {
				return nil, err
			}
			out, err := client.ListTagsOfResource(ctx, &dynamodb.ListTagsOfResourceInput{ResourceArn: table.Table.TableArn})
			if err != nil {
				return nil, err
			}
			tags := map[string]string{}
			for _, t := range out.Tags {
				tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
			}
			all = append(all, Resource{Kind: "table", Name: name, Tags: tags})
		}
	}
	return all, nil
}

func (s *Sweeper) removeTable(ctx context.Context, r Resource) error {
	client := dynamodb.NewFromConfig(s.Config)
	table, err := client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &r.Name})
	if err != nil {
		return err
	}
	if aws.ToBool(table.Table.DeletionProtectionEnabled) {
		if _, err := client.UpdateTable(ctx, &dynamodb.UpdateTableInput{TableName: &r.Name, DeletionProtectionEnabled: aws.Bool(false)}); err != nil {
			return err
		}
	}
	_, err = client.DeleteTable(ctx, &dynamodb.DeleteTableInput{TableName: &r.Name})
	return err
}

// gone reports whether err says that there is no such thing.
func gone(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (strings.Contains(e.Code, "NoSuchEntity") || strings.Contains(e.Code, "NotFound"))
}

package preflight

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/keyturn/keyturn/infra/access"
	"github.com/keyturn/keyturn/shared/awserror"
	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// queues looks whether the subscribed queues of the account let our topics in.
// Those of other accounts cannot be seen from here.
func (p *Preflight) queues(ctx context.Context) (all []Check) {
	of := func(topic string, list []keysfile.Subscription) {
		topic = fmt.Sprintf("arn:%s:sns:%s:%s:%s-%s", iam.Partition(p.place.Region), p.place.Region, p.place.Account, p.file.Name, topic)
		for _, s := range list {
			if parts := strings.Split(s.SQS, ":"); len(parts) == 6 && parts[4] == p.place.Account {
				all = append(all, p.queue(ctx, s.SQS, parts[3], parts[5], topic))
			}
		}
	}
	of("notifications", p.file.Notifications.Subscriptions)
	if e := p.file.Notifications.Escalation; e != nil {
		of("escalation", e.Subscriptions)
	}
	return all
}

func (p *Preflight) queue(ctx context.Context, arn, region, name, topic string) Check {
	subject := "queue " + name
	there := func(o *sqs.Options) { o.Region = region }
	url, err := p.queuesAPI.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &name}, there)
	if code := awserror.Code(err); code == "QueueDoesNotExist" || strings.HasSuffix(code, ".NonExistentQueue") {
		return missing(subject, "there is no such queue in "+region, "make it, or take it out of notifications")
	}
	if err != nil {
		return unseen(subject, err)
	}
	out, err := p.queuesAPI.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: url.QueueUrl, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNamePolicy, types.QueueAttributeNameKmsMasterKeyId},
	}, there)
	if err != nil {
		return unseen(subject, err)
	}
	if key := out.Attributes["KmsMasterKeyId"]; strings.HasSuffix(key, "alias/aws/sqs") {
		return warning(subject, "it is encrypted with alias/aws/sqs, which lets no topic in", "encrypt it with a CMK whose policy lets sns.amazonaws.com decrypt and generate data keys, or by SQS itself")
	}
	if why := shut(out.Attributes["Policy"], arn, topic); why != "" {
		return warning(subject, "its policy does not let the topic in, and it gets nothing: "+why, "add this statement to its policy: "+statement(arn, topic))
	}
	return ok(subject, "its policy lets the topic in")
}

// shut says why a queue's policy does not let the topic in; "": it does.
func shut(policy, queue, topic string) string {
	if policy == "" {
		return "it has none"
	}
	d, err := iam.Parse([]byte(policy))
	if err != nil {
		return "it cannot be read here"
	}
	got, err := iam.Evaluate(iam.Request{
		Principal: iam.NewService("sns.amazonaws.com"), Action: "sqs:SendMessage", Resource: queue,
		Context: map[string][]string{
			"aws:SourceArn": {topic}, "aws:SourceAccount": {strings.Split(topic, ":")[4]},
			"aws:SecureTransport": {"true"}, "aws:PrincipalIsAWSService": {"true"},
		},
		Absent: []string{"aws:PrincipalArn", "aws:PrincipalAccount", "aws:PrincipalOrgID", "aws:SourceIp", "aws:SourceVpc", "aws:SourceVpce"},
	}, iam.Policies{Resource: &iam.Policy{Name: "its policy", Document: d}})
	switch {
	case err != nil:
		return "it cannot be read here"
	case got.Effect == iam.Allowed:
		return ""
	}
	return got.String()
}

func statement(queue, topic string) string {
	text, err := json.Marshal(access.Subscribed(queue, topic).Statement[0])
	if err != nil {
		return ""
	}
	return string(text)
}

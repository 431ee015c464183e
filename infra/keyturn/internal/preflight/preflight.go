// Package preflight looks at an AWS account before a deployment: what is
// missing, what is doubtful, and what to do about it. It changes nothing and
// reads no value.
package preflight

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	awsiam "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/keyturn/keyturn/shared/awserror"
	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// Status is how something is.
type Status string

// The statuses.
const (
	OK      Status = "ok"
	Warning Status = "warning" // look at it; a deployment goes through
	Missing Status = "missing" // a deployment would fail, or be blind
)

// Check is one thing that was looked at.
type Check struct {
	Status  Status   `json:"status"`
	Subject string   `json:"subject"` // such as "bootstrap", "secret prod/mailer"
	What    string   `json:"what"`
	Next    []string `json:"next,omitempty"` // what to do
}

// Place is where a deployment is to go.
type Place struct {
	Account, Region string
	Environment     string // name in the keys' file; "": the file names none
}

// Preflight is one look. Use [New].
type Preflight struct {
	place Place
	file  *keysfile.File

	parameters *ssm.Client
	functions  *lambda.Client
	trails     *cloudtrail.Client
	topics     *sns.Client
	queuesAPI  *sqs.Client
	secrets    *sm.Client
	schedules  *scheduler.Client
	rules      *eventbridge.Client
	keys       *kms.Client
	buckets    *s3.Client
	identity   *awsiam.Client
}

// New prepares a look with cfg, whose credentials are of the place.
func New(cfg aws.Config, place Place, file *keysfile.File) *Preflight {
	return &Preflight{
		place: place, file: file,
		parameters: ssm.NewFromConfig(cfg), functions: lambda.NewFromConfig(cfg), trails: cloudtrail.NewFromConfig(cfg),
		topics: sns.NewFromConfig(cfg), queuesAPI: sqs.NewFromConfig(cfg), secrets: sm.NewFromConfig(cfg), schedules: scheduler.NewFromConfig(cfg),
		rules: eventbridge.NewFromConfig(cfg), keys: kms.NewFromConfig(cfg), buckets: s3.NewFromConfig(cfg),
		identity: awsiam.NewFromConfig(cfg),
	}
}

// Run looks at everything. What cannot be seen is a warning.
func (p *Preflight) Run(ctx context.Context) []Check {
	all := []Check{p.where()}
	for _, look := range []func(context.Context) []Check{p.bootstrap, p.concurrency, p.trail, p.watch, p.identities, p.secretsAndAdmins, p.subscriptions, p.queues, p.left} {
		all = append(all, look(ctx)...)
	}
	return all
}

func ok(subject, format string, args ...any) Check {
	return Check{Status: OK, Subject: subject, What: fmt.Sprintf(format, args...)}
}

func warning(subject, what string, next ...string) Check { return Check{Warning, subject, what, next} }

func missing(subject, what string, next ...string) Check { return Check{Missing, subject, what, next} }

// unseen is what AWS did not tell.
func unseen(subject string, err error) Check {
	code := awserror.Code(err)
	switch {
	case strings.HasPrefix(code, "AccessDenied") || code == "AuthorizationError":
		return warning(subject, "you may not see it ("+code+")", "take the rights of: keyturn permissions deploy")
	case code == "":
		return warning(subject, "it cannot be seen: no answer from AWS", "check the network, and try again")
	}
	return warning(subject, "it cannot be seen: "+code, "try again")
}

// where is checked by the command before it comes here; the line says so.
func (p *Preflight) where() Check {
	if p.place.Environment == "" {
		return warning("account", p.place.Account+" in "+p.place.Region+"; the keys' file does not say where it is to be deployed, so nothing keeps it from another account",
			"name it: environments: {prod: {account: \""+p.place.Account+"\", region: "+p.place.Region+"}}")
	}
	return ok("account", "%s in %s, the environment %s", p.place.Account, p.place.Region, p.place.Environment)
}

// The bootstrap that our stacks need: CDK's default synthesizer writes the
// version into each template and refuses an older one.
// https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html
const (
	bootstrapName  = "/cdk-bootstrap/hnb659fds/version"
	bootstrapLeast = 6
)

// bootstrap looks in each Region that stacks go to.
func (p *Preflight) bootstrap(ctx context.Context) []Check {
	all := []Check{p.bootstrapIn(ctx, "CDK bootstrap", p.place.Region)}
	for _, region := range p.file.Environments[p.place.Environment].Replicas {
		all = append(all, p.bootstrapIn(ctx, "CDK bootstrap in "+region, region))
	}
	return all
}

func (p *Preflight) bootstrapIn(ctx context.Context, subject, region string) Check {
	do := fmt.Sprintf("infra/node_modules/.bin/cdk bootstrap aws://%s/%s (with least rights: docs/deploy.md, 2)", p.place.Account, region)
	out, err := p.parameters.GetParameter(ctx, &ssm.GetParameterInput{Name: aws.String(bootstrapName)}, func(o *ssm.Options) { o.Region = region })
	if awserror.Code(err) == "ParameterNotFound" {
		return missing(subject, "the account is not bootstrapped in this Region", do)
	}
	if err != nil {
		return unseen(subject, err)
	}
	text := aws.ToString(out.Parameter.Value)
	version, err := strconv.Atoi(text)
	switch {
	case err != nil:
		return warning(subject, "its version is no number", do)
	case version < bootstrapLeast:
		return missing(subject, fmt.Sprintf("its version is %d, and at least %d is needed", version, bootstrapLeast), do)
	}
	return ok(subject, "version %d", version)
}

// What is left for functions without a reservation. AWS refuses a reservation
// that leaves less than a minimum: 100 by its documentation, and in accounts
// whose limit was never raised 10 or 50.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
const (
	leftLeast      = 10
	leftDocumented = 100
)

func (p *Preflight) concurrency(ctx context.Context) []Check {
	const subject = "Lambda concurrency"
	out, err := p.functions.GetAccountSettings(ctx, &lambda.GetAccountSettingsInput{})
	if err != nil || out.AccountLimit == nil {
		return []Check{unseen(subject, err)}
	}
	limit, free := int(out.AccountLimit.ConcurrentExecutions), int(aws.ToInt32(out.AccountLimit.UnreservedConcurrentExecutions))
	more := 0
	for name, v := range p.file.VendorAccounts {
		if v.Concurrency == 0 {
			continue
		}
		now, err := p.functions.GetFunctionConcurrency(ctx, &lambda.GetFunctionConcurrencyInput{FunctionName: aws.String(p.file.Name + "-rotate-" + name)})
		if err != nil && awserror.Code(err) != "ResourceNotFoundException" {
			return []Check{unseen(subject, err)}
		}
		more += v.Concurrency
		if err == nil {
			more -= int(aws.ToInt32(now.ReservedConcurrentExecutions))
		}
	}
	left := free - more
	what := fmt.Sprintf("%d of %d are not reserved, and this deployment reserves none", free, limit)
	if more > 0 {
		what = fmt.Sprintf("%d of %d are not reserved; this deployment reserves %d more, and leaves %d", free, limit, more, left)
	}
	do := "ask for a higher limit: aws service-quotas request-service-quota-increase --service-code lambda --quota-code L-B99A9384 --desired-value 1000"
	switch {
	case more > 0 && left < leftLeast:
		return []Check{missing(subject, what+", fewer than AWS lets be left", do, "or reserve less: vendorAccounts.NAME.concurrency")}
	case more > 0 && left < leftDocumented:
		return []Check{warning(subject, what+fmt.Sprintf("; AWS may refuse to leave fewer than %d", leftDocumented), do, "or reserve less: vendorAccounts.NAME.concurrency")}
	case left < 2*len(p.file.VendorAccounts)+3: // rotate and retire of each, rotatenow, audit and review
		return []Check{warning(subject, what+", fewer than one for each function", do)}
	}
	return []Check{ok(subject, "%s", what)}
}

// subscriptions looks at the installation's topics.
func (p *Preflight) subscriptions(ctx context.Context) (all []Check) {
	names := []string{p.file.Name + "-notifications"}
	if p.file.Notifications.Escalation != nil {
		names = append(names, p.file.Name+"-escalation")
	}
	for _, name := range names {
		subject := "topic " + name
		arn := fmt.Sprintf("arn:%s:sns:%s:%s:%s", iam.Partition(p.place.Region), p.place.Region, p.place.Account, name)
		confirmed, pending, err := p.subscribed(ctx, arn)
		switch code := awserror.Code(err); {
		case code == "NotFound" || code == "NotFoundException":
			all = append(all, ok(subject, "not deployed yet: once it is, each e-mail and HTTPS subscription has to be confirmed"))
			continue
		case err != nil:
			all = append(all, unseen(subject, err))
			continue
		case confirmed == 0:
			all = append(all, warning(subject, "nobody with a confirmed subscription is told anything", "name somebody: notifications.subscriptions"))
		default:
			all = append(all, ok(subject, "%d confirmed", confirmed))
		}
		for _, who := range pending {
			all = append(all, warning(subject, who+" has not confirmed its subscription, and is told nothing",
				"follow the link in the message that AWS sent; it works for two days, and a deployment that makes the subscription anew sends another"))
		}
	}
	return all
}

// subscribed counts a topic's confirmed subscriptions, and names the others.
func (p *Preflight) subscribed(ctx context.Context, arn string) (confirmed int, pending []string, err error) {
	pages := sns.NewListSubscriptionsByTopicPaginator(p.topics, &sns.ListSubscriptionsByTopicInput{TopicArn: &arn})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return 0, nil, err
		}
		for _, s := range page.Subscriptions {
			if aws.ToString(s.SubscriptionArn) == "PendingConfirmation" {
				pending = append(pending, Endpoint(aws.ToString(s.Protocol), aws.ToString(s.Endpoint)))
			} else {
				confirmed++
			}
		}
	}
	return confirmed, pending, nil
}

// Endpoint names a subscription's endpoint without what may be secret in a URL:
// its path and query.
func Endpoint(protocol, endpoint string) string {
	if scheme, rest, found := strings.Cut(endpoint, "://"); found {
		host, _, _ := strings.Cut(rest, "/")
		host, _, _ = strings.Cut(host, "?")
		if _, after, user := strings.Cut(host, "@"); user {
			host = after
		}
		endpoint = scheme + "://" + host + "/..."
	}
	return protocol + " " + endpoint
}

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/infra/keyturn/internal/console"
	"github.com/keyturn/keyturn/infra/keyturn/internal/preflight"
	"github.com/keyturn/keyturn/shared/awserror"
	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/keysfile"
	"github.com/keyturn/keyturn/shared/notify"
	topic "github.com/keyturn/keyturn/shared/notify/sns"
)

// kindTest is the kind of a message that says that nothing has happened.
const kindTest notify.Kind = "test"

// alertOptions are alert test's own flags.
type alertOptions struct{ severity, vendor, key string }

// alerted is what alert test prints as JSON.
type alerted struct {
	Topic         string         `json:"topic"`
	ID            string         `json:"id"` // of the message
	Severity      string         `json:"severity"`
	Subscriptions []subscription `json:"subscriptions"`
	Told          int            `json:"told"` // confirmed subscriptions whose filter lets the message through
	Notes         []string       `json:"notes,omitempty"`
}

// subscription is one endpoint, and whether it gets the message.
type subscription struct {
	Protocol string `json:"protocol"`
	Endpoint string `json:"endpoint"` // without what may be secret in a URL
	Gets     string `json:"gets"`     // "yes", "no" or "unknown"
	Why      string `json:"why,omitempty"`
}

func (a *app) alert() *cobra.Command {
	c := &cobra.Command{
		Use:   "alert COMMAND",
		Short: "The notifications, and who gets them",
		Long: `The notifications, and who gets them: those whom the keys' file names under
notifications, once they have confirmed their subscription.`,
		Example: `  keyturn alert test
  keyturn alert test --severity critical --key prod/mailer/sendgrid`,
	}
	c.AddCommand(a.alertTest())
	return parent(c)
}

func (a *app) alertTest() *cobra.Command {
	var o alertOptions
	c := &cobra.Command{
		Use:   "test",
		Short: "Send a test notification, and say who gets it",
		Long: `Send a notification that says it is a test, through the installation's own
topic, and say who is subscribed, who gets it, and who has not confirmed.

With --key it has that key's name, vendor and owner, so that subscriptions that
filter by them can be tried. It takes sns:Publish, sns:ListSubscriptionsByTopic
and sns:GetSubscriptionAttributes. The exit code is 1 if nobody gets it.`,
		Example: `  keyturn alert test
  keyturn alert test --severity critical --key prod/mailer/sendgrid`,
		Args: noArgs,
	}
	f := c.Flags()
	f.StringVar(&o.severity, "severity", string(notify.Info), "`LEVEL` of the message: info, warning or critical")
	f.StringVar(&o.vendor, "vendor", "", "`NAME` of a vendor in the message")
	f.StringVar(&o.key, "key", "", "`KEY` whose name, vendor and owner are in the message")
	a.awsFlags(c)
	return command(c, func(c *cobra.Command, _ []string) error { return a.runAlertTest(c.Context(), o) })
}

func (a *app) runAlertTest(ctx context.Context, o alertOptions) error {
	f, err := a.keysFile()
	if err != nil {
		return err
	}
	m, err := a.testMessage(f, o)
	if err != nil {
		return err
	}
	c, err := a.connect(ctx)
	if err != nil {
		return err
	}
	account, err := accountOf(ctx, c)
	if err != nil {
		return err
	}
	m.Time = c.clock.Now().UTC()
	arn := fmt.Sprintf("arn:%s:sns:%s:%s:%s-notifications", iam.Partition(c.cfg.Region), c.cfg.Region, account, f.Name)
	api := sns.NewFromConfig(c.cfg)
	answer := alerted{Topic: arn, ID: m.ID, Severity: string(m.Severity), Subscriptions: []subscription{}}
	if err := topic.New(api, arn).Notify(ctx, m); err != nil {
		return unpublished(ctx, err, arn)
	}
	if answer.Subscriptions, err = subscribed(ctx, api, arn, m); err != nil {
		answer.Notes = append(answer.Notes, "it was sent, and who is subscribed cannot be seen: "+cmp.Or(awserror.Code(err), "no answer from AWS"))
	}
	for _, s := range answer.Subscriptions {
		if s.Gets == "yes" {
			answer.Told++
		}
	}
	a.printAlerted(answer)
	if err != nil || !slices.ContainsFunc(answer.Subscriptions, func(s subscription) bool { return s.Gets != "no" }) {
		return exit(exitFailed)
	}
	return nil
}

// testMessage is the message, but for its time.
func (a *app) testMessage(f *keysfile.File, o alertOptions) (notify.Message, error) {
	m := notify.Message{
		Version: 1, ID: "test-" + uuid.NewString(), Kind: kindTest, Severity: notify.Severity(o.severity), Vendor: o.vendor, Owner: f.Defaults.Owner,
		Summary: "This is a test of the notifications: nothing has happened.",
		Known:   []string{"Somebody ran keyturn alert test."},
		Next:    []string{"Nothing. If you did not expect this, ask who looks after the keys."},
	}
	if !slices.Contains([]notify.Severity{notify.Info, notify.Warning, notify.Critical}, m.Severity) {
		return m, usage(fmt.Sprintf("there is no severity %q", o.severity), "it is info, warning or critical")
	}
	if o.vendor != "" && !slices.ContainsFunc(f.Keys, func(k keysfile.Key) bool { return f.VendorAccounts[k.VendorAccount].Provider == o.vendor }) {
		return m, usage(fmt.Sprintf("no key is of a vendor %q", o.vendor), "see which there are: keyturn status")
	}
	if o.key == "" {
		m.Secret = "(no key)"
		return m, nil
	}
	c, err := a.configuration()
	if err != nil {
		return m, err
	}
	k, err := a.key(c, o.key)
	if err != nil {
		return m, err
	}
	m.Secret, m.Vendor, m.Owner = k.Secret, cmp.Or(o.vendor, k.Vendor), k.Owner
	return m, nil
}

func unpublished(ctx context.Context, err error, arn string) error {
	e, ok := errors.AsType[*topic.Error](err)
	if !ok || ctx.Err() != nil {
		return described(ctx, err)
	}
	switch e.Code {
	case "NotFound", "NotFoundException":
		return failed(typeAWS, "the topic is not there: "+arn, "deploy it: make deploy", "check Region and account: aws sts get-caller-identity")
	case "AuthorizationError", "AccessDenied", "AccessDeniedException":
		return failed(typeAWS, "you may not publish to "+arn, "see who you are: aws sts get-caller-identity", "it takes sns:Publish on the topic, and its CMK")
	case "":
		return failed(typeUnclear, "whether the message was taken is not known: no answer from AWS", "look whether it has come, or send another")
	}
	return failed(typeAWS, "the message was not taken: "+e.Code, "try again")
}

// subscribed lists who is subscribed to the topic.
func subscribed(ctx context.Context, api *sns.Client, arn string, m notify.Message) ([]subscription, error) {
	out := []subscription{}
	pages := sns.NewListSubscriptionsByTopicPaginator(api, &sns.ListSubscriptionsByTopicInput{TopicArn: &arn})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return out, err
		}
		for _, s := range page.Subscriptions {
			protocol, whole := aws.ToString(s.Protocol), aws.ToString(s.Endpoint)
			one := subscription{Protocol: protocol, Endpoint: strings.TrimPrefix(preflight.Endpoint(protocol, whole), protocol+" ")}
			if id := aws.ToString(s.SubscriptionArn); strings.HasPrefix(id, "arn:") {
				one.Gets, one.Why = passes(ctx, api, id, m)
			} else {
				one.Gets, one.Why = "no", "not confirmed: follow the link in the message that AWS sent"
			}
			out = append(out, one)
		}
	}
	return out, nil
}

// passes says whether a subscription's filter policy lets the message through.
// https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html
func passes(ctx context.Context, api *sns.Client, id string, m notify.Message) (gets, why string) {
	out, err := api.GetSubscriptionAttributes(ctx, &sns.GetSubscriptionAttributesInput{SubscriptionArn: &id})
	if err != nil {
		return "unknown", "its filter policy cannot be seen: " + cmp.Or(awserror.Code(err), "no answer from AWS")
	}
	text := out.Attributes["FilterPolicy"]
	if text == "" {
		return "yes", ""
	}
	var policy map[string][]any
	if out.Attributes["FilterPolicyScope"] == "MessageBody" || json.Unmarshal([]byte(text), &policy) != nil {
		return "unknown", "its filter policy is not one of ours"
	}
	has := map[string]string{"kind": string(m.Kind), "severity": string(m.Severity), "vendor": m.Vendor, "key": m.Secret, "owner": m.Owner, "id": m.ID}
	for name, values := range policy {
		if slices.ContainsFunc(values, func(v any) bool { _, text := v.(string); return !text }) {
			return "unknown", "its filter policy is not one of ours"
		}
		if has[name] == "" || !slices.Contains(values, any(has[name])) {
			return "no", fmt.Sprintf("it filters by %s, and is told of %v only", name, values)
		}
	}
	return "yes", ""
}

func (a *app) printAlerted(answer alerted) {
	if a.flags.json {
		a.printJSON(answer)
		return
	}
	a.say("Sent to %s as %s, message %s.", answer.Topic, answer.Severity, answer.ID)
	for _, n := range answer.Notes {
		a.say("%s", console.Clean(n))
	}
	if len(answer.Subscriptions) == 0 {
		if len(answer.Notes) == 0 {
			a.say("Nobody is subscribed.")
		}
		return
	}
	styles := map[string]console.Style{"yes": console.Good, "no": console.Bad, "unknown": console.Warn}
	var t console.Table
	t.Row("PROTOCOL", "ENDPOINT", "GETS IT", "WHY NOT")
	for _, s := range answer.Subscriptions {
		t = append(t, []console.Cell{{Text: s.Protocol}, {Text: s.Endpoint}, {Text: s.Gets, Style: styles[s.Gets]}, {Text: s.Why}})
	}
	_, _ = fmt.Fprint(a.out, t.Render(a.palette(a.outTerminal)))
}

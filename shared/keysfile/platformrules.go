package keysfile

import (
	"fmt"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/shared/notify"
)

var (
	pathForm    = regexp.MustCompile(`^/([A-Za-z0-9_+=,.@/-]{1,510}/)?$`) // without wildcards and variables of policies
	prefixForm  = regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{0,32}$`)
	topicTarget = regexp.MustCompile(`^[A-Za-z0-9_.:-]+$`)
	slackID     = regexp.MustCompile(`^[A-Z0-9]{3,255}$`)
)

// maxFilter is how many combinations of values a filter policy may have.
// https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html
const maxFilter = 150

// retentions are the days that CloudWatch Logs offers.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
func retentions() []int {
	return []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}
}

// deployment checks how the functions are deployed.
func (c *check) deployment() {
	f := c.file.Functions
	if a, ok := parseARN(f.PermissionsBoundary); c.has("functions.permissionsBoundary") && (!ok || a.service != "iam" || !strings.HasPrefix(a.resource, "policy/")) {
		c.add("functions.permissionsBoundary", fmt.Sprintf("%q is no ARN of a managed policy", f.PermissionsBoundary), "write arn:aws:iam::111122223333:policy/NAME")
	}
	if !pathForm.MatchString(f.RolePath) {
		c.add("functions.rolePath", fmt.Sprintf("%q is no path", f.RolePath), "begin and end it with a slash: /keyturn/")
	}
	if !prefixForm.MatchString(f.RolePrefix) {
		c.add("functions.rolePrefix", fmt.Sprintf("%q is no beginning of a role's name", f.RolePrefix), "use up to 32 letters, digits and _+=,.@-, such as corp-")
	}
	if !slices.Contains(retentions(), f.LogRetentionDays) {
		c.add("functions.logRetentionDays", fmt.Sprintf("CloudWatch Logs does not offer %d days", f.LogRetentionDays), "write one of "+strings.Trim(fmt.Sprint(retentions()), "[]"))
	}
}

func (c *check) notifications() {
	n := c.file.Notifications
	c.subscriptions("notifications.subscriptions", n.Subscriptions)
	e, path := n.Escalation, "notifications.escalation"
	if e == nil {
		return
	}
	if e.After <= 0 {
		c.add(path+".after", "no time to acknowledge anything", "write 4h")
	}
	if len(e.Subscriptions) == 0 {
		c.add(path+".subscriptions", "nobody is told", "name who is, or leave escalation out")
	}
	c.subscriptions(path+".subscriptions", e.Subscriptions)
}

func (c *check) subscriptions(path string, list []Subscription) {
	keys, owners, vendors := c.known()
	severities := []string{string(notify.Info), string(notify.Warning), string(notify.Critical)}
	seen := map[string]int{}
	for i, s := range list {
		where := item(path, i)
		c.endpoint(where, s)
		c.alone(path, i, s, seen)
		c.each(where+".vendors", s.Vendors, among("vendor of a vendor account", vendors))
		c.each(where+".keys", s.Keys, among("key", keys))
		c.each(where+".owners", s.Owners, among("owner of a key", owners))
		c.each(where+".severities", s.Severities, among("severity", severities))
		product := 1
		for _, values := range [][]string{s.Vendors, s.Keys, s.Owners, s.Severities} {
			product *= min(max(len(values), 1), maxFilter+1)
		}
		if product > maxFilter {
			c.add(where, fmt.Sprintf("its filters have more than %d combinations, the most that Amazon SNS takes", maxFilter), "part it into several, or filter by owner or vendor")
		}
	}
}

// alone checks that SNS gets each endpoint of a topic once.
// https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html
func (c *check) alone(path string, i int, s Subscription, seen map[string]int) {
	to := s.Email + s.SQS + s.Lambda + s.HTTPS
	if s.Slack != nil {
		to = s.Slack.Workspace + "/" + s.Slack.Channel
	}
	if first, twice := seen[to]; twice && to != "" {
		c.add(item(path, i), fmt.Sprintf("the endpoint of %s again: a topic has one subscription for each", c.where(item(path, first))), "put their filters together")
	}
	seen[to] = i
}

// known returns the values that a message can have.
func (c *check) known() (keys, owners, vendors []string) {
	owners = []string{c.file.Defaults.Owner}
	for _, k := range c.file.Keys {
		keys, owners = append(keys, k.Name), append(owners, k.Owner)
	}
	for _, a := range c.file.VendorAccounts {
		vendors = append(vendors, a.Provider)
	}
	for _, list := range []*[]string{&keys, &owners, &vendors} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return keys, owners, vendors
}

func among(kind string, known []string) func(string) (what, hint string) {
	return func(s string) (what, hint string) {
		if slices.Contains(known, s) {
			return "", ""
		}
		return fmt.Sprintf("%q is no %s", s, kind), suggest(s, known)
	}
}

// endpoint checks that a subscription has one, and its form.
func (c *check) endpoint(path string, s Subscription) {
	var given []string
	for _, field := range []string{"email", "sqs", "lambda", "https", "slack"} {
		if c.has(path + "." + field) {
			given = append(given, field)
		}
	}
	if len(given) != 1 {
		what := "no endpoint"
		if len(given) > 1 {
			what = "more than one endpoint: " + strings.Join(given, " and ")
		}
		c.add(path, what, "write one of email, sqs, lambda, https and slack")
		return
	}
	where := path + "." + given[0]
	switch given[0] {
	case "email":
		if a, err := mail.ParseAddress(s.Email); err != nil || a.Address != s.Email {
			c.add(where, fmt.Sprintf("%q is no e-mail address", s.Email), "write mailer@example.com")
		}
	case "sqs":
		if strings.HasSuffix(s.SQS, ".fifo") {
			c.add(where, "a FIFO queue, which takes nothing of topics that are not", "name a standard queue")
		}
		c.target(where, s.SQS, "sqs", "arn:aws:sqs:eu-west-1:111122223333:NAME")
	case "lambda":
		c.target(where, s.Lambda, "lambda", "arn:aws:lambda:eu-west-1:111122223333:function:NAME")
	case "https":
		if u, err := url.Parse(s.HTTPS); err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
			c.add(where, "not a URL that begins with https, or one with a password in it", "write https://alerts.example.com/keyturn")
		}
	case "slack":
		c.slack(where, s.Slack)
	}
}

func (c *check) slack(path string, s *Slack) {
	if s == nil {
		return // told by the decoder
	}
	if !slackID.MatchString(s.Workspace) {
		c.add(path+".workspace", fmt.Sprintf("%q is no id of a workspace", s.Workspace), "write T0123ABCD")
	}
	if !slackID.MatchString(s.Channel) {
		c.add(path+".channel", fmt.Sprintf("%q is no id of a channel", s.Channel), "write C0123ABCD")
	}
}

func (c *check) target(path, s, service, like string) {
	a, ok := parseARN(s)
	name := strings.TrimPrefix(a.resource, "function:")
	isFunction := name != a.resource
	if !ok || a.service != service || a.region == "" || a.account == "" || isFunction != (service == "lambda") || !topicTarget.MatchString(name) {
		c.add(path, fmt.Sprintf("%q is no ARN of %s", s, service), "write "+like)
	}
}

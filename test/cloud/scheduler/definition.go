package scheduler

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

var (
	nameForm     = regexp.MustCompile(`^[0-9a-zA-Z_.-]{1,64}$`)
	roleForm     = regexp.MustCompile(`^arn:aws:iam::\d{12}:role/[\w+=,.@/-]+$`)
	targetForm   = regexp.MustCompile(`^arn:aws:[a-z0-9-]+:[a-z0-9-]*:(\d{12}|aws)?:.+$`)
	functionForm = regexp.MustCompile(`^arn:aws:lambda:[a-z0-9-]+:\d{12}:function:[a-zA-Z0-9-_]+(:[a-zA-Z0-9$_-]+)?$`)
)

// definition is what a caller says about a schedule.
type definition struct {
	ActionAfterCompletion      string
	Description                string `json:",omitempty"`
	EndDate                    *epoch `json:",omitempty"`
	FlexibleTimeWindow         *window
	KmsKeyArn                  string `json:",omitempty"`
	ScheduleExpression         string
	ScheduleExpressionTimezone string
	StartDate                  *epoch `json:",omitempty"`
	State                      string
	Target                     *target
}

type window struct {
	Mode                   string
	MaximumWindowInMinutes int `json:",omitempty"`
}

type target struct {
	Arn              string
	DeadLetterConfig *deadLetterConfig `json:",omitempty"`
	Input            *string           `json:",omitempty"`
	RetryPolicy      *retryPolicy
	RoleArn          string
}

type deadLetterConfig struct{ Arn string }

type retryPolicy struct{ MaximumEventAgeInSeconds, MaximumRetryAttempts *int }

// epoch is a time in seconds since 1970.
type epoch float64

func toEpoch(t time.Time) epoch { return epoch(float64(t.UnixMilli()) / 1000) }

func (e *epoch) time() time.Time {
	if e == nil {
		return time.Time{}
	}
	return time.UnixMilli(int64(*e * 1000)).UTC()
}

func checkName(field, name string) error {
	if !nameForm.MatchString(name) {
		return constraint(field, name, "Member must have length between 1 and 64 and satisfy regular expression pattern: ^[0-9a-zA-Z-_.]+$")
	}
	return nil
}

func constraint(field, value, rule string) error {
	return invalid(fmt.Sprintf("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: %s", value, field, rule))
}

// complete checks d, fills in the defaults, and returns when to fire.
func (d *definition) complete(c *wire.Call) (plan, error) {
	for _, f := range []struct {
		field string
		value *string
		of    []string // the first is the default
	}{
		{"state", &d.State, []string{"ENABLED", "DISABLED"}},
		{"actionAfterCompletion", &d.ActionAfterCompletion, []string{"NONE", "DELETE"}},
	} {
		if *f.value == "" {
			*f.value = f.of[0]
		}
		if !slices.Contains(f.of, *f.value) {
			return plan{}, constraint(f.field, *f.value, fmt.Sprintf("Member must satisfy enum value set: %v", f.of))
		}
	}
	if err := d.FlexibleTimeWindow.check(); err != nil {
		return plan{}, err
	}
	p, err := d.plan(c)
	if err != nil {
		return plan{}, err
	}
	return p, d.Target.complete(c)
}

func (w *window) check() error {
	switch {
	case w == nil:
		return constraint("flexibleTimeWindow", "null", "Member must not be null")
	case w.Mode == "OFF" && w.MaximumWindowInMinutes == 0:
		return nil
	case w.Mode == "FLEXIBLE" && w.MaximumWindowInMinutes >= 1 && w.MaximumWindowInMinutes <= 1440:
		return nil
	default:
		return invalid("A flexible time window is OFF without minutes, or FLEXIBLE with 1 to 1440.")
	}
}

func (d *definition) plan(c *wire.Call) (plan, error) {
	if d.ScheduleExpressionTimezone == "" {
		d.ScheduleExpressionTimezone = "UTC"
	}
	zone, err := time.LoadLocation(d.ScheduleExpressionTimezone)
	if err != nil || d.ScheduleExpressionTimezone == "Local" {
		return plan{}, invalid("Invalid Schedule Expression Timezone " + d.ScheduleExpressionTimezone + ".")
	}
	if isCron(d.ScheduleExpression) {
		not := *c
		not.Operation += " with a cron expression"
		return plan{}, wire.NotImplemented(&not)
	}
	p, ok := parseExpression(d.ScheduleExpression, zone)
	if !ok {
		return plan{}, invalid("Invalid Schedule Expression " + d.ScheduleExpression + ".")
	}
	if p.every > 0 {
		p.start, p.end = d.StartDate.time(), d.EndDate.time()
		if !p.end.IsZero() && !p.start.Before(p.end) {
			return plan{}, invalid("The end date must be after the start date.")
		}
	}
	return p, nil
}

// complete checks t and fills in the defaults of
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_RetryPolicy.html.
func (t *target) complete(c *wire.Call) error {
	switch {
	case t == nil:
		return constraint("target", "null", "Member must not be null")
	case !roleForm.MatchString(t.RoleArn):
		return constraint("target.roleArn", t.RoleArn, "Member must satisfy regular expression pattern")
	case !targetForm.MatchString(t.Arn):
		return invalid("Provided Arn is not in correct format.")
	case !functionForm.MatchString(t.Arn):
		not := *c
		not.Operation += " with a target that is not a function"
		return wire.NotImplemented(&not)
	case t.Input != nil && !json.Valid([]byte(*t.Input)):
		return invalid("The input of a function must be JSON.")
	case t.DeadLetterConfig != nil && !regexp.MustCompile(`^arn:aws:sqs:[a-z0-9-]+:\d{12}:[a-zA-Z0-9_-]+$`).MatchString(t.DeadLetterConfig.Arn):
		return constraint("target.deadLetterConfig.arn", t.DeadLetterConfig.Arn, "Member must satisfy regular expression pattern")
	}
	if t.RetryPolicy == nil {
		t.RetryPolicy = &retryPolicy{}
	}
	for _, n := range []struct {
		field        string
		value        **int
		min, max, is int
	}{
		{"maximumEventAgeInSeconds", &t.RetryPolicy.MaximumEventAgeInSeconds, 60, 86400, 86400},
		{"maximumRetryAttempts", &t.RetryPolicy.MaximumRetryAttempts, 0, 185, 185},
	} {
		if *n.value == nil {
			*n.value = new(n.is)
		}
		if v := **n.value; v < n.min || v > n.max {
			return constraint("target.retryPolicy."+n.field, strconv.Itoa(v), fmt.Sprintf("Member must be between %d and %d", n.min, n.max))
		}
	}
	return nil
}

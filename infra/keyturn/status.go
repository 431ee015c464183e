package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyturn/keyturn/infra/keyturn/internal/status"
	"github.com/keyturn/keyturn/shared/config"
)

// statusAnswer is what status prints as JSON.
type statusAnswer struct {
	Time     time.Time    `json:"time"` // AWS's
	Keys     []status.Key `json:"keys"`
	Overdue  int          `json:"overdue"`
	Problems int          `json:"problems"` // keys that could not be read whole
}

func (a *app) status() *cobra.Command {
	var overdue bool
	c := &cobra.Command{
		Use:   "status [KEY]",
		Short: "How the keys are: age, next rotation, older keys, what is late",
		Long: `How the keys are, or one of them at length: age, last and next rotation,
what is under way, older keys that still work and why, the last error, and what
comes next. KEY is a secret's name or ARN.

It reads no value: it needs secretsmanager:DescribeSecret, dynamodb:Query on the
records, and the configuration file. A key that cannot be read is reported, and
the others are shown; the exit code is then 1.

With --overdue only keys that are late are shown: the exit code is 1 if there is
one, and 0 if there is none. Something is late an hour after it was due.`,
		Example: `  keyturn status
  keyturn status --overdue --json`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return oneKey(c, args)
		},
		ValidArgsFunction: a.completeKeys,
	}
	c.Flags().BoolVar(&overdue, "overdue", false, "only what is late; exit code 1 if there is any")
	a.awsFlags(c)
	a.tableFlag(c)
	return command(c, func(c *cobra.Command, args []string) error { return a.runStatus(c.Context(), args, overdue) })
}

func (a *app) runStatus(ctx context.Context, args []string, onlyOverdue bool) error {
	keys, err := a.selected(args)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		a.nothing("", "the configuration has no keys")
		return exit(exitNothing)
	}
	aws, err := a.connect(ctx)
	if err != nil {
		return err
	}
	all := status.Reader{Secrets: aws.secrets(), Records: a.records(aws), Now: aws.clock.Now}.Read(ctx, keys)
	if err := ctx.Err(); err != nil {
		return err
	}
	answer := summary(all, aws.clock.Now(), onlyOverdue)
	a.printStatus(answer, len(args) == 1, len(all))
	if broken := aws.unreachable(); broken != nil && answer.Problems == len(all) && !a.flags.json {
		a.printFailure(failed(typeAWS, "AWS cannot be reached: "+broken.Error(), awsAdvice("")...))
	}
	if answer.Problems > 0 || onlyOverdue && answer.Overdue > 0 {
		return exit(exitFailed)
	}
	return nil
}

// selected returns the key that args name, or all.
func (a *app) selected(args []string) ([]config.Key, error) {
	cfg, err := a.configuration()
	if err != nil {
		return nil, err
	}
	if len(args) == 0 {
		return cfg.Keys(), nil
	}
	k, err := a.key(cfg, args[0])
	return []config.Key{k}, err
}

func summary(all []status.Key, now time.Time, onlyOverdue bool) statusAnswer {
	answer := statusAnswer{Time: now, Keys: []status.Key{}}
	for _, k := range all {
		if len(k.Overdue) > 0 {
			answer.Overdue++
		}
		if k.Problem != "" {
			answer.Problems++
		}
		if !onlyOverdue || len(k.Overdue) > 0 || k.Problem != "" {
			answer.Keys = append(answer.Keys, k)
		}
	}
	return answer
}

func (a *app) printStatus(answer statusAnswer, one bool, looked int) {
	p := a.palette(a.outTerminal)
	switch {
	case a.flags.json:
		a.printJSON(answer)
	case one && len(answer.Keys) == 1:
		_, _ = fmt.Fprint(a.out, status.Whole(answer.Keys[0], answer.Time, p))
	case len(answer.Keys) == 0:
		a.say("nothing is late, of %d", looked)
	default:
		_, _ = fmt.Fprint(a.out, status.List(answer.Keys, answer.Time, p))
	}
}

// nothing says that there was nothing to do.
func (a *app) nothing(key, why string) {
	if a.flags.json {
		a.printJSON(struct {
			Key    string `json:"key,omitempty"`
			Status string `json:"status"`
			What   string `json:"what"`
		}{key, "nothing_to_do", why})
		return
	}
	a.say("nothing to do: %s", why)
}

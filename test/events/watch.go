package events

import (
	"context"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/function/audit"
	"github.com/keyturn/keyturn/shared/function/chat"
	"github.com/keyturn/keyturn/shared/function/review"
	"github.com/keyturn/keyturn/test/cloud/iam"
	"github.com/keyturn/keyturn/test/cloud/wire"
	"github.com/keyturn/keyturn/test/stack"
)

// HoneyToken is a secret of the samples that nobody reads in peace.
const HoneyToken = "prod/backup/root"

// minute is when all is that the samples for the audit function tell of.
const minute = "2026-11-24T09:00:"

// trailQueue is the sample with records of calls.
const trailQueue = "trail-queue"

// Watch returns what [stack.Options].Watch is for a function's samples: nil for the
// functions that work without a ledger.
func Watch(function string) *stack.Watch {
	if function != audit.Name && function != review.Name {
		return nil
	}
	return &stack.Watch{HoneyToken: HoneyToken, Deployers: []string{"arn:aws:iam::" + wire.Account + ":role/deployer"}, Review: function == review.Name}
}

// Channels returns what [stack.Options].Channels is for a function's samples: nil for
// all but the one that writes to chats.
func Channels(function string) map[string]string {
	if function != chat.Name {
		return nil
	}
	return map[string]string{channel: ""}
}

// channel is the alias of the samples' chat channel.
const channel = "csample"

// watched brings a deployment with a Watch into the state that a sample speaks of:
// there are reads of an hour that is over, to be sealed or reviewed, and roles that
// may read. The function has handled what the deployment
// itself did.
func watched(ctx context.Context, s *stack.Stack, function, sample string) error {
	s.Cut()
	for range 20 { // what the deployment itself did is on its way
		if err := settle(ctx); err != nil || s.Drained() {
			break
		}
	}
	all := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"*"}]}`
	s.Region.IAM.Set(iam.Account{Roles: []iam.Role{
		{Rights: iam.Rights{Name: "app", Inline: map[string]string{"all": all}}}, {Rights: iam.Rights{Name: "forgotten", Inline: map[string]string{"all": all}}},
	}})
	const hours = 5 * time.Hour // longer than an hour stays open
	switch function + "/" + sample {
	case audit.Name + "/" + audit.TaskSeal:
		return sent(send(ctx, s, audit.Name, trailQueue, hours))
	case review.Name + "/" + review.Task:
		if err := sent(send(ctx, s, audit.Name, trailQueue, hours)); err != nil {
			return err
		}
		return s.Task(ctx, audit.TaskSeal)
	}
	return nil
}

// dated moves what a sample tells of to the minute that now is in.
func dated(event string, now time.Time) string {
	return strings.ReplaceAll(event, minute, now.UTC().Format("2006-01-02T15:04:"))
}

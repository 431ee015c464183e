package own

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Resource is something in the account.
type Resource struct {
	Kind, Name string
	ID         string // ARN, URL or what else its kind is removed by
	Tags       map[string]string
}

// Sweeper removes what runs left. Say is required.
type Sweeper struct {
	Config aws.Config
	// Only is the name of a run; "": of all runs.
	Only string
	Say  func(format string, args ...any)
}

// kind is a service's list and how one of it is removed. A list may hold what is
// not ours: [Run] decides.
type kind struct {
	name   string
	list   func(context.Context) ([]Resource, error)
	remove func(context.Context, Resource) error
}

// kinds are in the order in which they are removed: stacks first, which takes
// most of the rest with it.
func (s *Sweeper) kinds() []kind {
	return []kind{
		{"stack", s.stacks, s.removeStack},
		{"secret", s.secrets, s.removeSecret},
		{"function", s.functions, s.removeFunction},
		{"rule", s.rules, s.removeRule},
		{"schedule group", s.groups, s.removeGroup},
		{"queue", s.queues, s.removeQueue},
		{"table", s.tables, s.removeTable},
		{"log group", s.logGroups, s.removeLogGroup},
		{"encryption key", s.cmks, s.removeCMK},
		{"user", s.users, s.removeUser},
		{"role", s.roles, s.removeRole},
	}
}

// Sweep removes all that [Run] says is of the run. It goes on after an error, and
// returns all of them.
func (s *Sweeper) Sweep(ctx context.Context) error {
	var failed []error
	for _, k := range s.kinds() {
		failed = append(failed, s.sweep(ctx, k))
	}
	return errors.Join(failed...)
}

func (s *Sweeper) sweep(ctx context.Context, k kind) error {
	all, err := k.list(ctx)
	if err != nil {
		return fmt.Errorf("list every %s: %w", k.name, err)
	}
	var failed []error
	for _, r := range s.mine(all) {
		if err := k.remove(ctx, r); err != nil {
			failed = append(failed, fmt.Errorf("remove the %s %s: %w", k.name, r.Name, err))
			continue
		}
		s.Say("removed the %s %s", k.name, r.Name)
	}
	return errors.Join(failed...)
}

// mine are those of the run, in the order in which stacks depend on each other.
func (s *Sweeper) mine(all []Resource) []Resource {
	own := slices.DeleteFunc(slices.Clone(all), func(r Resource) bool {
		run := Run(r.Name, r.Tags)
		return run == "" || s.Only != "" && run != s.Only
	})
	slices.SortStableFunc(own, func(a, b Resource) int { return rank(a.Name) - rank(b.Name) })
	return own
}

// rank of a stack: who depends on others goes before them.
func rank(name string) int {
	for i, part := range []string{"-watch", "-schedules-", "-keys-", "-vendor-", "-platform", "-retained"} {
		if strings.Contains(name, part) {
			return i
		}
	}
	return 0
}

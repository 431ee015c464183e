package stack

import (
	"context"
	"maps"
	"slices"

	"github.com/keyturn/keyturn/shared/function/audit"
	"github.com/keyturn/keyturn/shared/function/retire"
	"github.com/keyturn/keyturn/shared/function/rotate"
	"github.com/keyturn/keyturn/shared/function/rotatenow"
)

// Redeploy replaces the functions by the same code with the configuration as it is
// now: see Configure in [Options], and Know in [Watch]. Secrets, tables and queues stay.
func (s *Stack) Redeploy(ctx context.Context) error {
	if err := s.function(ctx, RotateNow, rotatenow.Name, "", rotatenow.Open, rotatenow.Needs()); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(s.opt.Accounts)) {
		if err := s.function(ctx, Rotate(name), rotate.Name, name, rotate.Open, rotate.Needs()); err != nil {
			return err
		}
		if err := s.function(ctx, Retire(name), retire.Name, name, retire.Open, retire.Needs()); err != nil {
			return err
		}
	}
	if s.opt.Watch == nil {
		return nil
	}
	return s.function(ctx, Auditor, audit.Name, "", audit.Open, audit.Needs())
}

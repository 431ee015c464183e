package rotatenow

import (
	"slices"
	"strings"

	"github.com/keyturn/keyturn/shared/rotation"
)

// Alias is the alias of the function that is for the mode; "" for one that is
// not known. IAM cannot see a payload, so people have rights to aliases.
func (m Mode) Alias() string {
	switch m {
	case Rotate, Plan, Emergency:
		return string(m)
	case Pause, Resume, Ack:
		return "control"
	}
	return ""
}

// CheckAlias refuses a request by an alias that is for another mode: without
// this a right to one would be a right to all. The ARN is the one that the
// function was invoked by; without an alias, or with one of somebody's own, it
// admits every mode, and no policy of ours gives a right to that.
func (q Request) CheckAlias(functionARN string) error {
	parts := strings.Split(functionARN, ":")
	if len(parts) != 8 {
		return nil
	}
	alias := parts[7]
	ours := slices.ContainsFunc([]Mode{Rotate, Plan, Pause, Emergency}, func(m Mode) bool { return m.Alias() == alias })
	if !ours || q.Mode.Alias() == alias {
		return nil
	}
	return fail(rotation.BadEvent, "the alias "+alias+" is not for mode "+string(q.Mode), nil, "invoke the alias "+q.Mode.Alias()+", if you have a right to it")
}

package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/keyturn/keyturn/shared/keysfile"
)

// place is the environment that a command works in. The zero place is any: the
// file names none.
type place struct {
	keysfile.Environment

	name string
}

// place returns the environment that is meant.
func (a *app) place() (place, error) {
	name := a.setting(a.flags.environment, "KEYTURN_ENVIRONMENT", "")
	var all map[string]keysfile.Environment
	if path := a.source(); !isJSON(path) {
		f, err := a.keysFile()
		if err != nil {
			return place{}, err
		}
		all = f.Environments
	}
	return choose(name, all)
}

func choose(name string, all map[string]keysfile.Environment) (place, error) {
	known := slices.Sorted(maps.Keys(all))
	switch e, ok := all[name]; {
	case ok:
		return place{e, name}, nil
	case name == "" && len(known) == 0:
		return place{}, nil
	case name == "" && len(known) == 1:
		return place{all[known[0]], known[0]}, nil
	case name == "":
		return place{}, usage("which environment?", "say which: --environment "+strings.Join(known, ", or --environment "))
	case len(known) == 0:
		return place{}, usage(fmt.Sprintf("there is no environment %q: the configuration names none", name), "name it in the keys' file: environments")
	}
	return place{}, usage(fmt.Sprintf("there is no environment %q", name), "known are "+strings.Join(known, ", "))
}

// replicas returns how many Regions the secrets are replicated to. Which
// environment is meant is asked only if that makes a difference.
func (a *app) replicas(f *keysfile.File) (int, error) {
	seen := map[int]bool{}
	for _, e := range f.Environments {
		seen[len(e.Replicas)] = true
	}
	name := a.setting(a.flags.environment, "KEYTURN_ENVIRONMENT", "")
	if name == "" && len(seen) == 1 {
		for n := range seen {
			return n, nil
		}
	}
	e, err := choose(name, f.Environments)
	return len(e.Replicas), err
}

// guard refuses credentials of another account, and another Region.
func (p place) guard(ctx context.Context, cfg aws.Config) error {
	if p.name == "" {
		return nil
	}
	if cfg.Region != p.Region {
		return failed(typePlace, fmt.Sprintf("the environment %s is in %s, and the Region is %s", p.name, p.Region, cfg.Region),
			"choose the Region: --region "+p.Region, "choose the environment: --environment NAME")
	}
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, nil)
	if err != nil {
		return described(ctx, fmt.Errorf("whose credentials these are cannot be seen: %w", err))
	}
	if account := aws.ToString(who.Account); account != p.Account {
		return failed(typePlace, fmt.Sprintf("the environment %s is the account %s, and the credentials are of %s", p.name, p.Account, account),
			"choose a profile: --profile NAME, or AWS_PROFILE", "choose the environment: --environment NAME")
	}
	return nil
}

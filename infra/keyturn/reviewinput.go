package main

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/keyturn/keyturn/shared/catalog"
	"github.com/keyturn/keyturn/shared/detect/keysite"
	"github.com/keyturn/keyturn/shared/keysfile"
	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/review"
	"github.com/keyturn/keyturn/shared/review/gather"
)

func (a *app) savedReview(r reviewFlags, at time.Time) (review.Input, error) {
	if at.IsZero() {
		at = time.Now()
	}
	in, err := gather.Saved(r.from, at)
	if err != nil {
		return in, failed("File", err.Error(), "see how the files are made: keyturn review --help")
	}
	if a.flags.config != "" {
		err = a.declaredTo(&in)
	}
	return in, err
}

// liveReview asks AWS.
func (a *app) liveReview(ctx context.Context, r reviewFlags) (review.Input, error) {
	declared := a.declares()
	if !declared {
		a.file = &keysfile.File{} // it names no place: that of the credentials is meant
	}
	c, err := a.connect(ctx)
	if err != nil {
		return review.Input{}, err
	}
	who, err := sts.NewFromConfig(c.cfg).GetCallerIdentity(ctx, nil)
	if err != nil {
		return review.Input{}, described(ctx, err)
	}
	g := gather.Open(c.cfg, aws.ToString(who.Account))
	g.Now = c.clock.Now
	if declared {
		if err := a.declare(g); err != nil {
			return review.Input{}, err
		}
	}
	g.Records = a.records(c).table // its errors say the code
	g.Limit = vendorLimit
	if r.ledger != "" {
		v, err := a.verifier(r.ledgerFlags)
		if err != nil {
			return review.Input{}, err
		}
		store, end, err := a.openLedger(ctx, r.ledger)
		if err != nil {
			return review.Input{}, err
		}
		defer end()
		g.Ledger = &gather.Ledger{Objects: store, Newest: func(ctx context.Context) (ledger.Checkpoint, error) { return ledger.Latest(ctx, store, v) }}
	}
	in, err := g.Gather(ctx)
	if err != nil {
		return in, failed(typeStopped, "interrupted")
	}
	return in, nil
}

// declares reports whether there is a configuration, or should be one.
func (a *app) declares() bool {
	_, err := os.Stat(a.source())
	return !errors.Is(err, fs.ErrNotExist) || a.setting(a.flags.config, "KEYTURN_CONFIG", "") != ""
}

// declare tells g what the configuration says.
func (a *app) declare(g *gather.Gatherer) error {
	cfg, err := a.configuration()
	if err != nil {
		return err
	}
	g.Keys = cfg.Keys()
	if a.file != nil {
		g.Site = keysite.Site(a.file, g.Account, g.Region)
	}
	return nil
}

func vendorLimit(vendor string) string {
	d, _ := catalog.Get(vendor)
	return d.Limit
}

// declaredTo adds what the keys' file says.
func (a *app) declaredTo(in *review.Input) error {
	f, err := a.keysFile()
	if err != nil {
		return err
	}
	name := a.setting(a.flags.environment, "KEYTURN_ENVIRONMENT", "")
	for _, n := range slices.Sorted(maps.Keys(f.Environments)) {
		if e := f.Environments[n]; name == "" && e.Account == in.Account && e.Region == in.Region {
			name = n
		}
	}
	env, ok := f.Environments[name]
	if !ok || in.Account != "" && (env.Account != in.Account || env.Region != in.Region) {
		return failed(typePlace, "the keys' file has no such environment for account "+in.Account+" in "+in.Region, "--environment NAME, or leave out --config")
	}
	in.OwnRoles = keysite.Site(f, env.Account, env.Region).Roles
	for _, k := range f.Keys {
		i := slices.IndexFunc(in.Secrets, func(s review.Secret) bool { return s.Name == k.Name })
		if i < 0 {
			in.Missing = append(in.Missing, k.Name+" is in the keys' file and not in secrets.json: it was not reviewed.")
			continue
		}
		in.Secrets[i].Owner, in.Secrets[i].Tier = k.Owner, k.Tier
	}
	return nil
}

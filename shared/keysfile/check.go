package keysfile

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/provider"
)

// Bounds of one installation.
const (
	maxKeys        = 10_000
	maxOfAccount   = 1_000 // keys of one vendor account
	maxOfShard     = 120   // keys of one stack: 4 resources each, of CloudFormation's 500
	maxShards      = 200
	maxName        = 20
	maxRole        = 64 // characters of the name of a role, and of a function
	longestRole    = "-rotate-"
	notMore        = "declare the others in a second installation, with a name and keys of its own"
	nameHint       = "use small letters, digits and hyphens, a letter first"
	deadLetters    = "-dlq"
	tagMax, tagKey = 255, 127
)

// check holds the rules that a schema cannot say.
type check struct {
	*problems
	file      *File
	vendors   []provider.Definition
	now       time.Time
	schedules map[string]read // of expressions that have been read
}

type read struct {
	schedule Schedule
	err      error
}

func (c *check) all() {
	c.whole()
	c.environments()
	c.policy()
	c.freezes()
	for _, name := range slices.Sorted(maps.Keys(c.file.VendorAccounts)) {
		c.vendorAccount(name, c.file.VendorAccounts[name])
	}
	c.once()
	c.names()
	for i := range c.file.Keys {
		c.key(item("keys", i), &c.file.Keys[i])
	}
	c.sizes()
	c.notifications()
	c.access()
	c.deployment()
	c.audit()
	c.detect()
	c.functions()
}

var nameForm = regexp.MustCompile(`^[a-z]([a-z0-9-]*[a-z0-9])?$`)

// whole checks what is about the installation.
func (c *check) whole() {
	f := c.file
	if f.Version != Version {
		c.add("version", fmt.Sprintf("%d is no version that this program knows", f.Version), "write 1")
	}
	switch {
	case !nameForm.MatchString(f.Name):
		c.add("name", fmt.Sprintf("%q is no name for an installation", f.Name), nameHint)
	case len(f.Name) > maxName:
		c.add("name", fmt.Sprintf("%q is longer than %d characters", f.Name, maxName), "shorten it: the names of roles begin with it")
	}
	if f.Shards < 1 || f.Shards > maxShards {
		c.add("shards", fmt.Sprintf("%d shards", f.Shards), fmt.Sprintf("write 1 to %d", maxShards))
	}
	if !c.has("defaults.owner") {
		c.add("defaults", "no owner of what no key owns, such as topics and alarms", "write defaults: {owner: platform@example.com}")
	}
	c.owner("defaults.owner", f.Defaults.Owner)
	c.tier("defaults.tier", f.Defaults.Tier)
	c.schedule("defaults.schedule", f.Defaults.Schedule)
}

func (c *check) environments() {
	for name, e := range c.file.Environments {
		path := entry("environments", name)
		if !nameForm.MatchString(name) {
			c.add(path, fmt.Sprintf("%q is no name for an environment", name), nameHint)
		}
		if !accountForm.MatchString(e.Account) {
			c.add(path+".account", fmt.Sprintf("%q is no AWS account", e.Account), `write its 12 digits in quotes: "111122223333"`)
		}
		if !regionForm.MatchString(e.Region) {
			c.add(path+".region", fmt.Sprintf("%q is no Region", e.Region), "write eu-west-1")
		}
		c.each(path+".replicas", e.Replicas, func(r string) (what, hint string) {
			switch {
			case !regionForm.MatchString(r):
				return fmt.Sprintf("%q is no Region", r), "write eu-west-1"
			case r == e.Region:
				return fmt.Sprintf("%q is the Region itself", r), "leave it out: replicas are in others"
			case iam.Partition(r) != iam.Partition(e.Region):
				return fmt.Sprintf("%q is not in the partition of %s", r, e.Region), "replicate to a Region of " + iam.Partition(e.Region)
			}
			return "", ""
		})
	}
}

func (c *check) freezes() {
	for i, z := range c.file.Freeze {
		path := item("freeze", i)
		c.reason(path, z.Reason)
		for j, t := range z.Tiers {
			c.tier(item(path+".tiers", j), t)
		}
		if c.reported(path+".from") || c.reported(path+".to") {
			continue
		}
		switch {
		case z.To.Before(z.From.Time):
			c.add(path+".to", fmt.Sprintf("the freeze ends on %s, before it begins on %s", z.To, z.From), "write the last day, not before the first")
		case z.To.After(c.now.AddDate(5, 0, 0)):
			c.add(path+".to", fmt.Sprintf("the freeze ends on %s, which is more than 5 years away", z.To), "look at the year")
		default:
			c.freezeFits(path, z)
		}
	}
}

// freezeFits checks that no key gets older than the policy admits.
func (c *check) freezeFits(path string, z Freeze) {
	length := Duration(z.To.Sub(z.From.Time) + day)
	for tier, age := range c.file.Policy.MaxAge {
		if frozen := len(z.Tiers) == 0 || slices.Contains(z.Tiers, tier); frozen && age > 0 && length > age {
			c.add(path+".to", fmt.Sprintf("a freeze of %s is longer than the policy's %s between rotations of tier %d", length, age, tier), "make it shorter, or leave the tier out")
		}
	}
}

// names checks what keys are called.
func (c *check) names() {
	seen := map[string]string{}
	for i, k := range c.file.Keys {
		path := item("keys", i) + ".name"
		if c.reported(path) {
			continue
		}
		first, twice := seen[k.Name]
		switch {
		case !secretName.MatchString(k.Name):
			c.unreadable(path, fmt.Sprintf("%q is no name for a secret", k.Name), "use 1 to 512 letters, digits and /_+=.@-; a name, not an ARN")
		case endsLikeARN.MatchString(k.Name) && !k.Existing:
			c.unreadable(path, fmt.Sprintf("%q ends with a hyphen and six characters, as the ARNs of secrets do", k.Name), "choose another name: Secrets Manager would mistake it for a part of an ARN")
		case c.reserved(k.Name):
			c.unreadable(path, fmt.Sprintf("%q is the name of a secret that the deployment makes for itself", k.Name), "choose another name")
		case twice:
			c.unreadable(path, fmt.Sprintf("%q is declared in %s too", k.Name, c.where(first)), "keep one of the two")
		default:
			seen[k.Name] = path
		}
	}
}

// reserved reports whether a secret of this name is the installation's own: the key of
// the fingerprints, and the canary.
func (c *check) reserved(secret string) bool {
	return secret == c.file.Name+"/fingerprint-key" || secret == c.file.Name+"/"+canarySecret
}

// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
var (
	secretName  = regexp.MustCompile(`^[A-Za-z0-9/_+=.@-]{1,512}$`)
	endsLikeARN = regexp.MustCompile(`-[A-Za-z0-9/_+=.@]{6}$`)
)

// sizes checks that all of it can be deployed.
func (c *check) sizes() {
	f := c.file
	if n := len(f.Keys); n > maxKeys {
		c.add("keys", fmt.Sprintf("%d keys are more than the %d of one installation", n, maxKeys), notMore)
	}
	accounts, shards := map[string]int{}, map[int]int{}
	for _, k := range f.Keys {
		accounts[k.VendorAccount]++
		shards[Shard(k.Name, f.Shards)]++
	}
	for name, n := range accounts {
		if _, ok := f.VendorAccounts[name]; ok && n > maxOfAccount {
			c.add(entry("vendorAccounts", name), fmt.Sprintf("%d keys are more than the %d of one vendor account", n, maxOfAccount),
				"declare a second vendor account, which may have the same admin secret, and part the keys among them")
		}
	}
	if most := slices.Max(append(slices.Collect(maps.Values(shards)), 0)); most > maxOfShard && f.Shards >= 1 && f.Shards <= maxShards {
		c.add("shards", fmt.Sprintf("with %d shards a stack has %d keys, and CloudFormation has room for %d", f.Shards, most, maxOfShard),
			"write more shards before the first deployment; after it, "+notMore)
	}
}

// functions lets the functions' own reader look at what it will be given. It
// knows the rules of vendors, settings, values and graces.
func (c *check) functions() {
	index := map[string]int{}
	part := *c.file
	part.Keys, part.Freeze = nil, nil // of freezes all is known
	for i, k := range c.file.Keys {
		if !c.reported(item("keys", i) + ".name") {
			index[k.Name] = i
			part.Keys = append(part.Keys, k)
		}
	}
	_, err := config.Parse(part.Config(""), c.vendors)
	e, ok := errors.AsType[*config.Error](err)
	if !ok {
		return
	}
	for _, p := range e.Problems {
		path, shown := ours(p.Path, index)
		path = c.cause(path, shown)
		what := p.What
		if shown != "" {
			what = shown + ": " + what
		}
		c.add(path, what, p.Hint)
	}
}

// cause returns the path of what is to be changed: the defaults, where a value
// is inherited, and max where it is shorter than a min that nobody wrote.
func (c *check) cause(path, shown string) string {
	if shown == "grace.min" && !c.has(path) {
		path, shown = strings.TrimSuffix(path, "min")+"max", "grace.max"
	}
	if above := "defaults." + shown; !c.has(path) && c.has(above) {
		return above
	}
	return path
}

// ours turns a path of the functions' configuration into one of the files, and
// what of it to show to somebody who is led to the line.
func ours(path string, keys map[string]int) (mine, shown string) {
	rest, ok := strings.CutPrefix(path, "keys[")
	if !ok {
		_, shown, _ = strings.Cut(path, "].")
		return path, shown
	}
	quoted, err := strconv.QuotedPrefix(rest)
	if err != nil {
		return path, path
	}
	name, err := strconv.Unquote(quoted)
	if err != nil {
		return path, path
	}
	tail := strings.TrimPrefix(rest[len(quoted):], "]")
	return item("keys", keys[name]) + tail, strings.TrimPrefix(tail, ".")
}

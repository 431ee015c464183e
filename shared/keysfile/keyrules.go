package keysfile

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/cadence"
	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/provider"
)

// tagForm is what the values of tags may hold.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_TagResource.html
var tagForm = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+@-]*$`)

const (
	maxTags  = 40 // of 50, for Keyturn has its own
	tagHint  = "use letters, digits, spaces and _.:/=+-@"
	tierHint = "write 1 (the most critical) to 4"
)

// key checks one key, beside what the functions' reader checks.
func (c *check) key(path string, k *Key) {
	c.owner(path+".owner", k.Owner)
	c.tier(path+".tier", k.Tier)
	c.tags(path, k)
	c.exception(path, k)
	c.reach(path, k)
	c.honeytoken(path, k)
	s, ok := c.schedule(c.written(path, "schedule"), k.Schedule)
	if !ok {
		return
	}
	window := time.Duration(k.Window)
	if what, hint := checkWindow(s, window); what != "" {
		c.add(c.nearest(path, "window", "schedule"), what, hint)
		return
	}
	c.ages(path, k, s)
	if deployed := c.read(c.file.Expression(*k)); deployed.err == nil {
		c.grace(path, k, deployed.schedule)
	}
}

// written returns the path where a key's field is written: its own, or that of
// the defaults, or the key itself.
func (c *check) written(path, field string) string {
	if own := path + "." + field; c.has(own) {
		return own
	}
	if above := "defaults." + field; c.has(above) {
		return above
	}
	return path
}

// nearest returns the first of some fields that the key itself has, or else
// where the first of them is written.
func (c *check) nearest(path string, fields ...string) string {
	for _, f := range fields {
		if c.has(path + "." + f) {
			return path + "." + f
		}
	}
	return c.written(path, fields[0])
}

func (c *check) read(expression string) read {
	r, ok := c.schedules[expression]
	if !ok {
		r.schedule, r.err = ParseSchedule(expression)
		c.schedules[expression] = r
	}
	return r
}

func (c *check) schedule(path, expression string) (Schedule, bool) {
	r := c.read(expression)
	if e, bad := errors.AsType[*cadence.Error](r.err); bad {
		c.add(path, e.What, e.Hint)
	}
	return r.schedule, r.err == nil && !c.reported(path)
}

func (c *check) owner(path, owner string) {
	if len([]rune(owner)) > tagMax || !tagForm.MatchString(owner) {
		c.add(path, "the owner cannot be a tag", fmt.Sprintf("%s, %d of them at most", tagHint, tagMax))
	}
}

func (c *check) tier(path string, tier int) {
	if c.has(path) && (tier < 1 || tier > 4) {
		c.unreadable(path, fmt.Sprintf("%d is no tier", tier), tierHint)
	}
}

func (c *check) reason(path, reason string) {
	if strings.TrimSpace(reason) == "" {
		c.add(path+".reason", "no reason", "say why")
	}
}

func (c *check) tags(path string, k *Key) {
	if k.Existing && len(k.Tags) > 0 {
		c.add(path+".tags", "a secret that is not ours to make is not ours to tag", "leave the tags out, or existing")
	}
	if len(k.Tags) > maxTags {
		c.add(path+".tags", fmt.Sprintf("%d tags", len(k.Tags)), fmt.Sprintf("write %d at most", maxTags))
	}
	for name, value := range k.Tags {
		where, lower := entry(path+".tags", name), strings.ToLower(name)
		switch {
		case strings.HasPrefix(lower, "aws:"), strings.HasPrefix(lower, "keyturn:"):
			c.add(where, fmt.Sprintf("tags that begin with %s: are not for you to set", name[:strings.IndexByte(name, ':')]), "choose another name")
		case name == "" || len([]rune(name)) > tagKey || !tagForm.MatchString(name):
			c.add(where, fmt.Sprintf("%q is no name of a tag", name), tagHint)
		case len([]rune(value)) > tagMax || !tagForm.MatchString(value):
			c.add(where, fmt.Sprintf("%q is no value of a tag", value), tagHint)
		}
	}
}

// grace checks that a replaced key is gone before the next one is replaced,
// where the two would be in each other's way. s is what is deployed.
func (c *check) grace(path string, k *Key, s Schedule) {
	a := c.file.VendorAccounts[k.VendorAccount]
	def := vendor(c.vendors, a.Provider)
	if def == nil {
		return
	}
	where := c.nearest(path, "grace.max", "schedule", "grace")
	room := s.Shortest() - time.Duration(k.Window)
	st := open(*def, k)
	if roll, ok := st.(provider.RollInPlace); ok && roll.Set == nil && !k.AcceptDown {
		c.add(path, def.Title+" ends the old value before the new one can be stored, so consumers are cut off for a while", "accept it: acceptDowntime: true")
	}
	life, held := lifeOf(st, k)
	switch {
	case life == 0:
	case held && life > room:
		c.add(where, fmt.Sprintf("a replaced key lives for %s, and the next rotation may begin after %s, when it would be refused", Duration(life), Duration(room)),
			"make grace.max shorter, or the time between rotations longer")
	case !held && life >= s.Shortest() && k.Grace.OnMax != "hold":
		c.add(where, fmt.Sprintf("grace.max is %s, and the next rotation begins after %s", k.Grace.Max, Duration(s.Shortest())),
			"make it shorter, or write onMax: hold")
	}
}

// lifeOf returns how long a replaced key lives at most if nobody holds it; 0 if
// it ends at once. held says that the next rotation is refused while it lives.
func lifeOf(st provider.Strategy, k *Key) (life time.Duration, held bool) {
	life = time.Duration(k.Grace.Max)
	switch st := st.(type) {
	case provider.Overlap:
		return life, false
	case provider.RollWithGrace:
		return st.Grace(life), true
	case provider.DualSlot:
		if st.Disable != nil {
			life += time.Duration(k.Grace.Disabled)
		}
		return life, true
	case provider.RollInPlace:
	}
	return 0, false
}

// open returns the vendor's half of a rotation, which makes no call; nil if the
// settings are wrong.
func open(def provider.Definition, k *Key) provider.Strategy {
	settings := settingsOf(*k)
	var st provider.Strategy
	var err error
	if def.SpeaksHTTP() {
		st, err = def.Open(settings, provider.Admin{}, &http.Client{})
	} else {
		st, err = def.OpenNet(settings, provider.Admin{}, nil)
	}
	if err != nil {
		return nil
	}
	return st
}

// reach checks who may read the value, and from where.
func (c *check) reach(path string, k *Key) {
	c.each(path+".readers", k.Readers, c.reader)
	a, where := k.Allow, path+".allow"
	c.each(where+".cidrs", a.CIDRs, cidr)
	c.each(where+".vpcEndpoints", a.VPCEndpoints, ids("vpce", "VPC endpoint"))
	if c.has(where+".organization") && !orgForm.MatchString(a.Organization) {
		c.add(where+".organization", fmt.Sprintf("%q is no id of an organization", a.Organization), "write o-exampleorgid")
	}
	c.each(where+".permissionSets", a.PermissionSets, permissionSetName)
	c.each(where+".machines", a.Machines, func(s string) (what, hint string) {
		if !slices.Contains(k.Readers, s) || !strings.Contains(s, ":role/") || permissionSet(s) != "" {
			return fmt.Sprintf("%q is none of the readers that are roles of machines", s), "name one of the readers"
		}
		return "", ""
	})
	if !a.RequireMFA {
		return
	}
	for i, r := range k.Readers {
		if set := permissionSet(r); set != "" && !slices.Contains(a.PermissionSets, set) {
			c.add(item(path+".readers", i), "requireMFA shuts this reader out for ever: IAM does not see the MFA of Identity Center",
				fmt.Sprintf("if the permission set asks for MFA, write permissionSets: [%s] under allow", set))
		}
	}
}

// bootstrapForm fits the roles that the CDK's bootstrap makes.
// https://docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html
var bootstrapForm = regexp.MustCompile(`^cdk-[a-z0-9]{1,10}-(cfn-exec|deploy|file-publishing|image-publishing|lookup)-role-[0-9]{12}-[a-z0-9-]+$`)

// reader tells what keeps s from being somebody who reads values. What deploys,
// and Keyturn's own roles, would read more than they have to; the functions that
// have to read a value may without being named.
func (c *check) reader(s string) (what, hint string) {
	if what, hint = c.person(s); what != "" {
		return what, hint
	}
	role := s[strings.LastIndexByte(s, '/')+1:]
	const own = "name who uses the key: Keyturn's functions read what they must without being named"
	switch rest, ours := strings.CutPrefix(role, c.rolesBegin()+"-"); {
	case !strings.Contains(s, ":role/"):
	case bootstrapForm.MatchString(role):
		return fmt.Sprintf("%q deploys, and whoever deploys anything here could read the value as it", s), "name who uses the key"
	case ours && slices.Contains([]string{"audit", "channels", "chat", "review", "rotatenow", "schedule"}, rest):
		return fmt.Sprintf("%q is a role of Keyturn's own", s), own
	case ours:
		for _, kind := range []string{"rotate-", "retire-"} {
			if account, of := strings.CutPrefix(rest, kind); of && c.file.VendorAccounts[account].Provider != "" {
				return fmt.Sprintf("%q is a role of Keyturn's own", s), own
			}
		}
	}
	return "", ""
}

func permissionSetName(s string) (what, hint string) {
	if setForm.MatchString(s) {
		return "", ""
	}
	return fmt.Sprintf("%q is no name of a permission set", s), "write its name, not its ARN"
}

// person tells what keeps s from being somebody, here.
func (c *check) person(s string) (what, hint string) {
	if what, hint = principal(s); what != "" {
		return what, hint
	}
	a, _ := parseARN(s)
	for name, e := range c.file.Environments {
		if p := iam.Partition(e.Region); regionForm.MatchString(e.Region) && p != a.partition {
			return fmt.Sprintf("%q is in the partition %s, and the environment %s is in %s", s, a.partition, name, p), "name a role or user of " + p
		}
	}
	return "", ""
}

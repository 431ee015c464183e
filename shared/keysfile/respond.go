package keysfile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/detect"
)

// Respond lets findings start emergency rotations. Nil: they start none.
type Respond struct {
	Rules    []string `yaml:"rules" json:"rules,omitempty" doc:"detections whose findings start one: some of D-01, D-07, D-10, D-24, D-26"`
	Cooldown Duration `yaml:"cooldown" json:"cooldown,omitempty" doc:"how long after one no other is started for the same key" default:"1h"`
	Hourly   int      `yaml:"hourly" json:"hourly,omitempty" doc:"how many are started in an hour at most" default:"10"`
	Off      bool     `yaml:"off" json:"off,omitempty" doc:"start none, whatever is found: the kill switch"`
	Until    Date     `yaml:"until" json:"until,omitzero" doc:"last day of the kill switch: who is told of findings is reminded after it"`
}

// Suppression keeps findings that are known from being told, until a day. They are
// written to the ledger all the same.
type Suppression struct {
	Rule      string `yaml:"rule" json:"rule" doc:"the detection, such as D-05"`
	Principal string `yaml:"principal" json:"principal,omitempty" doc:"of this role or user only; a * at the end stands for any rest"`
	Secret    string `yaml:"secret" json:"secret,omitempty" doc:"about this secret only; a * at the end stands for any rest"`
	Until     Date   `yaml:"until" json:"until" doc:"last day, in UTC"`
	Reason    string `yaml:"reason" json:"reason" doc:"why"`
	Owner     string `yaml:"owner" json:"owner" doc:"who answers for it"`
}

// End is when the suppression ends: with its last day.
func (s Suppression) End() time.Time { return s.Until.AddDate(0, 0, 1) }

// End is when people are reminded of the kill switch: with its last day. Zero: it has none.
func (r Respond) End() time.Time {
	if r.Until.IsZero() {
		return time.Time{}
	}
	return r.Until.AddDate(0, 0, 1)
}

const (
	defaultCooldown = time.Hour
	defaultHourly   = 10
	maxHourly       = 100
)

func (ps *problems) fillRespond(r *Respond) {
	if r != nil {
		inherit(ps, "detect.respond.cooldown", &r.Cooldown, Duration(defaultCooldown))
		inherit(ps, "detect.respond.hourly", &r.Hourly, defaultHourly)
	}
}

// Expired returns the suppressions that are over by now, and have no effect, as
// their places in the file.
func (f *File) Expired(now time.Time) []int {
	var out []int
	for i, s := range f.Detect.Suppressions {
		if !s.Until.IsZero() && !now.Before(s.End()) {
			out = append(out, i)
		}
	}
	return out
}

func (c *check) respond(rules []detect.Rule) {
	r := c.file.Detect.Respond
	if r == nil {
		return
	}
	const path = "detect.respond"
	can := responding(rules)
	list := strings.Join(can, ", ")
	if len(r.Rules) == 0 && !c.reported(path+".rules") {
		c.add(path, "no detection starts a rotation", "write rules: ["+list+"], or some of them")
	}
	c.each(path+".rules", r.Rules, func(id string) (what, hint string) {
		i := slices.IndexFunc(rules, func(one detect.Rule) bool { return one.ID == id })
		switch on, written := c.file.Detect.Rules[id]; {
		case !slices.Contains(can, id):
			return fmt.Sprintf("%q starts no rotation", id), "write some of " + list
		case written && !on, !written && !rules[i].Default:
			return id + " is off, and so starts no rotation", "turn it on: detect: {rules: {" + id + ": true}}"
		}
		return "", ""
	})
	if d := time.Duration(r.Cooldown); d < time.Hour || d > 7*day {
		c.add(path+".cooldown", fmt.Sprintf("another rotation of a key after %s", r.Cooldown), "write 1h to 7d: a rotation takes its time, and the vendor has its limits")
	}
	switch last := c.now.UTC().Truncate(day).AddDate(0, 0, 90); {
	case r.Off == r.Until.IsZero() && !c.reported(path+".until"):
		c.add(path, "off and until go together", "write off: true and until: "+last.Format(time.DateOnly)+", or an earlier day, or neither")
	case r.Until.After(last):
		c.add(path+".until", fmt.Sprintf("a kill switch until %s is longer than 90 days", r.Until), "write "+last.Format(time.DateOnly)+" at the latest, or leave detect.respond out")
	}
	if r.Hourly < 1 || r.Hourly > maxHourly {
		c.add(path+".hourly", fmt.Sprintf("%d rotations in an hour", r.Hourly), fmt.Sprintf("write 1 to %d; to start none for a while: off: true", maxHourly))
	}
}

// responding are the ids of the rules that can start a rotation.
func responding(rules []detect.Rule) []string {
	var out []string
	for _, one := range rules {
		if one.Responds {
			out = append(out, one.ID)
		}
	}
	return out
}

func (c *check) suppressions(rules []detect.Rule, known []string) {
	today := c.now.UTC().Truncate(day)
	for i, s := range c.file.Detect.Suppressions {
		path := item("detect.suppressions", i)
		c.rule(path+".rule", s.Rule, known)
		if j := slices.Index(known, s.Rule); j >= 0 && !rules[j].Suppressible() {
			c.add(path+".rule", "findings of "+s.Rule+" are critical, and always told", "leave it out")
		}
		if strings.Trim(s.Principal+s.Secret, "*") == "" { // a pattern for anything narrows nothing
			c.add(path, "a suppression of whatever "+s.Rule+" finds", "name a principal or a secret; to turn the detection off: detect: {rules: {"+s.Rule+": false}}")
		}
		if s.Principal != "" {
			c.caller(path+".principal", s.Principal)
		}
		c.reason(path, s.Reason)
		c.owner(path+".owner", s.Owner)
		if s.Until.After(today.AddDate(1, 0, 0)) {
			c.add(path+".until", fmt.Sprintf("a suppression until %s is longer than a year", s.Until), "write "+today.AddDate(1, 0, 0).Format(time.DateOnly)+" at the latest")
		}
	}
}

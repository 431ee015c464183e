package keysfile

import (
	"fmt"
	"time"

	"github.com/keyturn/keyturn/shared/cadence"
)

const exceptionHint = "or write exception: {until: 2027-03-31, reason: why}"

// policy checks the bounds themselves.
func (c *check) policy() {
	p := c.file.Policy
	for tier, age := range p.MaxAge {
		path := item("policy.maxAge", tier)
		if tier < 1 || tier > 4 {
			c.add(path, fmt.Sprintf("%d is no tier", tier), tierHint)
		}
		if time.Duration(age) < cadence.MinInterval {
			c.add(path, fmt.Sprintf("%s is more often than Secrets Manager's every 4 hours", age), "write 4h or more")
		}
	}
	if c.has("policy.maxGrace") && p.MaxGrace <= 0 {
		c.add("policy.maxGrace", "no time at all", "write 72h, or leave it out")
	}
}

// ages checks a key against the policy.
func (c *check) ages(path string, k *Key, s Schedule) {
	if c.excepted(path, k) {
		return
	}
	p := c.file.Policy
	if age, ok := p.MaxAge[k.Tier]; ok && age > 0 && s.Longest() > time.Duration(age) {
		c.add(c.written(path, "schedule"), fmt.Sprintf("%s between rotations is longer than the policy's %s for tier %d", Duration(s.Longest()), age, k.Tier),
			"rotate more often, "+exceptionHint)
	}
	if p.MaxGrace > 0 && k.Grace.Max > p.MaxGrace {
		c.add(c.nearest(path, "grace.max"), fmt.Sprintf("a grace of %s is longer than the policy's %s", k.Grace.Max, p.MaxGrace),
			"make grace.max shorter, "+exceptionHint)
	}
}

// excepted reports whether the key has an exception; one that is wrong has been
// told.
func (c *check) excepted(path string, k *Key) bool {
	return k.Exception != nil || c.reported(path+".exception")
}

// exception checks that an exception is dated and reasoned.
func (c *check) exception(path string, k *Key) {
	e := k.Exception
	if e == nil {
		return
	}
	path += ".exception"
	today := c.now.UTC().Truncate(day)
	c.reason(path, e.Reason)
	switch {
	case e.Until.Before(today):
		c.add(path+".until", fmt.Sprintf("the exception was over on %s", e.Until), "keep to the policy, or have the exception granted anew")
	case e.Until.After(today.AddDate(1, 0, 0)):
		c.add(path+".until", fmt.Sprintf("an exception until %s is longer than a year", e.Until), "write "+today.AddDate(1, 0, 0).Format(time.DateOnly)+" at the latest")
	}
}

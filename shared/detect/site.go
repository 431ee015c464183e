package detect

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

// Site is what the rules know of an installation. The zero value watches every
// secret, with the defaults. It is immutable once [Site.Prepare] has run.
type Site struct {
	Account   string    `json:"account,omitempty"`
	Region    string    `json:"region,omitempty"`
	Installed time.Time `json:"installed,omitzero"` // learning begins
	// Learning is how long what is first seen is normal; 0: 14 days.
	Learning time.Duration `json:"learningNanoseconds,omitempty"`

	// Secrets are ours; none: every secret is watched.
	Secrets []Secret `json:"secrets,omitempty"`

	// Our roles, by ARN. Those of one secret are in Secret.Rotators.
	Roles []string `json:"roles,omitempty"`
	// Deployers change our functions, policies and secrets.
	Deployers []string `json:"deployers,omitempty"`
	// Operators look at our secrets, and do not read them.
	Operators []string `json:"operators,omitempty"`
	// Automation reads many secrets in peace: Terraform, backups.
	Automation []Automation `json:"automation,omitempty"`
	// Listers list secrets in peace: consoles, inventories.
	Listers []string `json:"listers,omitempty"`
	// Accounts, beside Account, whose principals may call.
	Accounts []string `json:"accounts,omitempty"`
	// What the installation consists of, by name.
	Functions []string `json:"functions,omitempty"`
	Resources []string `json:"resources,omitempty"` // queues, topics, tables, buckets, EventBridge rules, trails
	Keys      []string `json:"keys,omitempty"`      // ids, ARNs or aliases of KMS keys

	// Hours are when people work; nil: not known, and learned only.
	Hours *Hours `json:"workingHours,omitempty"`
	// Allow is for secrets that have no list of their own.
	Allow Allow `json:"allow,omitzero"`
	// Rules turns rules on or off that are not as by default.
	Rules map[string]bool `json:"rules,omitempty"`
	// Thresholds replace the n of a rule, by its id: see its file.
	Thresholds map[string]int `json:"thresholds,omitempty"`

	Respond      *Respond      `json:"respond,omitempty"` // nil: findings start nothing
	Suppressions []Suppression `json:"suppressions,omitempty"`

	locator Locator
	secrets map[string]*Secret
	honey   bool // one of the secrets is a honey token
	tierOne int  // so many are of the first tier
}

// Secret is one of ours.
type Secret struct {
	Name       string        `json:"name"`
	Tier       int           `json:"tier,omitempty"` // 1 is the most critical; 0: 3
	Owner      string        `json:"owner,omitempty"`
	HoneyToken bool          `json:"honeytoken,omitempty"`          // nobody reads it in peace
	Admin      bool          `json:"admin,omitempty"`               // a vendor's admin credential
	Canary     bool          `json:"canary,omitempty"`              // read by the canary only
	Readers    []string      `json:"readers,omitempty"`             // who may read; for tier 1 and admin secrets nobody else
	Rotators   []string      `json:"rotators,omitempty"`            // our roles that read and write it
	Interval   time.Duration `json:"intervalNanoseconds,omitempty"` // longest time between rotations; 0: not known
	Function   string        `json:"function,omitempty"`            // that rotates it
	Allow      Allow         `json:"allow,omitzero"`
}

// Allow says where callers may come from. The zero value allows everywhere.
type Allow struct {
	CIDRs     []netip.Prefix `json:"cidrs,omitempty"`
	Endpoints []string       `json:"vpcEndpoints,omitempty"`
	Countries []string       `json:"countries,omitempty"` // ISO 3166-1, such as "NL"

	table *table
}

// Hours are when people work, in UTC.
type Hours struct {
	From     int  `json:"from"`               // first hour, 0 to 23
	To       int  `json:"to"`                 // the hour in which nobody works any more, 0 to 24; at most From: of the next day
	Weekends bool `json:"weekends,omitempty"` // on Saturdays and Sundays too
}

// in says that people work at t.
func (h *Hours) in(t time.Time) bool {
	if d := t.UTC().Weekday(); !h.Weekends && (d == time.Saturday || d == time.Sunday) {
		return false
	}
	hour := t.UTC().Hour()
	if h.From < h.To {
		return hour >= h.From && hour < h.To
	}
	return hour >= h.From || hour < h.To
}

// Automation is a principal that reads a lot. A user agent can be chosen by
// whoever has the credentials, so it narrows and proves nothing.
type Automation struct {
	Principal string `json:"principal"`           // ARN; a * at the end stands for any rest
	Agent     string `json:"userAgent,omitempty"` // how the user agent begins
}

// Prepare makes the site ready for use, with a locator, which may be nil.
func (s *Site) Prepare(l Locator) *Site {
	out := *s
	out.locator = l
	if out.Learning == 0 {
		out.Learning = 14 * 24 * time.Hour
	}
	out.Allow.table = newTable(out.Allow.CIDRs)
	out.Secrets = slices.Clone(s.Secrets)
	out.secrets = make(map[string]*Secret, len(out.Secrets))
	for i := range out.Secrets {
		one := &out.Secrets[i]
		if one.Tier == 0 {
			one.Tier = 3
		}
		if one.Allow.empty() {
			one.Allow = out.Allow
		}
		one.Allow.table = newTable(one.Allow.CIDRs)
		out.honey = out.honey || one.HoneyToken
		if one.Tier == 1 {
			out.tierOne++
		}
		out.secrets[one.Name] = one
	}
	return &out
}

// Learned is when learning ends.
func (s *Site) Learned() time.Time { return s.Installed.Add(s.Learning) }

// threshold returns the rule's threshold here.
func (s *Site) threshold(rule string, n int) int {
	if t, ok := s.Thresholds[rule]; ok {
		return t
	}
	return n
}

// On says whether the rule is on here.
func (s *Site) On(r *Rule) bool {
	if on, ok := s.Rules[r.ID]; ok {
		return on
	}
	return r.Default
}

// find returns the secret that a record means: one of ours, or any, where all are
// watched. A name may look as if it ended with an ARN's six characters.
func (s *Site) find(ref trail.SecretRef) *Secret {
	if ref.Name == "" || s.Account != "" && ref.Account != "" && ref.Account != s.Account {
		return nil
	}
	if one, ok := s.secrets[ref.Name]; ok {
		return one
	}
	if _, whole, ok := strings.Cut(ref.ARN, ":secret:"); ok {
		if one, ok := s.secrets[whole]; ok {
			return one
		}
	}
	if len(s.Secrets) > 0 {
		return nil
	}
	return &Secret{Name: ref.Name, Tier: 3, Allow: s.Allow}
}

// matches says whether one of the patterns is the ARN, or begins it, if it ends with *.
func matches(patterns []string, arn string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matchOne(p, arn) })
}

func matchOne(pattern, arn string) bool {
	if begin, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(arn, begin)
	}
	return pattern == arn && arn != ""
}

func (s *Site) automation(c *Call) bool {
	return slices.ContainsFunc(s.Automation, func(a Automation) bool {
		return matchOne(a.Principal, c.Who) && strings.HasPrefix(c.UserAgent, a.Agent)
	})
}

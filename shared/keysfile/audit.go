package keysfile

import (
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/detect"
)

// Audit says where the ledger is kept, and what it is compared with.
type Audit struct {
	// Trail is CloudTrail's files, often of another account. Nil: the ledger is
	// compared with CloudTrail's event history.
	Trail *Trail `yaml:"trail" json:"trail,omitempty" doc:"where CloudTrail writes its files, which the ledger is compared with every hour; without it, CloudTrail's event history is"`
	// Retention is how long each object of the ledger is locked.
	Retention Duration `yaml:"retention" json:"retention,omitempty" doc:"how long what is in the ledger cannot be deleted" default:"400d"`
	// Mode of S3 Object Lock. What is locked in compliance mode nobody can delete
	// before its time, the root user included, and the account's bill goes on.
	Mode string `yaml:"mode" json:"mode,omitempty" doc:"governance: break-glass may still delete; compliance: nobody may, whatever happens" default:"governance"`
	// Checkpoints is a bucket, best of another account. Nil: mails alone have them.
	Checkpoints *Checkpoints `yaml:"checkpoints" json:"checkpoints,omitempty" doc:"a second place for the ledger's checkpoints, best in another account; it gets the newest every hour"`
}

// Trail is where CloudTrail's files are.
type Trail struct {
	Bucket  string `yaml:"bucket" json:"bucket" doc:"the trail's bucket"`
	Prefix  string `yaml:"prefix" json:"prefix,omitempty" doc:"the trail's prefix in it, without AWSLogs/"`
	Account string `yaml:"account" json:"account,omitempty" doc:"AWS account of the bucket; default: the environment's"`
	KMSKey  string `yaml:"kmsKey" json:"kmsKey,omitempty" doc:"ARN of the KMS key of the files; default: none of one's own"`
}

// Checkpoints is a bucket.
type Checkpoints struct {
	Bucket string `yaml:"bucket" json:"bucket" doc:"bucket, best of another account, that takes checkpoints"`
}

// Detect tunes the detections. The zero value has those that are on by default,
// with their own thresholds: see docs/detection.md.
type Detect struct {
	Installed  Date            `yaml:"installed" json:"installed,omitzero" doc:"day on which learning begins; default: nothing is learned, and what is new is told from the first day"`
	Learning   Duration        `yaml:"learning" json:"learning,omitempty" doc:"how long what is seen first is taken as normal" default:"14d"`
	Rules      map[string]bool `yaml:"rules" json:"rules,omitempty" doc:"detections to turn on or off, such as {D-15: true}"`
	Thresholds map[string]int  `yaml:"thresholds" json:"thresholds,omitempty" doc:"other thresholds of detections, such as {D-10: 50}"`
	Automation []Automation    `yaml:"automation" json:"automation,omitempty" doc:"who reads many secrets in peace, such as Terraform"`
	Listers    []string        `yaml:"listers" json:"listers,omitempty" doc:"ARNs of roles and users that list secrets in peace; a * at the end stands for any rest"`
	Accounts   []string        `yaml:"accounts" json:"accounts,omitempty" doc:"other AWS accounts whose principals may call"`
	Hours      *WorkingHours   `yaml:"workingHours" json:"workingHours,omitempty" doc:"when people work, in UTC, such as {from: 7, to: 19}; default: D-15 learns it"`
	Allow      DetectAllow     `yaml:"allow" json:"allow,omitzero" doc:"where callers come from, for secrets that say nothing themselves"`

	// Countries is a database of one's own; nil: what is compiled in.
	Countries *Countries `yaml:"countries" json:"countries,omitempty" doc:"where addresses are; default: IP2Location LITE, as old as this version of Keyturn"`

	Respond      *Respond      `yaml:"respond" json:"respond,omitempty" doc:"which findings start an emergency rotation; default: none"`
	Suppressions []Suppression `yaml:"suppressions" json:"suppressions,omitempty" doc:"findings that are known, and not told until a day"`
}

// Automation is a principal that reads many secrets in peace.
type Automation struct {
	Principal string `yaml:"principal" json:"principal" doc:"ARN of a role or user; a * at the end stands for any rest"`
	UserAgent string `yaml:"userAgent" json:"userAgent,omitempty" doc:"how its user agent begins, such as APN/1.0 HashiCorp"`
}

// Countries is a database of countries.
type Countries struct {
	MMDB string `yaml:"mmdb" json:"mmdb" doc:"file in MaxMind's format, such as GeoLite2-Country.mmdb, beside this file or below"`
}

// WorkingHours are when people work, in UTC.
type WorkingHours struct {
	From     int  `yaml:"from" json:"from" doc:"first hour, 0 to 23"`
	To       int  `yaml:"to" json:"to" doc:"hour of the end, 0 to 24; less than from: of the next day"`
	Weekends bool `yaml:"weekends" json:"weekends,omitempty" doc:"on Saturdays and Sundays too"`
}

// DetectAllow says where callers may come from. Nothing is refused for it; it is
// told. The zero value allows everywhere.
type DetectAllow struct {
	CIDRs        []string `yaml:"cidrs" json:"cidrs,omitempty" doc:"addresses that callers come from"`
	VPCEndpoints []string `yaml:"vpcEndpoints" json:"vpcEndpoints,omitempty" doc:"ids of VPC endpoints that callers come through"`
	Countries    []string `yaml:"countries" json:"countries,omitempty" doc:"countries that callers come from, as a hint, such as NL"`
}

// The modes of S3 Object Lock, as the file has them.
const (
	Governance = "governance"
	Compliance = "compliance"
)

const (
	defaultLedger   = 400 * 24 * time.Hour
	defaultLearning = 14 * 24 * time.Hour
	maxLedger       = 100 * 365 * 24 * time.Hour // of S3: 100 years
	canarySecret    = "canary"
)

var (
	bucketForm  = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	countryForm = regexp.MustCompile(`^[A-Z]{2}$`)
	callerForm  = regexp.MustCompile(`^arn:[a-z-]+:(iam|sts)::\d{12}:[\w+=,.@/-]+\*?$`)
)

// fillAudit gives what is not written its default.
func (ps *problems) fillAudit(f *File) {
	inherit(ps, "audit.retention", &f.Audit.Retention, Duration(defaultLedger))
	inherit(ps, "audit.mode", &f.Audit.Mode, Governance)
	inherit(ps, "detect.learning", &f.Detect.Learning, Duration(defaultLearning))
	ps.fillRespond(f.Detect.Respond)
}

func (c *check) audit() {
	a := c.file.Audit
	if d := time.Duration(a.Retention); d < 24*time.Hour || d > maxLedger {
		c.add("audit.retention", fmt.Sprintf("the ledger is locked for %s", a.Retention), "write 1d to 36500d, such as 400d")
	}
	if !slices.Contains([]string{Governance, Compliance}, a.Mode) {
		c.add("audit.mode", fmt.Sprintf("%q is no mode of Object Lock", a.Mode), "write governance or compliance")
	}
	if t := a.Trail; t != nil {
		c.bucket("audit.trail.bucket", t.Bucket)
		if t.Account != "" && !accountForm.MatchString(t.Account) {
			c.add("audit.trail.account", fmt.Sprintf("%q is no AWS account", t.Account), `write its 12 digits in quotes: "111122223333"`)
		}
		if k, ok := parseARN(t.KMSKey); t.KMSKey != "" && (!ok || k.service != "kms" || !strings.HasPrefix(k.resource, "key/")) {
			c.add("audit.trail.kmsKey", fmt.Sprintf("%q is no ARN of a KMS key", t.KMSKey), "write arn:aws:kms:eu-west-1:111122223333:key/ID")
		}
		if strings.HasPrefix(t.Prefix, "/") || strings.HasSuffix(t.Prefix, "/") || strings.Contains(t.Prefix, "AWSLogs") {
			c.add("audit.trail.prefix", fmt.Sprintf("%q has more than the trail's own prefix", t.Prefix), "write what aws cloudtrail describe-trails calls S3KeyPrefix, or leave it out")
		}
	}
	if a.Checkpoints != nil {
		c.bucket("audit.checkpoints.bucket", a.Checkpoints.Bucket)
	}
}

func (c *check) bucket(path, name string) {
	if !bucketForm.MatchString(name) {
		c.add(path, fmt.Sprintf("%q is no name of a bucket", name), "write its name alone, such as my-trail-111122223333")
	}
}

func (c *check) detect() {
	d := c.file.Detect
	if d.Learning < 0 || time.Duration(d.Learning) > 90*24*time.Hour {
		c.add("detect.learning", fmt.Sprintf("learning for %s", d.Learning), "write 90d at most, such as 14d")
	}
	rules := detect.All((&detect.Site{}).Prepare(nil))
	known := make([]string, len(rules))
	for i, r := range rules {
		known[i] = r.ID
	}
	c.tuning(d, rules, known)
	for i, a := range d.Automation {
		c.caller(item("detect.automation", i)+".principal", a.Principal)
	}
	for i, arn := range d.Listers {
		c.caller(item("detect.listers", i), arn)
	}
	c.each("detect.accounts", d.Accounts, func(s string) (what, hint string) {
		if accountForm.MatchString(s) {
			return "", ""
		}
		return fmt.Sprintf("%q is no AWS account", s), `write its 12 digits in quotes: "111122223333"`
	})
	c.each("detect.allow.cidrs", d.Allow.CIDRs, func(s string) (what, hint string) {
		if _, err := netip.ParsePrefix(s); err == nil {
			return "", ""
		}
		return fmt.Sprintf("%q is no range of addresses", s), "write 203.0.113.0/24"
	})
	c.each("detect.allow.vpcEndpoints", d.Allow.VPCEndpoints, ids("vpce", "VPC endpoint"))
	c.each("detect.allow.countries", d.Allow.Countries, func(s string) (what, hint string) {
		if countryForm.MatchString(s) {
			return "", ""
		}
		return fmt.Sprintf("%q is no country", s), "write two capital letters, such as NL"
	})
}

// tuning checks what is about single detections.
func (c *check) tuning(d Detect, rules []detect.Rule, known []string) {
	for _, id := range slices.Sorted(maps.Keys(d.Rules)) {
		c.rule(entry("detect.rules", id), id, known)
	}
	for _, id := range slices.Sorted(maps.Keys(d.Thresholds)) {
		c.rule(entry("detect.thresholds", id), id, known)
		if n := d.Thresholds[id]; n < 1 {
			c.add(entry("detect.thresholds", id), fmt.Sprintf("a threshold of %d", n), "write 1 or more")
		}
	}
	if f := d.Countries; f != nil && (!fs.ValidPath(f.MMDB) || path.Ext(f.MMDB) != ".mmdb") {
		c.add("detect.countries.mmdb", fmt.Sprintf("%q is no file of countries", f.MMDB), "write its path from here, with slashes and without .., such as geo/GeoLite2-Country.mmdb")
	}
	if h := d.Hours; h != nil && (h.From < 0 || h.From > 23 || h.To < 0 || h.To > 24 || h.From == h.To) {
		c.add("detect.workingHours", fmt.Sprintf("hours from %d to %d", h.From, h.To), "write {from: 7, to: 19}, in UTC")
	}
	c.respond(rules)
	c.suppressions(rules, known)
}

func (c *check) rule(path, id string, known []string) {
	if !slices.Contains(known, id) {
		c.add(path, fmt.Sprintf("%q is no detection", id), "see docs/detection.md: "+suggest(id, known))
	}
}

func (c *check) caller(path, arn string) {
	if !callerForm.MatchString(arn) {
		c.add(path, fmt.Sprintf("%q is no ARN of a role or user", arn), "write arn:aws:iam::111122223333:role/NAME")
	}
}

// honeytoken checks a key that nobody reads in peace.
func (c *check) honeytoken(path string, k *Key) {
	if k.HoneyToken && len(k.Readers) > 0 {
		c.add(path+".readers", "readers of a honey token, which nobody reads in peace", "leave readers out: whoever can read it is who you want to hear of")
	}
}

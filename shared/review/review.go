package review

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/keysfile"
)

// Version is that of the reviews which Make makes.
const Version = 1

// Review is what a page says. Its times are in UTC, its lists sorted.
type Review struct {
	Version    int       `json:"version"`
	Account    string    `json:"account"`
	Region     string    `json:"region"`
	At         time.Time `json:"at"`
	ReadsSince time.Time `json:"readsSince,omitzero"` // zero: who did read is not known
	Principals int       `json:"principals"`
	Keys       []Key     `json:"keys"` // those with findings first, then by name
	NotCovered []string  `json:"notCovered"`
	Compared   bool      `json:"compared"`          // with the review before: see [Review.Since]
	Changes    []string  `json:"changes,omitempty"` // since that one
	Notices    []Notice  `json:"notices,omitempty"` // exceptions: those that have ended first
	SignOffs   []SignOff `json:"signOffs,omitempty"`
	Checkpoint string    `json:"checkpoint,omitempty"` // of the ledger that was read: a signed note
}

// Key is one secret and who can read it.
type Key struct {
	Name     string     `json:"name"`
	ARN      string     `json:"arn"`
	Owner    string     `json:"owner,omitempty"`
	Tier     int        `json:"tier,omitempty"`
	Due      time.Time  `json:"due,omitzero"` // of the next rotation, the window included
	Rotated  time.Time  `json:"rotated,omitzero"`
	AtVendor int        `json:"atVendor,omitempty"` // keys of it that the vendor lists
	Limit    string     `json:"limit,omitempty"`    // how many there may be at the vendor, in words
	Readers  []Reader   `json:"readers"`
	Outside  []External `json:"outside,omitempty"`
	Findings []Finding  `json:"findings"`
}

// Reader is a principal that can read, that may be able to, or that did.
type Reader struct {
	ARN    string    `json:"arn"`
	Person bool      `json:"person,omitempty"`
	Can    Can       `json:"can"`          // "denied" for one that did and now cannot
	If     string    `json:"if,omitempty"` // condition keys, or why it is unknown
	By     string    `json:"by,omitempty"` // policy and statement
	Reads  int64     `json:"reads"`
	Last   time.Time `json:"last,omitzero"`
	Remove bool      `json:"remove,omitempty"` // it can, and did not for so long
	// TakenOn are who may take the role on from outside of the account.
	TakenOn []string `json:"takenOn,omitempty"`
}

// External is somebody whom the secret's policy lets in and who is no user or role of
// the account; what their own account allows is not known.
type External struct {
	Principal string `json:"principal"`
	Sid       string `json:"sid,omitempty"`
	If        bool   `json:"if,omitempty"` // there are conditions
}

// Finding is something that needs a decision.
type Finding struct {
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// The kinds of findings.
const (
	Overdue      = "overdue"
	NoSchedule   = "no-schedule"
	Stale        = "stale"
	NotUsed      = "unused"
	OverExposed  = "over-exposed"
	Outsiders    = "external"
	People       = "people"
	Undecided    = "unknown"
	Removal      = "removal"
	PendingLeft  = "pending-left"
	Drift        = "drift"
	Headroom     = "headroom"
	ByHand       = "by-hand"
	Unauthorized = "read-without-right"
	NoOwner      = "no-owner"
	Failing      = "failing"
	HeldKey      = "held"
)

// OverExposedAt is from how many principals on a key counts as over-exposed.
// Assumed: no standard names a number.
const OverExposedAt = 10

// denied is the Can of one that did read, and cannot now.
const denied Can = "denied"

// Make reviews. The same Input makes the same Review.
func Make(in Input) Review {
	if in.Unused <= 0 {
		in.Unused = 90 * 24 * time.Hour
	}
	out := Review{Version: Version, Account: in.Account, Region: in.Region, At: in.Now.UTC(), ReadsSince: in.Since.UTC(), Principals: len(in.Principals), Keys: []Key{}, NotCovered: uncovered(&in)}
	if in.Since.IsZero() {
		out.ReadsSince = time.Time{}
	}
	out.SignOffs, out.Checkpoint, out.Notices = in.SignOffs, in.Checkpoint, slices.Clone(in.Notices)
	slices.SortStableFunc(out.Notices, func(a, b Notice) int {
		switch {
		case a.Expired && !b.Expired:
			return -1
		case b.Expired && !a.Expired:
			return 1
		}
		return strings.Compare(a.Kind+"\x00"+a.Text, b.Kind+"\x00"+b.Text)
	})
	c := newParser(&in)
	x := newIndex(&in, c)
	did := map[string][]Read{}
	for _, r := range in.Reads {
		did[r.Secret] = append(did[r.Secret], r)
	}
	for i := range in.Secrets {
		t := c.target(&in, &in.Secrets[i])
		out.Keys = append(out.Keys, key(&in, x, &t, did[t.secret.ARN]))
	}
	slices.SortStableFunc(out.Keys, func(a, b Key) int {
		if len(a.Findings) != len(b.Findings) {
			return len(b.Findings) - len(a.Findings)
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out
}

func uncovered(in *Input) []string {
	out := []string{
		"KMS grants, VPC endpoint policies, resource control policies and session policies are not looked at.",
		"Who may take a role on is looked at only for those outside of the account: a role stands for all who may.",
		"Who could give himself the right is not looked at: by the secret's policy (PutResourcePolicy), the KMS key's (PutKeyPolicy, CreateGrant), IAM (policies, UpdateAssumeRolePolicy, PassRole to what runs code), by a copy in another Region, or as the rotation function.",
		"The root user of the account may do what is not denied, and is in no list.",
		"Of principals in other accounts, only what the secret's policy says is known. That of the KMS key may still refuse them.",
		"A role's sessions may carry tags, so conditions on them are reported as conditions.",
	}
	out = slices.Concat(in.Missing, out)
	if !in.ControlKnown {
		out = append(out, "Service control policies could not be read: they may refuse what is reported as allowed.")
	}
	if in.Since.IsZero() {
		out = append(out, "There are no reads from the ledger: unused keys are told by Secrets Manager's LastAccessedDate, which has a day and no principal, and which Keyturn's own rotations renew; candidates for removal are not told.")
	}
	return out
}

func key(in *Input, x *index, t *target, did []Read) Key {
	s := t.secret
	k := Key{Name: s.Name, ARN: s.ARN, Owner: s.Owner, Tier: s.Tier, Rotated: s.LastRotated, Readers: []Reader{}, Findings: []Finding{}}
	seen := map[string]Read{}
	for _, r := range did {
		sum := seen[r.Principal]
		sum.Count += r.Count
		if r.Last.After(sum.Last) {
			sum.Last = r.Last
		}
		seen[r.Principal] = sum
	}
	known := !in.Since.IsZero() && !in.Since.After(in.Now.Add(-in.Unused))
	old := s.Created.Before(in.Now.Add(-in.Unused))
	x.readers(t, func(i int, a answer) {
		p := in.Principals[i]
		r := seen[p.ARN]
		delete(seen, p.ARN)
		own := slices.Contains(in.OwnRoles, p.ARN)
		idle := r.Count == 0 || r.Last.Before(in.Now.Add(-in.Unused))
		k.Readers = append(k.Readers, Reader{
			p.ARN, p.Person, a.can, a.only, a.by, r.Count, r.Last, known && old && idle && !own && a.can != Unknown, x.takers(i),
		})
	})
	for arn, r := range seen {
		k.Readers = append(k.Readers, unlisted(in, arn, r))
	}
	slices.SortFunc(k.Readers, func(a, b Reader) int { return strings.Compare(a.ARN, b.ARN) })
	k.Outside = outside(in, t)
	readerFindings(in, &k)
	keyFindings(in, s, &k, known && old)
	return k
}

func (k *Key) find(kind, format string, args ...any) {
	k.Findings = append(k.Findings, Finding{kind, fmt.Sprintf(format, args...)})
}

// unlisted is one that did read and was not found to be able to.
func unlisted(in *Input, arn string, r Read) Reader {
	out := Reader{ARN: arn, Can: denied, Reads: r.Count, Last: r.Last}
	if accountOf(arn) != in.Account {
		return out
	}
	switch {
	case len(in.Principals) == 0:
		out.Can, out.If = Unknown, "the account's policies are not known"
	case strings.HasSuffix(arn, ":root"):
		out.Can, out.If = Unknown, "the root user may do what is not denied"
	case strings.Contains(arn, ":federated-user/"):
		out.Can, out.If = Unknown, "a session of GetFederationToken, which is not looked at"
	}
	return out
}

// due is when the next rotation must be done at the latest; zero without a schedule.
func due(s *Secret) time.Time {
	schedule, err := keysfile.ParseSchedule(s.Schedule)
	last := s.LastRotated
	if last.IsZero() {
		last = s.Created
	}
	if err != nil || last.IsZero() {
		return time.Time{}
	}
	next := schedule.Next(last)
	// One that began when the rotation was late already excuses nothing.
	for _, one := range slices.SortedFunc(slices.Values(s.Stopped), func(a, b Span) int { return a.From.Compare(b.From) }) {
		if !one.From.After(next.Add(s.Window)) && one.Until.After(next) {
			next = one.Until
		}
	}
	return next.Add(s.Window).UTC()
}

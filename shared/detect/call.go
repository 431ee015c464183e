package detect

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/trail"
)

// Call is an event as rules see it: what several of them ask, worked out once.
type Call struct {
	*trail.Event
	Who    string        // the principal: see [trail.Identity.Principal]
	Result trail.Outcome // how it ended
	// About are those of the watched secrets that the call is about.
	About []Subject
	// Ours: it was made by one of our roles, and on no secret but that role's own.
	Ours bool
	// Service: an AWS service made it on its own account.
	Service bool

	track string // of the caller
	short string // its id, in few bytes: a value of marks
}

// Subject is a secret and how the call names it.
type Subject struct {
	*Secret
	Ref trail.SecretRef

	track string // of the caller with it
}

func newCall(s *Site, e *trail.Event) Call {
	c := Call{Event: e, Who: e.Identity.Principal(), Result: e.Outcome()}
	c.track, c.short = principalTrack+bounded(c.Who), "."+compact(cut(c.ID))
	c.Service = e.Type == trail.TypeService || e.Type == trail.TypeLabel || e.Identity.Type == "AWSService"
	for _, ref := range e.Secrets() {
		if one := s.find(ref); one != nil {
			c.About = append(c.About, Subject{one, ref, c.track + withSecret + bounded(one.Name)})
		}
	}
	c.Ours = c.ours(s)
	return c
}

// maxPart is how many bytes of a principal, and of a secret's name, are in a track's name:
// DynamoDB refuses a sort key of more than 1024, and a batch with it, again and again.
// A role's path may have 512 bytes, and so may a secret's name.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
const maxPart = 400

func bounded(s string) string {
	if len(s) <= maxPart {
		return s
	}
	return s[:maxPart-20] + "~" + digest(s)
}

func (c *Call) ours(s *Site) bool {
	if len(c.About) == 0 {
		return matches(s.Roles, c.Who)
	}
	return !slices.ContainsFunc(c.About, func(one Subject) bool { return !matches(one.Rotators, c.Who) })
}

// Manager says that the call was to Secrets Manager.
func (c *Call) Manager() bool { return c.Source == trail.SecretsManager }

// Reads says that the call returned values of secrets.
func (c *Call) Reads() bool { return c.Result == trail.Succeeded && c.Asks() }

// Asks says that the call was for values of secrets, whether it got them or not.
func (c *Call) Asks() bool {
	return c.Manager() && (c.Name == "GetSecretValue" || c.Name == "BatchGetSecretValue")
}

// spoiled names the secret, if the call got its value: see [Call.Gets]. A honey token
// is worth nothing, and the canary is our own.
func (c *Call) spoiled(one Subject) []string {
	if one.HoneyToken || one.Canary || !c.Gets() {
		return nil
	}
	return []string{one.Name}
}

// spoiledFirst is spoiled for secrets of the first tier.
func (c *Call) spoiledFirst(one Subject) []string {
	if one.Tier != 1 {
		return nil
	}
	return c.spoiled(one)
}

// Gets says that the call got values of secrets, or Secrets Manager had KMS decrypt them
// for it. Who asks KMS itself chooses the encryption context, and has no secret's bytes.
// A batch that succeeded may have got none of what it names, but errors: each that it got
// has a record of its own.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_BatchGetSecretValue.html
func (c *Call) Gets() bool {
	if c.Result != trail.Succeeded {
		return false
	}
	return c.Manager() && c.Name == "GetSecretValue" ||
		c.Source == trail.KMS && c.Name == "Decrypt" && c.Identity.InvokedBy == trail.SecretsManager
}

// Concerns says that the call is about watched secrets, or may be: it names
// none, but the service is Secrets Manager.
func (c *Call) Concerns() bool { return len(c.About) > 0 || c.Manager() && len(c.Secrets()) == 0 }

// from is where the call came from, in few words.
func (c *Call) from() string {
	if c.VPCEndpoint != "" {
		return c.VPCEndpoint
	}
	return c.Address
}

// networks are the networks of the addresses: 24 bits of IPv4, 48 of IPv6.
func (c *Call) networks() []string {
	if c.VPCEndpoint != "" {
		return []string{c.VPCEndpoint}
	}
	var out []string
	for _, a := range c.Addresses() {
		bits := 48
		if a.Is4() {
			bits = 24
		}
		if p, err := a.Prefix(bits); err == nil {
			out = append(out, p.String())
		}
	}
	return out
}

// names are the names of the secrets.
func (c *Call) names() []string {
	var out []string
	for _, one := range c.About {
		out = append(out, one.Name)
	}
	return out
}

// Finding returns a finding about this call alone, of the rule's severity.
func (c *Call) Finding(why string) Finding {
	f := Finding{
		Time: c.Time, Principal: c.Who, Session: c.Identity.SessionName(), Agent: c.UserAgent, Secrets: c.names(),
		Why: why, Count: 1, Events: []string{c.ID}, distinct: c.ID,
	}
	if from := c.from(); from != "" {
		f.Where = []string{from}
	}
	f.matter = strings.Join(append([]string{c.Who}, f.Secrets...), "\n")
	return f
}

// findingOn is Finding for one of the secrets, at most once in d.
func (c *Call) findingOn(about Subject, d time.Duration, why string) Finding {
	f := c.Finding(why)
	f.Secrets, f.matter = []string{about.Name}, c.Who+"\n"+about.Name
	f.per(d)
	return f
}

// one is what See returns for one finding.
func one(f Finding) []Finding { return []Finding{f} }

// quoted quotes what a caller chose, at a length that fits a line.
func quoted(s string) string {
	if r := []rune(s); len(r) > 100 {
		s = string(r[:100]) + "..."
	}
	return strconv.Quote(s)
}

// in says whether an address is in the allow-list of addresses.
func (a *Allow) in(addr netip.Addr) bool { return a.table.Contains(addr) }

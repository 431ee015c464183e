package access

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// Cell is one question to the policies: may this actor do that from there.
type Cell struct {
	Actor    string // such as "reader, role, without MFA"
	Network  string // such as "wrong address"
	Action   string
	Resource string       // name of the key, or what else it is
	Expected bool         // by the rule
	Got      iam.Decision // by the policies
}

// Wrong says whether the policies do other than the rule, or cannot say.
func (c Cell) Wrong() bool {
	return c.Got.Effect == iam.AllowedIf || c.Expected != (c.Got.Effect == iam.Allowed)
}

// String is the cell in words.
func (c Cell) String() string {
	expected := "denied"
	if c.Expected {
		expected = "allowed"
	}
	return fmt.Sprintf("%s from %s: %s of %s must be %s, but is %s", c.Actor, c.Network, c.Action, c.Resource, expected, c.Got)
}

// Proof is what [Site.Prove] looked at.
type Proof struct {
	Cells  int    // evaluated, each by the policies and by the rule
	Shapes int    // of keys: keys that differ in names and addresses only are one
	Wrong  []Cell // those that are other than the rule says
	// Open are keys without readers: whoever has the right by an identity policy
	// may read them.
	Open []string
}

// WrongError are cells that are not as the rule says.
type WrongError struct{ Cells []Cell }

// Error is a line for each kind of actor and statement to blame, with the first of
// its cells: a policy that shuts out a reader a hundred times must not hide that it
// shuts out the deployment too.
func (e *WrongError) Error() string {
	type kind struct {
		actor, policy, sid string
		expected           bool
	}
	var first []Cell
	more := map[kind]int{}
	of := func(c Cell) kind {
		who, _, _ := strings.Cut(c.Actor, ", with")
		for _, end := range []string{", session", ", nothing known", ", Identity", ", outside"} {
			who, _, _ = strings.Cut(who, end)
		}
		return kind{who, c.Got.Policy, c.Got.Sid, c.Expected}
	}
	for _, c := range e.Cells {
		if more[of(c)]++; more[of(c)] == 1 {
			first = append(first, c)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "the policies do other than they must in %d cells", len(e.Cells))
	for _, c := range first[:min(maxWrong, len(first))] {
		b.WriteString("\n" + c.String())
		if n := more[of(c)] - 1; n > 0 {
			fmt.Fprintf(&b, " (and %d cells like it)", n)
		}
	}
	if n := len(first) - maxWrong; n > 0 {
		fmt.Fprintf(&b, "\nand %d kinds more", n)
	}
	return b.String()
}

// maxWrong are the lines that an error has at most.
const maxWrong = 40

// Prove is [New], then [Site.Prove].
func Prove(file *keysfile.File, env Environment) (Proof, error) {
	s, err := New(file, env)
	if err != nil {
		return Proof{}, err
	}
	return s.Prove()
}

// Prove evaluates who can do what, for every kind of actor, network and action,
// and compares it with a rule that knows nothing of the documents. It returns a
// [*WrongError] if a cell differs. Keys of the same shape are proven once; each
// vendor account is.
//
// It proves what our documents come to. It knows no other policy of the account:
// strangers have none, administrators have every right.
func (s *Site) Prove() (Proof, error) {
	d, err := s.documents()
	if err != nil {
		return Proof{}, err
	}
	return s.prove(d)
}

func (s *Site) prove(d *documents) (Proof, error) {
	var p Proof
	for _, k := range s.file.Keys {
		if len(k.Readers) == 0 {
			p.Open = append(p.Open, k.Name)
		}
	}
	if err := s.proveDuties(d, &p); err != nil {
		return p, err
	}
	asked := false
	for _, t := range d.targets {
		if t.key != nil {
			p.Shapes++
		}
		actions := matrix()
		if t.tagged && !asked {
			actions, asked = append(actions, keyMatrix()...), true
		}
		if err := s.proveTarget(d, t, actions, &p); err != nil {
			return p, err
		}
	}
	if err := s.proveDetours(d, &p); err != nil {
		return p, err
	}
	if len(p.Wrong) > 0 {
		return p, &WrongError{Cells: p.Wrong}
	}
	return p, nil
}

func (s *Site) proveTarget(d *documents, t *target, actions []string, p *Proof) error {
	for _, a := range s.actors(d, t) {
		if !d.matters(t, a) || d.only != "" && len(p.Wrong) > 0 {
			continue
		}
		for _, n := range networks(t) {
			if err := s.proveRow(d, t, a, n, actions, p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Site) proveRow(d *documents, t *target, a actor, n network, actions []string, p *Proof) error {
	for _, action := range actions {
		got, err := s.ask(d, t, a, n, action)
		if err != nil {
			return fmt.Errorf("%s from %s: %s of %s: %w", a.name, n.name, action, t.name, err)
		}
		p.Cells++
		if c := (Cell{a.name, n.name, action, t.name, s.expect(t, a, n, action), got}); c.Wrong() {
			p.Wrong = append(p.Wrong, c)
		}
	}
	return nil
}

// matrix are the actions of every target. kms:Decrypt is a call of KMS itself,
// not through Secrets Manager.
func matrix() []string {
	return []string{
		"secretsmanager:GetSecretValue", "secretsmanager:BatchGetSecretValue", "secretsmanager:PutSecretValue", "secretsmanager:DeleteSecret",
		"secretsmanager:RotateSecret", "secretsmanager:CancelRotateSecret", "secretsmanager:PutResourcePolicy", "kms:Decrypt", "secretsmanager:DescribeSecret",
		"secretsmanager:UpdateSecret", // which sets a value too
	}
}

// keyMatrix are actions on the CMK, which are the same for every target.
func keyMatrix() []string {
	return []string{"kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:DisableKey"}
}

// target is a secret that is asked for.
type target struct {
	name     string // of the secret
	arn      string
	accounts []string      // vendor accounts whose functions have to read it
	key      *keysfile.Key // nil: an admin credential
	tagged   bool          // it is ours, with our tags and our CMK
}

// documents are everything that is proven; tests change them.
type documents struct {
	targets []*target
	secrets map[string]iam.Document // resource policies by name of the secret
	roles   map[string]iam.Document // identity policies: rotate:ACCOUNT, retire:ACCOUNT, rotatenow, audit, review, schedule, deploy, execution, person:ROLE
	keys    map[string]iam.Document // key policies: secrets, data, topics, ledger
	queues  map[string]iam.Document // labels:ACCOUNT, audit, notifications, trail, trail-dlq, the bucket ledger, and what is for others: trail-bucket, trail-key, checkpoint-bucket
	trusts  map[string]iam.Document // lambda, schedule

	// only is the one document that matters, such as "role rotatenow", for tests
	// that change one; empty: all.
	only string
}

// matters says whether a row of the matrix depends on the document that matters.
func (d *documents) matters(t *target, a actor) bool {
	kind, name, _ := strings.Cut(d.only, " ")
	switch kind {
	case "":
		return true
	case "secret":
		return t.name == name
	case "role":
		return len(a.identity) > 0 && a.identity[0].Name == "the policy "+name
	}
	return d.only == "key secrets" && t.tagged
}

func (s *Site) documents() (*documents, error) {
	d := &documents{
		secrets: map[string]iam.Document{}, roles: map[string]iam.Document{}, keys: map[string]iam.Document{},
		queues: map[string]iam.Document{"audit": s.Queue("audit"), "notifications": s.Topic("notifications"), "undelivered": s.Undelivered()},
		trusts: map[string]iam.Document{"lambda": s.LambdaTrust(), "schedule": s.ScheduleTrust()},
	}
	var wrong []error
	put := func(to map[string]iam.Document, name string, build func() (iam.Document, error)) {
		doc, err := build()
		to[name], wrong = doc, append(wrong, err)
	}
	for _, a := range s.accounts() {
		put(d.roles, "rotate:"+a, func() (iam.Document, error) { return s.Rotate(a) })
		put(d.roles, "retire:"+a, func() (iam.Document, error) { return s.Retire(a) })
		d.queues["labels:"+a] = s.LabelQueue(a, s.name+"-labels-"+a)
		admin := s.file.VendorAccounts[a].Admin
		if _, seen := d.secrets[admin]; !seen {
			put(d.secrets, admin, func() (iam.Document, error) { return s.Admin(admin) })
			d.targets = append(d.targets, s.adminTarget(admin))
		}
	}
	for _, r := range People() {
		put(d.roles, "person:"+r, func() (iam.Document, error) { return s.Person(r) })
	}
	put(d.roles, "rotatenow", s.RotateNow)
	put(d.roles, "schedule", s.Schedule)
	s.watchDocuments(d, put)
	// These are printed for who wants them, who then hears of their length: it is
	// no reason not to deploy.
	offer := func(name string, build func() (iam.Document, error)) {
		put(d.roles, name, func() (iam.Document, error) {
			doc, err := build()
			if _, long := errors.AsType[*SizeError](err); long {
				err = nil
			}
			return doc, err
		})
	}
	offer("deploy", s.Deploy)
	offer("execution", s.Execution)
	if len(s.executesNetworks()) > 0 {
		offer("execution-networks", s.ExecutionNetworks)
	}
	put(d.keys, "secrets", func() (iam.Document, error) { return s.SecretsKey(s.env.Region) })
	put(d.keys, "data", s.DataKey)
	put(d.keys, "topics", s.TopicsKey)
	shapes, vendors := map[string]bool{}, map[string]bool{}
	for _, k := range s.file.Keys {
		doc, err := s.Secret(k) // every one: its size is a limit
		wrong = append(wrong, err)
		if shape := s.shape(k); !shapes[shape] || !vendors[k.VendorAccount] {
			shapes[shape], vendors[k.VendorAccount] = true, true
			d.secrets[k.Name] = doc
			d.targets = append(d.targets, s.keyTarget(k))
		}
	}
	return d, errors.Join(wrong...)
}

// putting builds a document, and puts it into one of the maps.
type putting func(to map[string]iam.Document, name string, build func() (iam.Document, error))

// watchDocuments are those of what watches and reviews.
func (s *Site) watchDocuments(d *documents, put putting) {
	put(d.roles, "audit", s.Audit)
	put(d.roles, "review", s.Review)
	s.chatDocuments(d, put)
	put(d.keys, "ledger", s.LedgerKey)
	d.queues["trail"], d.queues["trail-dlq"], d.queues["ledger"] = s.TrailQueue("trail"), s.TrailQueue("trail-dlq"), s.LedgerBucket()
	put(d.queues, "trail-bucket", s.TrailBucket)
	put(d.queues, "trail-key", s.TrailKey)
	put(d.queues, "checkpoint-bucket", s.CheckpointBucket)
	d.secrets[s.CanaryName()] = s.Canary()
}

func (s *Site) keyTarget(k keysfile.Key) *target {
	return &target{name: k.Name, arn: s.here("secretsmanager", "secret:"+k.Name+"-AbCdEf"), accounts: []string{k.VendorAccount}, key: &k, tagged: !k.Existing}
}

func (s *Site) adminTarget(secret string) *target {
	t := &target{name: secret, arn: s.here("secretsmanager", "secret:"+secret+"-AbCdEf")}
	for _, a := range s.accounts() {
		if s.file.VendorAccounts[a].Admin == secret {
			t.accounts = append(t.accounts, a)
		}
	}
	return t
}

// shape is everything about a key that its policy depends on, but names and
// addresses.
func (s *Site) shape(k keysfile.Key) string {
	var kinds []string
	for _, r := range k.Readers {
		kinds = append(kinds, s.readerKind(k, r))
	}
	a := k.Allow
	return fmt.Sprint(k.Existing, sorted(kinds), len(a.CIDRs) > 0, slices.ContainsFunc(a.CIDRs, func(c string) bool { return strings.Contains(c, ":") }),
		len(a.VPCEndpoints) > 0, a.Organization != "", a.RequireMFA)
}

// readerKind is what a reader is, and whether it is of another account.
func (s *Site) readerKind(k keysfile.Key, arn string) string {
	kind := "role"
	switch {
	case slices.Contains(k.Allow.Machines, arn):
		kind = "machine"
	case slices.Contains(k.Allow.PermissionSets, permissionSet(arn)):
		kind = "trusted permission set"
	case permissionSet(arn) != "":
		kind = "permission set"
	case strings.Contains(arn, ":user/"):
		kind = "user"
	}
	if strings.Split(arn, ":")[4] != s.env.Account {
		kind += " of another account"
	}
	return kind
}

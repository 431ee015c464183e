package rights

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/keyturn/keyturn/infra/access"
	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/keysfile"
	"github.com/keyturn/keyturn/test/cloud/wire"
	"github.com/keyturn/keyturn/test/fault"
)

// reasons are the rights that no call of the functions' own code shows.
func reasons() map[string]string {
	const kms = "Secrets Manager asks KMS with the caller's rights; the local AWS has no CMK"
	const lambda = "Lambda itself uses it: the event source mapping of the label queue"
	return map[string]string{
		"kms:Decrypt": kms, "kms:GenerateDataKey": kms,
		"sqs:DeleteMessage": lambda, "sqs:GetQueueAttributes": lambda, "sqs:ReceiveMessage": lambda,
		"logs:CreateLogStream": "Lambda writes the log", "logs:PutLogEvents": "Lambda writes the log",
	}
}

func site(t *testing.T) *access.Site {
	t.Helper()
	s, err := access.New(&keysfile.File{
		Notifications:  keysfile.Notifications{Escalation: &keysfile.Escalation{}},
		VendorAccounts: map[string]keysfile.VendorAccount{account: {Admin: "keyturn/admin/" + account}},
		Keys:           []keysfile.Key{{Name: secret, VendorAccount: account}, {Name: existing, VendorAccount: account, Existing: true}},
	}, access.Environment{Account: wire.Account, Region: wire.Region})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// roles are the documents of the functions' roles.
func roles(t *testing.T) map[string]iam.Document {
	t.Helper()
	s, all := site(t), map[string]iam.Document{}
	for name, build := range map[string]func() (iam.Document, error){
		rotator: func() (iam.Document, error) { return s.Rotate(account) }, retirer: func() (iam.Document, error) { return s.Retire(account) },
		s.RotateNowName(): s.RotateNow,
	} {
		d, err := build()
		if err != nil {
			t.Fatal(err)
		}
		all[name] = d
	}
	return all
}

// allows asks a document about a call, where the other side lets everything in. The
// secrets' tags are those that the deployment gives them.
func allows(d iam.Document, c Call) (iam.Decision, error) {
	r := iam.Request{
		Principal: iam.NewSession("arn:aws:iam::"+wire.Account+":role/"+c.Function, "run"), Action: c.Action, Resource: c.Resource,
		Context: map[string][]string{"aws:SecureTransport": {"true"}}, Absent: []string{"aws:ResourceTag/*", "kms:ViaService", "kms:EncryptionContext:*"},
	}
	if strings.Contains(c.Resource, ":secret:"+secret+"-") {
		r.Context["aws:ResourceTag/"+access.TagInstallation] = []string{"keyturn"}
		r.Context["aws:ResourceTag/"+access.TagVendorAccount] = []string{account}
	}
	for key, value := range map[string]string{"iam:PassedToService": c.To, "kms:RequestAlias": c.Alias, "s3:if-none-match": map[bool]string{true: "*"}[c.Once]} {
		if value == "" {
			r.Absent = append(r.Absent, key)
		} else {
			r.Context[key] = []string{value}
		}
	}
	p := iam.Policies{Identity: []iam.Policy{{Name: c.Function, Document: d}}}
	if strings.HasPrefix(c.Action, "kms:") {
		p.Resource = &iam.Policy{Name: "the key policy", Document: iam.Document{Version: iam.Version, Statement: []iam.Statement{{
			Effect: iam.Allow, Principal: &iam.Principals{AWS: iam.Strings{"arn:aws:iam::" + wire.Account + ":root"}}, Action: iam.Strings{"kms:*"}, Resource: iam.Strings{"*"},
		}}}}
	}
	return iam.Evaluate(r, p)
}

// compare says which recorded calls a role does not allow, and which of its
// rights no call has used.
func compare(function string, d iam.Document, calls map[Call]int) (missing, spare []string) {
	for c := range calls {
		if c.Function != function {
			continue
		}
		if got, err := allows(d, c); err != nil || got.Effect != iam.Allowed {
			missing = append(missing, fmt.Sprintf("%s: %s of %s: %s %v", function, c.Action, c.Resource, got, err))
		}
	}
	for _, s := range d.Statement {
		for _, action := range s.Action {
			for _, resource := range s.Resource {
				right := s
				right.Action, right.Resource = iam.Strings{action}, iam.Strings{resource}
				if s.Effect == iam.Allow && !used(function, right, calls) && reasons()[action] == "" {
					spare = append(spare, fmt.Sprintf("%s: %s of %s, by %s", function, action, resource, s.Sid))
				}
			}
		}
	}
	slices.Sort(missing)
	return missing, spare
}

func used(function string, right iam.Statement, calls map[Call]int) bool {
	for c := range calls {
		if c.Function != function {
			continue
		}
		got, err := allows(iam.Document{Version: iam.Version, Statement: []iam.Statement{right}}, c)
		if err == nil && got.Effect == iam.Allowed {
			return true
		}
	}
	return false
}

// record is what all lives took.
type record struct {
	once  sync.Once
	calls map[Call]int
}

var recorded = sync.OnceValue(func() *record { return &record{calls: map[Call]int{}} })

// lives lets keys of every strategy live, once for all tests.
func lives(t *testing.T) map[Call]int {
	t.Helper()
	all := recorded()
	all.once.Do(func() {
		subjects := fault.Subjects()
		if testing.Short() {
			subjects = subjects[:1]
		}
		for _, s := range subjects {
			if !s.Again { // else another vendor shows this strategy, too
				all.live(t, s, true)
			}
			if s.Adopted || s.Name == "dualslot-fill" {
				all.live(t, s, false)
			}
		}
	})
	if len(all.calls) == 0 {
		t.Fatal("no key has lived")
	}
	return all.calls
}

func (all *record) live(t *testing.T, s fault.Subject, ours bool) {
	t.Helper()
	var log diary
	synctest.Test(t, func(t *testing.T) {
		r, err := Live(t.Context(), s, ours, &log)
		if err != nil {
			t.Errorf("%v\n%s", err, tail(log.String()))
			return
		}
		calls, odd := r.Calls()
		for _, o := range odd {
			t.Errorf("%s: %s, which this test does not know", s.Name, o)
		}
		for c, n := range calls {
			all.calls[c] += n
		}
		t.Logf("%s: %d rights used", s.Name, len(calls))
	})
}

// diary is a log that several functions write at once.
type diary struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (d *diary) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.b.Write(p)
}

// String returns what was written.
func (d *diary) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.b.String()
}

func tail(s string) string { return s[max(0, len(s)-1500):] }

// Nothing missing, nothing spare; what is spare, one life does not show.
func TestRolesAreWhatTheLivesOfKeysTake(t *testing.T) {
	t.Parallel()
	calls := lives(t)
	for function, d := range roles(t) {
		missing, spare := compare(function, d, calls)
		for _, m := range missing {
			t.Errorf("missing: %s", m)
		}
		if testing.Short() {
			continue
		}
		for _, s := range spare {
			t.Errorf("spare: %s", s)
		}
	}
}

// A right more or a right less must not go unseen.
func TestComparisonSeesEveryChangeOfARole(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("one life does not use every right")
	}
	calls := lives(t)
	for function, d := range roles(t) {
		seesEveryChange(t, function, d, calls)
	}
}

// seesEveryChange takes each right of a role away, and gives others: both must show.
func seesEveryChange(t *testing.T, function string, d iam.Document, calls map[Call]int) {
	t.Helper()
	_, before := compare(function, d, calls)
	for i, s := range d.Statement {
		for j, action := range s.Action {
			if reasons()[action] != "" {
				continue
			}
			less := d.Clone()
			less.Statement[i].Action = slices.Delete(slices.Clone(s.Action), j, j+1)
			if len(s.Action) == 1 {
				less.Statement = slices.Delete(less.Statement, i, i+1)
			}
			if missing, _ := compare(function, less, calls); len(missing) == 0 {
				t.Errorf("%s without %s of %s: not seen", function, action, s.Sid)
			}
		}
		more := d.Clone()
		more.Statement[i].Action = append(more.Statement[i].Action, "secretsmanager:DeleteSecret", "dynamodb:Scan")
		if _, spare := compare(function, more, calls); len(spare) < len(before)+2 {
			t.Errorf("%s with two rights more in %s: not seen", function, s.Sid)
		}
		if s.Resource[0] == "*" {
			continue
		}
		wide := d.Clone()
		wide.Statement[i].Resource = append(wide.Statement[i].Resource, strings.Replace(s.Resource[0], "keyturn", "other", 1)+"-proof")
		if _, spare := compare(function, wide, calls); len(spare) <= len(before) && !excused(s) {
			t.Errorf("%s with another resource in %s: not seen", function, s.Sid)
		}
	}
}

// excused is a statement whose rights no call shows.
func excused(s iam.Statement) bool {
	return !slices.ContainsFunc(s.Action, func(a string) bool { return reasons()[a] == "" })
}

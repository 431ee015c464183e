package access

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/keysfile"
)

func TestSecretPolicyIsWhatTheDesignSays(t *testing.T) {
	t.Parallel()
	s, err := New(sample(), home)
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.Secret(keysfile.Key{
		Name: "prod/mail", VendorAccount: "sendgrid-main", Readers: []string{role("mailer"), trustedRole},
		Allow: keysfile.Allow{CIDRs: []string{"203.0.113.0/24"}, VPCEndpoints: []string{"vpce-0abc"}, Organization: "o-a1", RequireMFA: true, PermissionSets: []string{"Support"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.Text()
	if err != nil {
		t.Fatal(err)
	}
	ours := `"arn:aws:iam::111122223333:role/keyturn/corp-keyturn-retire-sendgrid-main","arn:aws:iam::111122223333:role/keyturn/corp-keyturn-rotate-sendgrid-main"`
	deny := func(sid, condition string) string {
		return `{"Sid":"` + sid + `","Effect":"Deny","Principal":"*","Action":["secretsmanager:BatchGetSecretValue","secretsmanager:GetSecretValue"],"Resource":"*","Condition":{` + condition + `}}`
	}
	want := `{"Version":"2012-10-17","Statement":[` + strings.Join([]string{
		`{"Sid":"ReadersRead","Effect":"Allow","Principal":{"AWS":["` + trustedRole + `","` + role("mailer") + `"]},"Action":["secretsmanager:DescribeSecret","secretsmanager:GetSecretValue"],"Resource":"*"}`,
		deny("OnlyReadersRead", `"ArnNotEquals":{"aws:PrincipalArn":["`+trustedRole+`",`+ours+`,"`+role("mailer")+`"]}`),
		deny("OnlyFromNetwork", `"ArnNotEquals":{"aws:PrincipalArn":[`+ours+`]},"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"},"StringNotEquals":{"aws:SourceVpce":"vpce-0abc"}`),
		deny("OnlyFromOrganization", `"ArnNotEquals":{"aws:PrincipalArn":[`+ours+`]},"StringNotEquals":{"aws:PrincipalOrgID":"o-a1"}`),
		deny("OnlyWithMFA", `"ArnNotEquals":{"aws:PrincipalArn":["`+trustedRole+`",`+ours+`]},"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}`),
	}, ",") + `]}`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNewTellsEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	f := sample()
	long := strings.Repeat("v", 50)
	f.VendorAccounts[long] = keysfile.VendorAccount{}
	f.Access.Viewers = []string{"arn:aws:iam::111122223333:root"}
	f.Keys = []keysfile.Key{{
		Name: "k", VendorAccount: "nobody",
		Readers: []string{"*", "arn:aws:sts::111122223333:assumed-role/x/y", role("x*"), "arn:aws:iam::111122223333:role/AWSReservedSSO_Support_0123456789abcdef"},
		Allow:   keysfile.Allow{CIDRs: []string{"10.0.0.1"}, Machines: []string{role("not-a-reader")}},
	}}
	_, err := New(f, Environment{Account: "1111"})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`account "1111"`, long, `"arn:aws:iam::111122223333:root"`, `"nobody" is not declared`, `reader: "*"`, "assumed-role", `role/x*"`,
		"Identity Center: give its whole ARN", `"10.0.0.1" is not a CIDR`, "not-a-reader",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing about %q in:\n%v", want, err)
		}
	}
}

func TestSizesAreChecked(t *testing.T) {
	t.Parallel()
	many := func(n int, name string) (list []string) {
		for i := range n {
			list = append(list, role(fmt.Sprintf("%s-%d", name, i)))
		}
		return list
	}
	for name, tc := range map[string]struct {
		change func(f *keysfile.File)
		policy string
		most   int
	}{
		"readers of a key": {func(f *keysfile.File) { f.Keys[0].Readers = many(400, "reader") }, `the resource policy of "plain"`, MaxResourcePolicy},
		"secrets that exist": {func(f *keysfile.File) {
			for i := range 200 {
				f.Keys = append(f.Keys, keysfile.Key{Name: fmt.Sprintf("team/existing-secret-%d", i), VendorAccount: "openai-lab", Existing: true})
			}
		}, "the policy of keyturn-rotate-openai-lab", MaxRolePolicies},
		"admin credentials": {func(f *keysfile.File) {
			for i := range 80 {
				f.VendorAccounts[fmt.Sprint("v", i)] = keysfile.VendorAccount{Admin: fmt.Sprint("keyturn/admin/vendor-", i)}
			}
		}, "the managed policy keyturn-admin", MaxManagedPolicy},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := sample()
			tc.change(f)
			_, err := Prove(f, home)
			size, ok := errors.AsType[*SizeError](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			if size.Policy != tc.policy || size.Max != tc.most || size.Advice == "" {
				t.Errorf("got %+v", size)
			}
		})
	}
}

// TestOfferedPoliciesMayBeLong: with more keys that exist than CloudFormation's
// least rights have room for, everything else is deployed and proven.
func TestOfferedPoliciesMayBeLong(t *testing.T) {
	t.Parallel()
	f := sample()
	for i := range 30 {
		f.Keys = append(f.Keys, keysfile.Key{Name: fmt.Sprintf("team/existing-secret-%d", i), VendorAccount: "openai-lab", Existing: true})
	}
	s, err := New(f, home)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Execution()
	if _, long := errors.AsType[*SizeError](err); !long {
		t.Errorf("the policy fits: %v", err)
	}
	if _, err := s.Prove(); err != nil {
		t.Error(err)
	}
}

// TestExistingKeysOfOneAccount finds how many keys with secrets that exist one
// vendor account takes, and that the error says as many.
func TestExistingKeysOfOneAccount(t *testing.T) {
	t.Parallel()
	with := func(n int) error {
		_, err := Prove(existingOnly(n), home)
		return err
	}
	const most = 84
	if err := with(most); err != nil {
		t.Errorf("%d keys: %v", most, err)
	}
	s, err := New(existingOnly(1000), home) // in many vendor accounts; the review is of all of them
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Review(); err != nil {
		t.Error(err)
	}
	err = with(most + 1)
	size, long := errors.AsType[*SizeError](err)
	if !long || size.Policy != "the policy of keyturn-retire-sendgrid-main" || !strings.HasPrefix(size.Advice, fmt.Sprintf("it has room for about %d of the %d keys with existing: true", most, most+1)) {
		t.Errorf("one more: %v", err)
	}
}

// existingOnly is the sample with so many keys whose secrets are not ours, and no other.
func existingOnly(n int) *keysfile.File {
	f := sample()
	f.Keys = nil
	for i := range n {
		f.Keys = append(f.Keys, keysfile.Key{Name: fmt.Sprintf("team/existing-secret-%03d", i), VendorAccount: "sendgrid-main", Existing: true})
	}
	return f
}

// TestSizesDoNotGrowWithKeys: a thousand keys of one vendor account need no
// longer policies than ten.
func TestSizesDoNotGrowWithKeys(t *testing.T) {
	t.Parallel()
	sizes := func(n int) map[string]int {
		f := sample()
		f.Keys = nil
		for i := range n {
			f.Keys = append(f.Keys, keysfile.Key{Name: fmt.Sprint("key-", i), VendorAccount: "sendgrid-main", Readers: []string{role(fmt.Sprint("reader-", i))}})
		}
		s, err := New(f, home)
		if err != nil {
			t.Fatal(err)
		}
		d, err := s.documents()
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]int{}
		for name, doc := range d.roles {
			all[name] = size(t, doc)
		}
		for name, doc := range d.keys {
			all["key "+name] = size(t, doc)
		}
		return all
	}
	ten, thousand := sizes(10), sizes(1000)
	if diff := cmp.Diff(ten, thousand); diff != "" {
		t.Error(diff)
	}
	t.Logf("characters: %v", thousand)
}

func size(t *testing.T, d iam.Document) int {
	t.Helper()
	text, err := d.Text()
	if err != nil {
		t.Fatal(err)
	}
	return len(text)
}

func TestPartitions(t *testing.T) {
	t.Parallel()
	for region, want := range map[string]string{"eu-west-1": "aws", "cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov"} {
		f := sample()
		f.Keys, f.Access = nil, keysfile.Access{}
		s, err := New(f, Environment{Account: "111122223333", Region: region})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.RoleARN("x"); got != "arn:"+want+":iam::111122223333:role/keyturn/corp-x" {
			t.Errorf("%s: %s", region, got)
		}
		if _, err := s.Prove(); err != nil {
			t.Errorf("%s: %v", region, err)
		}
		// The same with the other name that a service may have in China.
		d, err := s.documents()
		if err != nil {
			t.Fatal(err)
		}
		for name, of := range map[string]string{"secrets": "secretsmanager", "data": "dynamodb", "topics": "sns"} {
			for _, end := range []string{"amazonaws.com", "amazonaws.com.cn"} {
				r := s.request(&target{}, actor{who: s.ours()}, network{ip: "52.95.110.1"}, "kms:Decrypt", s.here("kms", "key/x"))
				r.Context["kms:ViaService"], r.Context["kms:CallerAccount"] = []string{of + "." + region + "." + end}, []string{"111122223333"}
				got, err := iam.Evaluate(r, iam.Policies{Resource: &iam.Policy{Name: name, Document: d.keys[name]}})
				if err != nil {
					t.Fatal(err)
				}
				if allowed, may := got.Effect == iam.Allowed, end == "amazonaws.com" || want == "aws-cn"; allowed != may {
					t.Errorf("%s: the key of %s through %s.%s.%s: %s", region, name, of, region, end, got)
				}
			}
		}
	}
}

// TestProofBlames loosens a policy as a careless hand would, and wants the
// statement to be named.
func TestProofBlames(t *testing.T) {
	t.Parallel()
	s, err := New(sample(), home)
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.documents()
	if err != nil {
		t.Fatal(err)
	}
	doc := d.roles["rotatenow"].Clone()
	doc.Statement = append(doc.Statement, allow("Careless", iam.Strings{"secretsmanager:*"}, iam.Strings{"*"}, nil))
	d.roles["rotatenow"] = doc
	_, err = s.prove(d)
	wrong, ok := errors.AsType[*WrongError](err)
	if !ok {
		t.Fatalf("got %v", err)
	}
	if len(wrong.Cells) == 0 || !strings.Contains(err.Error(), "rotatenow function from") || !strings.Contains(err.Error(), "but is allowed by Careless of the policy rotatenow") {
		t.Errorf("got %v", err)
	}
}

package gather

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	orgtypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"

	"github.com/keyturn/keyturn/shared/keyrecord"
)

const number = "111122223333"

// account is an AWS account: what a Gatherer asks for, with rights that can be taken.
type account struct {
	roles   []iamtypes.RoleDetail
	secrets map[string]*sm.DescribeSecretOutput // by name
	policy  map[string]string                   // of secrets, by name
	keys    map[string]string                   // policies, by ARN
	aliases map[string]string                   // ARNs
	parents map[string]string
	scps    map[string][]string // documents by target
	main    string              // the management account; "": no organization
	books   map[string]keyrecord.Book

	mu     sync.Mutex
	code   string          // of what is denied; "": AccessDeniedException
	denied map[string]bool // by operation, or operation and name
	calls  map[string]int
	at     int // calls now
	most   int
}

func (a *account) call(op, name string) (func(), error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.calls == nil {
		a.calls = map[string]int{}
	}
	a.calls[op]++
	a.at++
	a.most = max(a.most, a.at)
	end := func() { a.mu.Lock(); a.at--; a.mu.Unlock() }
	if a.denied[op] || a.denied[op+" "+name] {
		return end, &smithy.GenericAPIError{Code: cmp.Or(a.code, "AccessDeniedException"), Message: "User is not authorized to perform " + op}
	}
	return end, nil
}

func (a *account) GetAccountAuthorizationDetails(_ context.Context, in *iam.GetAccountAuthorizationDetailsInput, _ ...func(*iam.Options)) (*iam.GetAccountAuthorizationDetailsOutput, error) {
	end, err := a.call("GetAccountAuthorizationDetails", aws.ToString(in.Marker))
	defer end()
	if err != nil {
		return nil, err
	}
	from, _ := strconv.Atoi(aws.ToString(in.Marker))
	to := min(from+2, len(a.roles)) // small pages
	out := &iam.GetAccountAuthorizationDetailsOutput{RoleDetailList: a.roles[from:to]}
	if to < len(a.roles) {
		out.IsTruncated, out.Marker = true, aws.String(strconv.Itoa(to))
	}
	return out, nil
}

func (a *account) ListSecrets(_ context.Context, in *sm.ListSecretsInput, _ ...func(*sm.Options)) (*sm.ListSecretsOutput, error) {
	end, err := a.call("ListSecrets", "")
	defer end()
	if err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(a.secrets))
	from, _ := strconv.Atoi(aws.ToString(in.NextToken))
	out := &sm.ListSecretsOutput{}
	for _, n := range names[from:min(from+2, len(names))] {
		out.SecretList = append(out.SecretList, smtypes.SecretListEntry{ARN: a.secrets[n].ARN, Name: &n})
	}
	if from+2 < len(names) {
		out.NextToken = aws.String(strconv.Itoa(from + 2))
	}
	return out, nil
}

func (a *account) find(id string) (string, error) {
	for name, s := range a.secrets {
		if id == name || id == *s.ARN {
			return name, nil
		}
	}
	return "", &smithy.GenericAPIError{Code: "ResourceNotFoundException"}
}

func (a *account) DescribeSecret(_ context.Context, in *sm.DescribeSecretInput, _ ...func(*sm.Options)) (*sm.DescribeSecretOutput, error) {
	name, err := a.find(*in.SecretId)
	end, denied := a.call("DescribeSecret", name)
	defer end()
	if denied != nil {
		return nil, denied
	}
	return a.secrets[name], err
}

func (a *account) GetResourcePolicy(_ context.Context, in *sm.GetResourcePolicyInput, _ ...func(*sm.Options)) (*sm.GetResourcePolicyOutput, error) {
	name, err := a.find(*in.SecretId)
	end, denied := a.call("GetResourcePolicy", name)
	defer end()
	if denied != nil {
		return nil, denied
	}
	out := &sm.GetResourcePolicyOutput{}
	if p := a.policy[name]; p != "" {
		out.ResourcePolicy = &p
	}
	return out, err
}

func (a *account) arn(id string) string {
	if to := a.aliases[id]; to != "" {
		return to
	}
	return id
}

func (a *account) DescribeKey(_ context.Context, in *kms.DescribeKeyInput, _ ...func(*kms.Options)) (*kms.DescribeKeyOutput, error) {
	end, err := a.call("DescribeKey", *in.KeyId)
	defer end()
	if err != nil {
		return nil, err
	}
	return &kms.DescribeKeyOutput{KeyMetadata: &kmstypes.KeyMetadata{Arn: aws.String(a.arn(*in.KeyId))}}, nil
}

func (a *account) GetKeyPolicy(_ context.Context, in *kms.GetKeyPolicyInput, _ ...func(*kms.Options)) (*kms.GetKeyPolicyOutput, error) {
	end, err := a.call("GetKeyPolicy", *in.KeyId)
	defer end()
	if err != nil {
		return nil, err
	}
	return &kms.GetKeyPolicyOutput{Policy: aws.String(a.keys[*in.KeyId])}, nil
}

func (a *account) DescribeOrganization(context.Context, *organizations.DescribeOrganizationInput, ...func(*organizations.Options)) (*organizations.DescribeOrganizationOutput, error) {
	end, err := a.call("DescribeOrganization", "")
	defer end()
	if err != nil {
		return nil, err
	}
	if a.main == "" {
		return nil, &orgtypes.AWSOrganizationsNotInUseException{}
	}
	return &organizations.DescribeOrganizationOutput{Organization: &orgtypes.Organization{MasterAccountId: &a.main}}, nil
}

func (a *account) ListParents(_ context.Context, in *organizations.ListParentsInput, _ ...func(*organizations.Options)) (*organizations.ListParentsOutput, error) {
	end, err := a.call("ListParents", *in.ChildId)
	defer end()
	if err != nil {
		return nil, err
	}
	return &organizations.ListParentsOutput{Parents: []orgtypes.Parent{{Id: aws.String(a.parents[*in.ChildId])}}}, nil
}

func (a *account) ListPoliciesForTarget(_ context.Context, in *organizations.ListPoliciesForTargetInput, _ ...func(*organizations.Options)) (*organizations.ListPoliciesForTargetOutput, error) {
	end, err := a.call("ListPoliciesForTarget", *in.TargetId)
	defer end()
	if err != nil {
		return nil, err
	}
	out := &organizations.ListPoliciesForTargetOutput{}
	for i := range a.scps[*in.TargetId] {
		id := *in.TargetId + "/" + strconv.Itoa(i)
		out.Policies = append(out.Policies, orgtypes.PolicySummary{Id: &id, Name: &id})
	}
	return out, nil
}

func (a *account) DescribePolicy(_ context.Context, in *organizations.DescribePolicyInput, _ ...func(*organizations.Options)) (*organizations.DescribePolicyOutput, error) {
	end, err := a.call("DescribePolicy", *in.PolicyId)
	defer end()
	if err != nil {
		return nil, err
	}
	target, n, _ := strings.Cut(*in.PolicyId, "/")
	i, _ := strconv.Atoi(n)
	return &organizations.DescribePolicyOutput{Policy: &orgtypes.Policy{Content: &a.scps[target][i]}}, nil
}

func (a *account) Load(_ context.Context, name string) (keyrecord.Book, error) {
	end, err := a.call("Load", name)
	defer end()
	return a.books[name], err
}

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func role(name string) string { return "arn:aws:iam::" + number + ":role/" + name }

func secretARN(name string) string {
	return "arn:aws:secretsmanager:eu-central-1:" + number + ":secret:" + name + "-AbCdEf"
}

func document(effect, action string) string {
	return `{"Version":"2012-10-17","Statement":[{"Sid":"S","Effect":"` + effect + `","Action":"` + action + `","Resource":"*"}]}`
}

// newAccount has three roles that may read, of which one is ours, and two keys.
func newAccount() *account {
	a := &account{
		secrets: map[string]*sm.DescribeSecretOutput{}, policy: map[string]string{}, denied: map[string]bool{}, books: map[string]keyrecord.Book{},
		keys:    map[string]string{"arn:aws:kms:eu-central-1:" + number + ":key/one": document("Allow", "kms:*")},
		aliases: map[string]string{"alias/keyturn": "arn:aws:kms:eu-central-1:" + number + ":key/one"},
	}
	// The key's policy gives the right to the account's policies.
	a.keys["arn:aws:kms:eu-central-1:"+number+":key/one"] = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + number + `:root"},"Action":"kms:*","Resource":"*"}]}`
	for _, name := range []string{"web", "old", "keyturn-rotate-main"} {
		encoded := strings.ReplaceAll(document("Allow", "*"), `"`, "%22") // as IAM answers
		a.roles = append(a.roles, iamtypes.RoleDetail{
			Arn: aws.String(role(name)), RoleId: aws.String("AROA" + strings.ToUpper(name)), RoleName: aws.String(name),
			RolePolicyList: []iamtypes.PolicyDetail{{PolicyName: aws.String("all"), PolicyDocument: &encoded}},
		})
	}
	for _, name := range []string{"prod/mailer", "prod/shop", "admin/main"} {
		a.secrets[name] = &sm.DescribeSecretOutput{
			ARN: aws.String(secretARN(name)), Name: &name, RotationEnabled: aws.Bool(true), CreatedDate: aws.Time(now.AddDate(-1, 0, 0)),
			LastRotatedDate: aws.Time(now.AddDate(0, 0, -10)), LastChangedDate: aws.Time(now.AddDate(0, 0, -10)),
			RotationRules:      &smtypes.RotationRulesType{ScheduleExpression: aws.String("rate(30 days)")},
			VersionIdsToStages: map[string][]string{"v1": {"AWSCURRENT"}, "v0": {"AWSPREVIOUS"}}, KmsKeyId: aws.String("alias/keyturn"),
		}
	}
	a.secrets["admin/main"].RotationEnabled, a.secrets["admin/main"].RotationRules, a.secrets["admin/main"].KmsKeyId = nil, nil, nil
	return a
}

func (a *account) gatherer() *Gatherer {
	return &Gatherer{
		Account: number, Partition: "aws", Region: "eu-central-1", IAM: a, Secrets: a, KMS: a, Organization: a, Records: a,
		Now: func() time.Time { return now },
	}
}

func asJSON(tb testing.TB, v any) string {
	tb.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

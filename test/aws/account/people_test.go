//go:build aws

package account_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/keyturn/keyturn/shared/awserror"
	"github.com/keyturn/keyturn/test/aws/own"
)

func (r *run) iam(action string, in url.Values, out any) {
	r.Helper()
	r.must(own.Query(r.ctx, r.cfg, "iam", own.IAMVersion, action, in, out))
}

func policy(statements ...map[string]any) string {
	b, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		panic(err) // text only
	}
	return string(b)
}

func allow(resource string, actions ...string) map[string]any {
	return map[string]any{"Effect": "Allow", "Action": actions, "Resource": resource}
}

// principalNamed makes a user or a role with a tag and one inline policy.
func (r *run) principalNamed(kind, name, trust string, statements ...map[string]any) {
	r.Helper()
	in := url.Values{kind + "Name": {name}, "Tags.member.1.Key": {own.Tag}, "Tags.member.1.Value": {r.Name}}
	if trust != "" {
		in.Set("AssumeRolePolicyDocument", trust)
	}
	r.iam("Create"+kind, in, nil)
	if len(statements) > 0 {
		r.iam("Put"+kind+"Policy", url.Values{kind + "Name": {name}, "PolicyName": {own.PolicyName}, "PolicyDocument": {policy(statements...)}}, nil)
	}
}

// people makes the user whose keys rotate, the one that may rotate them, whose
// key is the admin credential, and two roles: one that may read, and one that
// has every right to Secrets Manager of itself and still may not.
func (r *run) people() {
	r.Helper()
	r.principalNamed("User", r.User(), "")
	admin := r.Name + "-admin"
	user := "arn:aws:iam::" + r.place.Account + ":user/" + r.User()
	r.principalNamed("User", admin, "",
		allow(user, "iam:CreateAccessKey", "iam:ListAccessKeys", "iam:UpdateAccessKey", "iam:DeleteAccessKey"),
		allow("*", "iam:GetAccessKeyLastUsed"))
	var key struct {
		ID     string `xml:"CreateAccessKeyResult>AccessKey>AccessKeyId"`
		Secret string `xml:"CreateAccessKeyResult>AccessKey>SecretAccessKey"`
	}
	r.iam("CreateAccessKey", url.Values{"UserName": {admin}}, &key)
	r.adminSecret(accessKey{key.ID, key.Secret})
	trust := policy(map[string]any{"Effect": "Allow", "Principal": map[string]any{"AWS": r.caller}, "Action": "sts:AssumeRole"})
	r.principalNamed("Role", r.Name+"-reader", trust)
	r.principalNamed("Role", r.Name+"-stranger", trust, allow("*", "secretsmanager:*", "kms:*"))
}

// assume takes a role. IAM takes a while to know a new one.
func (r *run) assume(role string) aws.Config {
	r.Helper()
	var last error
	for range 20 {
		out, err := sts.NewFromConfig(r.cfg).AssumeRole(r.ctx, &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("test")})
		if err == nil {
			cfg := r.cfg.Copy()
			c := out.Credentials
			cfg.Credentials = credentials.NewStaticCredentialsProvider(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken)
			return cfg
		}
		last = err
		r.pause(5 * time.Second)
	}
	r.Fatal(last)
	return aws.Config{}
}

func (r *run) pause(d time.Duration) {
	r.Helper()
	select {
	case <-time.After(d):
	case <-r.ctx.Done():
		r.Fatal("interrupted")
	}
}

// value is the current key, as this caller reads it.
func (r *run) value(cfg aws.Config) accessKey {
	r.Helper()
	out, err := sm.NewFromConfig(cfg).GetSecretValue(r.ctx, &sm.GetSecretValueInput{SecretId: aws.String(r.Key())})
	r.must(err)
	var v struct {
		ID     string `json:"accessKeyId"`
		Secret string `json:"secretAccessKey"`
	}
	if json.Unmarshal([]byte(aws.ToString(out.SecretString)), &v) != nil {
		r.Fatal("the value is not what the vendor's keys are stored as")
	}
	return accessKey(v)
}

// user is whose key it is, as AWS says to whoever has it; an error's code if it
// does not work.
func (r *run) user(k accessKey) string {
	r.Helper()
	cfg := r.cfg.Copy()
	cfg.Credentials = credentials.NewStaticCredentialsProvider(k.ID, k.Secret, "")
	out, err := sts.NewFromConfig(cfg).GetCallerIdentity(r.ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return codeOf(err)
	}
	arn := aws.ToString(out.Arn)
	return arn[strings.LastIndex(arn, "/")+1:]
}

func codeOf(err error) string {
	if err == nil {
		return "ok"
	}
	if c := awserror.Code(err); c != "" {
		return c
	}
	return "no answer"
}

// matrix checks cells of the proof of access on real IAM: those who hold real
// credentials by trying, the functions' roles by asking IAM.
func (r *run) matrix(reader aws.Config) {
	r.Helper()
	stranger := r.assume("arn:aws:iam::" + r.place.Account + ":role/" + r.Name + "-stranger")
	for _, tt := range []struct {
		who, secret string
		cfg         aws.Config
		want        string
	}{
		{"reader", r.Key(), reader, "ok"},
		{"stranger with every right", r.Key(), stranger, "AccessDeniedException"},
		{"caller, an administrator", r.Key(), r.cfg, "AccessDeniedException"},
		{"reader", r.Admin(), reader, "AccessDeniedException"},
	} {
		_, err := sm.NewFromConfig(tt.cfg).GetSecretValue(r.ctx, &sm.GetSecretValueInput{SecretId: &tt.secret})
		if got := codeOf(err); got != tt.want {
			r.Errorf("%s reads %s: %s, want %s", tt.who, tt.secret, got, tt.want)
		}
	}
	_, err := sm.NewFromConfig(reader).PutSecretValue(r.ctx, &sm.PutSecretValueInput{SecretId: aws.String(r.Key()), SecretString: aws.String("not a key")})
	if got := codeOf(err); got != "AccessDeniedException" {
		r.Errorf("the reader writes the key: %s", got)
	}
	for _, tt := range []struct{ role, account, action, want string }{
		{"-rotate-users", "users", "secretsmanager:GetSecretValue", "allowed"},
		{"-rotate-users", "users", "secretsmanager:PutSecretValue", "allowed"},
		{"-rotate-users", "users", "secretsmanager:DeleteSecret", "implicitDeny"},
		{"-rotate-users", "others", "secretsmanager:GetSecretValue", "implicitDeny"},
		{"-retire-users", "users", "secretsmanager:PutSecretValue", "implicitDeny"},
		{"-rotatenow", "users", "secretsmanager:GetSecretValue", "implicitDeny"},
	} {
		if got := r.simulate(r.Name+tt.role, tt.account, tt.action); got != tt.want {
			r.Errorf("the role %s, %s of a key of %s: %s, want %s", tt.role, tt.action, tt.account, got, tt.want)
		}
	}
}

// simulate asks IAM what a role may do with a secret that has these tags.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
func (r *run) simulate(role, account, action string) string {
	r.Helper()
	in := url.Values{
		"PolicySourceArn":       {"arn:aws:iam::" + r.place.Account + ":role/" + role},
		"ActionNames.member.1":  {action},
		"ResourceArns.member.1": {"arn:aws:secretsmanager:" + r.place.Region + ":" + r.place.Account + ":secret:some/other-AbCdEf"},
	}
	for i, tag := range [][2]string{{own.Tag, r.Name}, {"keyturn:vendor-account", account}} {
		entry := fmt.Sprintf("ContextEntries.member.%d.", i+1)
		in.Set(entry+"ContextKeyName", "aws:ResourceTag/"+tag[0])
		in.Set(entry+"ContextKeyType", "string")
		in.Set(entry+"ContextKeyValues.member.1", tag[1])
	}
	var out struct {
		Decision string `xml:"SimulatePrincipalPolicyResult>EvaluationResults>member>EvalDecision"`
	}
	r.iam("SimulatePrincipalPolicy", in, &out)
	return out.Decision
}

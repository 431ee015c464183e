package review

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/iam"
)

const (
	account = "111122223333"
	roles   = "arn:aws:iam::" + account + ":role/"
	cmk     = "arn:aws:kms:eu-central-1:" + account + ":key/one"
)

func secretARN(name string) string {
	return "arn:aws:secretsmanager:eu-central-1:" + account + ":secret:" + name + "-AbCdEf"
}

// pieces are what random policies are made of; what none of the code knows is among them.
func statement(r *rand.Rand) string {
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	condition := pick("", "", "", "", "", "", "", "",
		`,"Condition":{"StringEquals":{"aws:ResourceTag/team":"a"}}`,
		`,"Condition":{"StringEquals":{"aws:PrincipalTag/team":"a"}}`,
		`,"Condition":{"StringNotEqualsIgnoreCase":{"aws:PrincipalArn":"`+roles+`ROLE-3"}}`,
		`,"Condition":{"ArnLike":{"aws:PrincipalArn":"`+roles+`role-1*"}}`,
		`,"Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`,
		`,"Condition":{"NumericLessThan":{"aws:ResourceTag/team":"5"}}`,
		`,"Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"true"}}`,
		`,"Condition":{"StringLike":{"aws:username":"role-1?"}}`,
		`,"Condition":{"StringEqualsIfExists":{"aws:SourceVpce":"vpce-1"}}`,
		`,"Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":["a"]}}`,
		`,"Condition":{"Null":{"aws:PrincipalTag/team":"true"}}`,
		`,"Condition":{"StringEquals":{"aws:PrincipalTag/team":"${aws:ResourceTag/team}"}}`,
		pick("", "", "", `,"Condition":{"ArnNotLike":{"aws:PrincipalArn":["`+roles+`role-2*","${aws:ResourceTag/team}"]}}`),
		`,"Condition":{"DateLessThan":{"aws:CurrentTime":"2027-01-01"}}`,
		`,"Condition":{"StringEquals":{"kms:ViaService":"secretsmanager.eu-central-1.amazonaws.com"}}`)
	return `"Effect":"` + pick("Allow", "Allow", "Allow", "Deny") + `",` +
		pick(`"Action":"secretsmanager:GetSecretValue"`, `"Action":"secretsmanager:*"`, `"Action":"*"`, `"Action":["s3:*","kms:Decrypt"]`,
			`"Action":"secretsmanager:getsecretvalue"`, `"NotAction":"iam:*"`, `"Action":"secretsmanager:Desc*"`, `"Action":"secretsmanager:?etSecretValue"`) + condition
}

func identity(r *rand.Rand) string {
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	return `{"Version":"2012-10-17","Statement":[{` + statement(r) + `,` + pick(`"Resource":"*"`, `"Resource":"`+secretARN("key-1")+`"`,
		`"Resource":"arn:aws:secretsmanager:*:*:secret:key-2*"`, `"Resource":"arn:aws:secretsmanager:*:secret:key-4*"`, `"Resource":"arn:aws:secretsmanager:eu-central-1:`+account+`:secret:${aws:username}-AbCdEf"`,
		`"NotResource":"`+secretARN("key-3")+`"`, `"Resource":"arn:aws:secretsmanager:eu-central-1:`+account+`:secret:${aws:PrincipalTag/team}*"`) + `}]}`
}

func resourcePolicy(r *rand.Rand) string {
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	one := func() string {
		return `{` + statement(r) + `,"Resource":"*",` + pick(`"Principal":"*"`, `"Principal":{"AWS":"`+roles+`role-1"}`, `"Principal":{"AWS":"`+account+`"}`,
			`"Principal":{"AWS":["`+roles+`role-2","arn:aws:sts::`+account+`:assumed-role/role-4/night"]}`,
			`"Principal":{"AWS":["AROADELETEDELETEDELET","AIDAROLEROLEROLEROLE5"]}`, `"Principal":{"AWS":"arn:aws:sts::`+account+`:assumed-role/role-6/any"}`,
			`"Principal":{"AWS":"arn:aws:sts::`+account+`:federated-user/bob"}`,
			`"Principal":{"Service":"lambda.amazonaws.com"}`, `"Principal":{"AWS":"arn:aws:iam::444455556666:root"}`) + `}`
	}
	if r.IntN(40) == 0 {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Principal":{"Federated":"cognito-identity.amazonaws.com"}}]}`
	}
	if r.IntN(40) == 0 {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*","NotPrincipal":{"AWS":"` + roles + `role-1"}}]}`
	}
	return `{"Version":"2012-10-17","Statement":[` + one() + `,` + one() + `]}`
}

func randomInput(r *rand.Rand) *Input {
	in := &Input{Account: account, Partition: "aws", Region: "eu-central-1", Now: time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC), KMS: map[string]Policy{}}
	own := []string{identity(r), identity(r), identity(r), `{"broken`}
	for i := range 24 {
		p := Principal{ARN: fmt.Sprintf("%srole-%d", roles, i), Role: true}
		if r.IntN(4) == 0 {
			p = Principal{ARN: fmt.Sprintf("arn:aws:iam::%s:user/role-%d", account, i), Tags: map[string]string{"team": string(rune('a' + r.IntN(2)))}}
		}
		if i == 5 {
			p.ID = "AIDAROLEROLEROLEROLE5"
		}
		for range r.IntN(3) {
			n := r.IntN(len(own) - 1)
			if r.IntN(30) == 0 {
				n = len(own) - 1
			}
			p.Identity = append(p.Identity, Policy{fmt.Sprintf("policy-%d", n), own[n]})
		}
		if r.IntN(5) == 0 {
			p.Boundary = &Policy{"boundary", own[r.IntN(3)]}
		}
		in.Principals = append(in.Principals, p)
	}
	in.KMS[cmk] = Policy{"key", resourcePolicy(r)}
	for i := range 6 {
		s := Secret{ARN: secretARN(fmt.Sprintf("key-%d", i)), Tags: map[string]string{"team": "a"}}
		if r.IntN(3) > 0 {
			s.Policy = resourcePolicy(r)
		}
		if r.IntN(2) == 0 {
			s.KMSKey = cmk
		}
		s.PolicyUnread = r.IntN(20) == 0
		in.Secrets = append(in.Secrets, s)
	}
	if r.IntN(3) == 0 {
		d, err := iam.Parse([]byte(identity(r)))
		if err != nil {
			panic(err)
		}
		in.ServiceControl = [][]iam.Policy{{{Name: "control", Document: d}}}
	}
	return in
}

var all = flag.Bool("all", false, "compare the answers of 600 accounts, not of 300")

// The index answers as the evaluator does for each pair.
func TestIndexAnswersAsEvaluator(t *testing.T) {
	t.Parallel()
	seen := map[Can]int{}
	saved := 0
	accounts := uint64(300)
	if *all {
		accounts = 600
	}
	for seed := range accounts {
		r := rand.New(rand.NewPCG(seed, 5))
		in := randomInput(r)
		c := newParser(in)
		x := newIndex(in, c)
		saved += len(in.Principals) - len(x.groups)
		for i := range in.Secrets {
			target := c.target(in, &in.Secrets[i])
			got, want := map[int][3]string{}, map[int][3]string{}
			x.readers(&target, func(p int, a answer) {
				if _, twice := got[p]; twice {
					t.Fatalf("seed %d: principal %d is found twice", seed, p)
				}
				got[p] = [3]string{string(a.can), a.only, a.by}
			})
			for p := range x.actors {
				a := plain(in, &x.actors[p], &target)
				seen[a.can]++
				if a.can != "" {
					want[p] = [3]string{string(a.can), a.only, a.by}
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("seed %d, secret %d (-evaluator +index):\n%s\n%s", seed, i, diff, in.Secrets[i].Policy)
			}
		}
	}
	for _, c := range []Can{Yes, If, Unknown, ""} {
		if seen[c] < 1000 {
			t.Errorf("only %d answers are %q: the inputs are too narrow", seen[c], c)
		}
	}
	if saved == 0 {
		t.Error("no principals were grouped")
	}
	t.Logf("answers: %v; principals grouped: %d", seen, saved)
}

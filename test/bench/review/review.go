// Package review measures a review of a large account. Its input is synthetic: made
// here, by a fixed rule, not taken from an account.
package review

import (
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/keyturn/keyturn/shared/review"
)

// Cost is what a review took on one core.
type Cost struct {
	Seconds float64 // to review, and to write the page
	Bytes   int64   // of the page
	Readers int     // answers other than "denied"
	Heap    uint64  // bytes that the operating system gave by the end
}

const account = "111122223333"

// Input is a synthetic account. A tenth of the principals administer, two tenths
// have a policy of their own for one key, two tenths read a team's keys by a
// policy that they share, and the rest have nothing to do with secrets. Every key has
// a policy that names two readers and denies by a condition on the principal.
func Input(keys, principals int) review.Input {
	now := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	in := review.Input{
		Account: account, Partition: "aws", Region: "eu-central-1", Now: now, Since: now.AddDate(0, 0, -100), ControlKnown: true,
		KMS: map[string]review.Policy{},
	}
	cmk := "arn:aws:kms:eu-central-1:" + account + ":key/one"
	in.KMS[cmk] = review.Policy{Name: "key", Text: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + account + `:root"},"Action":"kms:*","Resource":"*"}]}`}
	role := func(i int) string { return fmt.Sprintf("arn:aws:iam::%s:role/team-%d/role-%d", account, i%20, i) }
	secret := func(i int) string {
		return fmt.Sprintf("arn:aws:secretsmanager:eu-central-1:%s:secret:team-%d/key-%d-AbCdEf", account, i%20, i)
	}
	policy := func(action, resource string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["` + action + `","kms:Decrypt"],"Resource":["` + resource + `","` + cmk + `"]},` +
			`{"Effect":"Allow","Action":["logs:PutLogEvents","s3:GetObject"],"Resource":"*"}]}`
	}
	for i := range principals {
		p := review.Principal{ARN: role(i), Role: true}
		switch i % 10 {
		case 0:
			p.Identity = []review.Policy{{Name: "admin", Text: policy("*", "*")}}
		case 1, 2:
			p.Identity = []review.Policy{{Name: fmt.Sprint("own-", i), Text: policy("secretsmanager:GetSecretValue", secret(i))}}
		case 3, 4:
			p.Identity = []review.Policy{{Name: fmt.Sprint("team-", i%20), Text: policy("secretsmanager:Get*", fmt.Sprintf("arn:aws:secretsmanager:eu-central-1:%s:secret:team-%d/*", account, i%20))}}
		default:
			p.Identity = []review.Policy{{Name: fmt.Sprint("else-", i), Text: policy("dynamodb:*", fmt.Sprint("arn:aws:dynamodb:eu-central-1:", account, ":table/t", i))}}
		}
		in.Principals = append(in.Principals, p)
	}
	for i := range keys {
		s := review.Secret{
			ARN: secret(i), Name: fmt.Sprintf("team-%d/key-%d", i%20, i), Owner: "team@example.com", KMSKey: cmk, RotationOn: true, Schedule: "rate(30 days)",
			Created: now.AddDate(-1, 0, 0), LastRotated: now.AddDate(0, 0, -i%40),
		}
		s.Policy = fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":[%q,%q]},"Action":"secretsmanager:GetSecretValue","Resource":"*"},`+
			`{"Effect":"Deny","Principal":"*","Action":"secretsmanager:GetSecretValue","Resource":"*","Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/team-%d/contractor-*"}}}]}`,
			role(i%principals), role((i+7)%principals), i%20)
		in.Secrets = append(in.Secrets, s)
		in.Reads = append(in.Reads, review.Read{Secret: s.ARN, Principal: role(i % principals), Count: 12, Last: now.AddDate(0, 0, -1)})
	}
	return in
}

// Measured reviews keys x principals, on one core.
func Measured(keys, principals int) (Cost, error) {
	in := Input(keys, principals)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	start := time.Now()
	r := review.Make(in)
	var size counter
	if err := r.WritePage(io.MultiWriter(&size)); err != nil {
		return Cost{}, err
	}
	c := Cost{Seconds: time.Since(start).Seconds(), Bytes: int64(size)}
	for _, k := range r.Keys {
		c.Readers += len(k.Readers)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	c.Heap = m.Sys
	return c, nil
}

type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

package review

import (
	"encoding/csv"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/iam"
)

// names are the readers of the only key, each with how it can.
func names(r Review) map[string]Can {
	out := map[string]Can{}
	for _, p := range r.Keys[0].Readers {
		out[strings.TrimPrefix(p.ARN, roles)] = p.Can
	}
	return out
}

func policyOf(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

// Whoever the secret's policy lets in and is no user or role of the account is said.
func TestOutside(t *testing.T) {
	t.Parallel()
	const read = `"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"*"`
	for name, c := range map[string]struct{ statement, want string }{
		"our number in a name of another account": {`{` + read + `,"Principal":{"AWS":"arn:aws:iam::999988887777:role/to-` + account + `"}}`, "arn:aws:iam::999988887777:role/to-" + account},
		"another account":                         {`{` + read + `,"Principal":{"AWS":"999988887777"}}`, "999988887777"},
		"all but one":                             {`{` + read + `,"NotPrincipal":{"AWS":"` + roles + `web"}}`, "everybody but " + roles + "web"},
		"a federated user":                        {`{` + read + `,"Principal":{"AWS":"arn:aws:sts::` + account + `:federated-user/bob"}}`, "arn:aws:sts::" + account + ":federated-user/bob"},
		"an identity provider of ours":            {`{` + read + `,"Principal":{"Federated":"arn:aws:iam::` + account + `:saml-provider/x"}}`, "arn:aws:iam::" + account + ":saml-provider/x"},
		"a canonical user":                        {`{` + read + `,"Principal":{"CanonicalUser":"79a59d"}}`, "79a59d"},
		"a service":                               {`{` + read + `,"Principal":{"Service":"lambda.amazonaws.com"}}`, "lambda.amazonaws.com"},
		"the account itself":                      {`{` + read + `,"Principal":{"AWS":["` + account + `","arn:aws:iam::` + account + `:root"]}}`, ""},
		"a role of it":                            {`{` + read + `,"Principal":{"AWS":["` + roles + `web","arn:aws:sts::` + account + `:assumed-role/web/night"]}}`, ""},
		"another action":                          {`{"Effect":"Allow","Action":"secretsmanager:DescribeSecret","Resource":"*","Principal":"*"}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := small()
			in.Secrets[0].Policy = policyOf(c.statement)
			var got []string
			for _, o := range Make(in).Keys[0].Outside {
				got = append(got, o.Principal)
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("outside is %q, want %q", got, c.want)
			}
		})
	}
}

// No session's name is one that stands for the others: what is refused to one session
// only is allowed to the rest.
func TestReaders_oneSessionDenied(t *testing.T) {
	t.Parallel()
	in := small()
	in.Secrets[0].Policy = policyOf(`{"Effect":"Deny","Action":"*","Resource":"*","Principal":{"AWS":"arn:aws:sts::` + account + `:assumed-role/web/any"}}`)
	if got := names(Make(in))["web"]; got != Yes {
		t.Errorf("web is %q", got)
	}
}

// Of whom nobody asked IAM, it is not known that he may not.
func TestReaders_didAndIsNotListed(t *testing.T) {
	t.Parallel()
	in := small()
	in.Principals = nil
	in.Reads = append(in.Reads, Read{in.Secrets[0].ARN, "arn:aws:iam::999988887777:role/x", 1, in.Now})
	r := Make(in)
	if got := names(r); got["web"] != Unknown || got["arn:aws:iam::999988887777:role/x"] != denied {
		t.Errorf("without IAM: %v", got)
	}
	in = small()
	root, bob := "arn:aws:iam::"+account+":root", "arn:aws:sts::"+account+":federated-user/bob"
	in.Reads = append(in.Reads, Read{in.Secrets[0].ARN, root, 1, in.Now}, Read{in.Secrets[0].ARN, bob, 1, in.Now})
	r = Make(in)
	if got := names(r); got[root] != Unknown || got[bob] != Unknown {
		t.Errorf("root is %q, a federated user is %q", got[root], got[bob])
	}
	for _, f := range r.Keys[0].Findings {
		if f.Kind == Unauthorized {
			t.Error(f.Text)
		}
	}
}

// A policy that names one who was deleted says nothing about those who are there.
func TestReaders_deleted(t *testing.T) {
	t.Parallel()
	in := small()
	in.Principals = append(in.Principals, Principal{ARN: roles + "bare", ID: "AROABAREBAREBAREBARE1", Role: true}, Principal{ARN: roles + "none", ID: "AROANONENONENONENONE1", Role: true})
	in.Secrets[0].Policy = policyOf(`{"Effect":"Allow","Action":"*","Resource":"*","Principal":{"AWS":["AROADELETEDELETEDELET","AROABAREBAREBAREBARE1"]}}`,
		`{"Effect":"Deny","Action":"*","Resource":"*","Principal":{"AWS":"AIDADELETEDELETEDELET"}}`)
	r := Make(in)
	if got := names(r); got["web"] != Yes || got["bare"] != Yes || got["none"] != "" || len(r.Keys[0].Outside) > 0 {
		t.Errorf("readers %v, outside %v", got, r.Keys[0].Outside)
	}
}

// A role that somebody outside may take on is not the account's alone.
func TestReaders_takenOn(t *testing.T) {
	t.Parallel()
	const sts = `"Effect":"Allow","Action":"sts:AssumeRole"`
	sso := "arn:aws:iam::" + account + ":saml-provider/AWSSSO_1_DO_NOT_DELETE"
	for name, c := range map[string]struct {
		trust, want string
		person      bool
	}{
		"a service":        {trust: policyOf(`{` + sts + `,"Principal":{"Service":"lambda.amazonaws.com"}}`)},
		"the account":      {trust: policyOf(`{` + sts + `,"Principal":{"AWS":"arn:aws:iam::` + account + `:root"}}`)},
		"Identity Center":  {trust: policyOf(`{"Effect":"Allow","Action":"sts:AssumeRoleWithSAML","Principal":{"Federated":"` + sso + `"}}`), person: true},
		"anybody":          {trust: policyOf(`{` + sts + `,"Principal":"*"}`), want: "*"},
		"another account":  {trust: policyOf(`{` + sts + `,"Principal":{"AWS":"arn:aws:iam::999988887777:root"},"Condition":{"StringEquals":{"sts:ExternalId":"x"}}}`), want: "arn:aws:iam::999988887777:root (under conditions)"},
		"a build service":  {trust: policyOf(`{"Effect":"Allow","Action":"sts:AssumeRoleWithWebIdentity","Principal":{"Federated":"token.actions.githubusercontent.com"}}`), want: "token.actions.githubusercontent.com"},
		"all but somebody": {trust: policyOf(`{` + sts + `,"NotPrincipal":{"AWS":"x"}}`), want: "everybody but x"},
		"unreadable":       {trust: "{", want: "whom its trust policy names, which cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := small()
			in.Principals[0].Trust, in.Principals[0].Person = c.trust, c.person
			r := Make(in)
			found := false
			for _, f := range r.Keys[0].Findings {
				found = found || f.Kind == Outsiders
			}
			for _, p := range r.Keys[0].Readers {
				if p.ARN == roles+"web" && strings.Join(p.TakenOn, " ") != c.want || found != (c.want != "") {
					t.Errorf("%s: %q, want %q; found: %v", p.ARN, p.TakenOn, c.want, found)
				}
			}
			var page strings.Builder
			if err := r.WritePage(&page); err != nil || strings.Contains(page.String(), "may be taken on by") != (c.want != "") {
				t.Errorf("the page does not say so, or says too much: %v", err)
			}
		})
	}
}

// A key without a finding is on the page with its readers, and who needs a decision is
// among those that are shown.
func TestPage_whoIsShown(t *testing.T) {
	t.Parallel()
	in := small()
	in.Principals = in.Principals[:1]
	var page strings.Builder
	if err := Make(in).WritePage(&page); err != nil || !strings.Contains(page.String(), roles+"web</th>") || !strings.Contains(page.String(), "It has no finding") {
		t.Errorf("a key without findings is not on the page: %v", err)
	}
	for i := range 3 * maxReaders {
		in.Principals = append(in.Principals, Principal{ARN: fmt.Sprint(roles, "a", i), Role: true, Identity: []Policy{{"read", readAll}}})
	}
	in.Reads = append(in.Reads, Read{in.Secrets[0].ARN, "arn:aws:iam::999988887777:role/z", 1, in.Now})
	in.Principals = append(in.Principals, Principal{ARN: roles + "zz", Role: true, Identity: []Policy{{"odd", "{"}}})
	page.Reset()
	if err := Make(in).WritePage(&page); err != nil || !strings.Contains(page.String(), "999988887777:role/z") || !strings.Contains(page.String(), roles+"zz") {
		t.Errorf("who did read without a right, or may be able to, is not shown: %v", err)
	}
}

// Trust policies are read as IAM answers, and as the AWS command prints them.
func TestReadAccount_trust(t *testing.T) {
	t.Parallel()
	got, err := ReadAccount(strings.NewReader(`{"RoleDetailList":[{"Arn":"a","AssumeRolePolicyDocument":"%7B%22a%22%3A1%7D"},{"Arn":"b","AssumeRolePolicyDocument":{"b":1}},{"Arn":"c"}]}`))
	if err != nil || len(got) != 3 || got[0].Trust != `{"a":1}` || got[1].Trust != `{"b":1}` || got[2].Trust != "" {
		t.Errorf("%+v, %v", got, err)
	}
}

const evil = "\"'><script>alert(1)</script>\u2028</style></svg><img src=x onerror=alert(1)>javascript:alert(1)"

// spoil puts evil text into every string of v, and three elements into each list.
func spoil(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(evil)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 3, 3))
		for i := range 3 {
			spoil(v.Index(i))
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(1e9, 0).UTC()))
			return
		}
		for _, field := range v.Fields() {
			spoil(field)
		}
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(-1)
	}
}

// Whatever text is in a review, its page holds no element, attribute or address of it.
func TestPage_evil(t *testing.T) {
	t.Parallel()
	var r Review
	spoil(reflect.ValueOf(&r).Elem())
	var page, again, table, text strings.Builder
	for _, err := range []error{r.WritePage(&page), r.WritePage(&again), r.WriteCSV(&table), r.WriteJSON(&text)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	lower := strings.ToLower(page.String())
	for _, part := range []string{"<script", "<img", "onerror=alert(1)>", `"javascript:`} {
		if strings.Contains(lower, part) {
			t.Errorf("the page holds %s", part)
		}
	}
	if page.String() != again.String() {
		t.Error("the same review makes another page")
	}
	if strings.Contains(text.String(), "<script") {
		t.Error("the JSON can end a script's element")
	}
}

// No cell of the table is a formula, in any column, nor where a spreadsheet parts cells
// by semicolons or tabs.
func TestCSV_formulas(t *testing.T) {
	t.Parallel()
	for _, start := range []string{"=", "+", "-", "@", "\t=", "\r=", "\n=", " =", "x;=", "x\t=", "＝", "＋", "－", "＠", "x\n=", `"=`} {
		bad := start + `cmd|'/C calc'!A0`
		r := Review{Keys: []Key{{
			Name: bad, Owner: bad, Findings: []Finding{{Kind: bad}}, Outside: []External{{Principal: bad, Sid: bad}},
			Readers: []Reader{{ARN: bad, Can: Can(bad), If: bad, By: bad}},
		}}}
		var b strings.Builder
		if err := r.WriteCSV(&b); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows[1:] {
			for _, cell := range row {
				if strings.ContainsAny(cell, ";\t\r\n") || strings.ContainsAny(firstRune(strings.TrimLeft(cell, ` "`)), "=+-@＝＋－＠") {
					t.Errorf("%q: cell %q", start, cell)
				}
			}
		}
	}
}

func firstRune(s string) string {
	for _, r := range s {
		return string(r)
	}
	return ""
}

// What a policy cannot tell apart is unknown, the same in each run.
func TestReaders_tagsOfOneName(t *testing.T) {
	t.Parallel()
	for range 20 {
		in := small()
		in.Principals[0].Identity = []Policy{{"team", policyOf(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"a"}}}`)}}
		in.Secrets[0].Tags = map[string]string{"team": "a", "Team": "b"}
		if got := names(Make(in))["web"]; got != Unknown {
			t.Fatalf("web is %q", got)
		}
	}
}

// What an SCP, a boundary or a condition refuses is not listed, and what depends on what
// is not known says on what.
func TestReaders_limits(t *testing.T) {
	t.Parallel()
	full := policyOf(`{"Effect":"Allow","Action":"*","Resource":"*"}`)
	on := func(condition string) string {
		return policyOf(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":` + condition + `}`)
	}
	kms := func(condition string) string {
		return policyOf(`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + account + `:root"},"Action":"kms:*","Resource":"*","Condition":` + condition + `}`)
	}
	for name, c := range map[string]struct {
		identity, boundary, policy, key string
		control                         []string // a level each
		want                            Can
		only                            string
	}{
		"all":                          {identity: full, want: Yes},
		"NotAction":                    {identity: policyOf(`{"Effect":"Allow","NotAction":"iam:*","Resource":"*"}`), want: Yes},
		"NotAction of it":              {identity: policyOf(`{"Effect":"Allow","NotAction":"secretsmanager:Get*","Resource":"*"}`)},
		"NotResource":                  {identity: policyOf(`{"Effect":"Allow","Action":"*","NotResource":"arn:aws:s3:::*"}`), want: Yes},
		"a boundary without it":        {identity: full, boundary: policyOf(`{"Effect":"Allow","Action":"s3:*","Resource":"*"}`)},
		"a boundary with it":           {identity: full, boundary: full, want: Yes},
		"a boundary that is not there": {identity: full, boundary: " ", want: Unknown},
		"FullAWSAccess was removed":    {identity: full, control: []string{full, policyOf(`{"Effect":"Allow","Action":"s3:*","Resource":"*"}`)}},
		"an SCP denies by tag":         {identity: full, control: []string{full[:len(full)-2] + `,{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalTag/team":"a"}}}]}`}, want: If, only: "aws:PrincipalTag/team"},
		"MFA":                          {identity: on(`{"Bool":{"aws:MultiFactorAuthPresent":"true"}}`), want: If, only: "aws:MultiFactorAuthPresent"},
		"MFA if it exists":             {identity: on(`{"BoolIfExists":{"aws:MultiFactorAuthPresent":"true"}}`), want: If, only: "aws:MultiFactorAuthPresent"},
		"an endpoint":                  {identity: on(`{"StringEquals":{"aws:SourceVpce":"vpce-1"}}`), want: If, only: "aws:SourceVpce"},
		"a set":                        {identity: on(`{"ForAllValues:StringEquals":{"aws:PrincipalOrgPaths":"o/r/*"}}`), want: If, only: "aws:PrincipalOrgPaths"},
		"another's tag":                {identity: on(`{"StringEquals":{"aws:ResourceTag/team":"b"}}`)},
		"its tag":                      {identity: on(`{"StringEquals":{"aws:ResourceTag/team":"a"}}`), want: Yes},
		"a set with IfExists":          {identity: on(`{"ForAnyValue:StringEqualsIfExists":{"aws:TagKeys":"a"}}`), want: Unknown},
		"everybody, with a condition":  {policy: `{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}}`, want: If, only: "aws:PrincipalOrgID"},
		"NotPrincipal":                 {identity: full, policy: `{"Effect":"Deny","NotPrincipal":{"AWS":"` + roles + `web"},"Action":"*","Resource":"*"}`, want: If, only: "NotPrincipal"},
		"KMS left to IAM":              {identity: full, key: kms(`{"StringEquals":{"kms:ViaService":"secretsmanager.eu-central-1.amazonaws.com","kms:CallerAccount":"` + account + `"}}`), want: Yes},
		"KMS by another service":       {identity: full, key: kms(`{"StringEquals":{"kms:ViaService":"s3.eu-central-1.amazonaws.com"}}`)},
		"KMS not left to IAM":          {identity: full, key: policyOf(`{"Effect":"Allow","Principal":{"AWS":"` + roles + `old"},"Action":"kms:*","Resource":"*"}`)},
		"KMS and no right to decrypt":  {identity: readAll, key: kms(`{"StringLike":{"kms:ViaService":"*"}}`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := small()
			in.Principals = []Principal{{ARN: roles + "web", Role: true}}
			if in.Secrets[0].Tags = map[string]string{"team": "a"}; c.identity != "" {
				in.Principals[0].Identity = []Policy{{"p", c.identity}}
			}
			if c.boundary != "" {
				in.Principals[0].Boundary = &Policy{"boundary", strings.TrimSpace(c.boundary)}
			}
			if c.policy != "" {
				in.Secrets[0].Policy = policyOf(c.policy)
			}
			if c.key != "" {
				in.Secrets[0].KMSKey, in.KMS = cmk, map[string]Policy{cmk: {"key", c.key}}
			}
			for _, text := range c.control {
				d, err := iam.Parse([]byte(text))
				if err != nil {
					t.Fatal(err)
				}
				in.ServiceControl = append(in.ServiceControl, []iam.Policy{{Name: "SCP", Document: d}})
			}
			in.ControlKnown = true
			r := Make(in)
			got := Reader{}
			for _, p := range r.Keys[0].Readers {
				if p.ARN == roles+"web" {
					got = p
				}
			}
			if got.Can == denied { // it did read
				got.Can = ""
			}
			if got.Can != c.want || !strings.Contains(got.If, c.only) {
				t.Errorf("%q if %q, want %q if %q", got.Can, got.If, c.want, c.only)
			}
		})
	}
}

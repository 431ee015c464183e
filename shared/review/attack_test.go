package review

import (
	"strings"
	"testing"
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

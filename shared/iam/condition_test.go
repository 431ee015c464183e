package iam_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/iam"
)

const (
	operatorsPage = "reference_policies_elements_condition_operators.html"
	setsPage      = "reference_policies_condition-single-vs-multi-valued-context-keys.html"
	keysPage      = "reference_policies_condition-keys.html"
)

// conditions are AWS's rules for one condition block: whether it holds.
var conditions = []struct {
	name, page, condition string
	context               map[string][]string
	want                  bool
}{
	{"equal", operatorsPage, `{"StringEquals":{"k:a":["x","y"]}}`, map[string][]string{"k:a": {"y"}}, true},
	{"equal depends on case", operatorsPage, `{"StringEquals":{"k:a":"x"}}`, map[string][]string{"k:a": {"X"}}, false},
	{"equal has no wildcards", operatorsPage, `{"StringEquals":{"k:a":"x*"}}`, map[string][]string{"k:a": {"xy"}}, false},
	{"equal, missing key", operatorsPage, `{"StringEquals":{"k:a":"x"}}`, nil, false},
	{"equal if exists, missing key", operatorsPage, `{"StringEqualsIfExists":{"k:a":"x"}}`, nil, true},
	{"equal if exists", operatorsPage, `{"StringEqualsIfExists":{"k:a":"x"}}`, map[string][]string{"k:a": {"z"}}, false},
	{"not equal to any of them", operatorsPage, `{"StringNotEquals":{"k:a":["x","y"]}}`, map[string][]string{"k:a": {"y"}}, false},
	{"not equal", operatorsPage, `{"StringNotEquals":{"k:a":["x","y"]}}`, map[string][]string{"k:a": {"z"}}, true},
	{"not equal, missing key", operatorsPage, `{"StringNotEquals":{"k:a":"x"}}`, nil, true},
	{"not equal if exists, missing key", operatorsPage, `{"StringNotEqualsIfExists":{"k:a":"x"}}`, nil, true},
	{"ignoring case", operatorsPage, `{"StringEqualsIgnoreCase":{"k:a":"x"}}`, map[string][]string{"k:a": {"X"}}, true},
	{"not, ignoring case", operatorsPage, `{"StringNotEqualsIgnoreCase":{"k:a":"x"}}`, map[string][]string{"k:a": {"X"}}, false},
	{"like", operatorsPage, `{"StringLike":{"k:a":"a?c*"}}`, map[string][]string{"k:a": {"abc:d"}}, true},
	{"not like", operatorsPage, `{"StringNotLike":{"k:a":"a?c*"}}`, map[string][]string{"k:a": {"abc:d"}}, false},
	{"keys do not depend on case", "reference_policies_elements_condition.html", `{"StringEquals":{"AWS:SourceIP":"x"}}`, map[string][]string{"aws:SourceIp": {"x"}}, true},
	{"all operators and keys must hold", "reference_policies_elements_condition.html", `{"StringEquals":{"k:a":"x","k:b":"y"}}`, map[string][]string{"k:a": {"x"}, "k:b": {"z"}}, false},
	{"bool", operatorsPage, `{"Bool":{"aws:SecureTransport":"false"}}`, map[string][]string{"aws:SecureTransport": {"false"}}, true},
	{"bool, missing key", operatorsPage, `{"Bool":{"aws:MultiFactorAuthPresent":"false"}}`, nil, false},
	{"bool if exists, missing key", "reference_policies_examples_ec2_require-mfa.html", `{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}`, nil, true},
	{"bool if exists", "reference_policies_examples_ec2_require-mfa.html", `{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}`, map[string][]string{"aws:MultiFactorAuthPresent": {"true"}}, false},
	{"IP", operatorsPage, `{"IpAddress":{"aws:SourceIp":["198.51.100.0/24","203.0.113.0/24"]}}`, map[string][]string{"aws:SourceIp": {"203.0.113.9"}}, true},
	{"IP without prefix", operatorsPage, `{"IpAddress":{"aws:SourceIp":"203.0.113.9"}}`, map[string][]string{"aws:SourceIp": {"203.0.113.10"}}, false},
	{"IPv6", operatorsPage, `{"IpAddress":{"aws:SourceIp":"2001:DB8:1234:5678::/64"}}`, map[string][]string{"aws:SourceIp": {"2001:db8:1234:5678::1"}}, true},
	{"IP, missing key: through a VPC endpoint", operatorsPage, `{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}`, nil, false},
	{"not IP, missing key: through a VPC endpoint", operatorsPage, `{"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}}`, nil, true},
	{"not IP", operatorsPage, `{"NotIpAddress":{"aws:SourceIp":["203.0.113.0/24","198.51.100.0/24"]}}`, map[string][]string{"aws:SourceIp": {"198.51.100.7"}}, false},
	{"ARN", operatorsPage, `{"ArnEquals":{"k:a":"arn:aws:iam::111122223333:role/*"}}`, map[string][]string{"k:a": {"arn:aws:iam::111122223333:role/a/b"}}, true},
	{"ARN by parts", operatorsPage, `{"ArnLike":{"k:a":"arn:aws:someservice:*:111122223333:finance/*"}}`, map[string][]string{"k:a": {"arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt"}}, false},
	{"the same as a string", operatorsPage, `{"StringLike":{"k:a":"arn:aws:someservice:*:111122223333:finance/*"}}`, map[string][]string{"k:a": {"arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt"}}, true},
	{"not ARN, missing key", operatorsPage, `{"ArnNotEquals":{"k:a":"arn:aws:iam::111122223333:role/x"}}`, nil, true},
	{"aws:PrincipalArn of a session is the role", keysPage + "#condition-keys-principalarn", `{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/team/mailer"}}`, nil, true},
	{"null", operatorsPage, `{"Null":{"k:a":"true"}}`, nil, true},
	{"null, key is there", operatorsPage, `{"Null":{"k:a":"true"}}`, map[string][]string{"k:a": {"x"}}, false},
	{"not null", operatorsPage, `{"Null":{"k:a":"false"}}`, map[string][]string{"k:a": {"x"}}, true},
	{"number", operatorsPage, `{"NumericLessThan":{"aws:MultiFactorAuthAge":"3600"}}`, map[string][]string{"aws:MultiFactorAuthAge": {"3599"}}, true},
	{"number, missing key", "id_credentials_mfa_sample-policies.html", `{"NumericLessThan":{"aws:MultiFactorAuthAge":"3600"}}`, nil, false},
	{"number at the bound", operatorsPage, `{"NumericGreaterThanEquals":{"k:a":"10"}}`, map[string][]string{"k:a": {"10.0"}}, true},
	{"not the number", operatorsPage, `{"NumericNotEquals":{"k:a":"10"}}`, map[string][]string{"k:a": {"10"}}, false},
	{"date", operatorsPage, `{"DateGreaterThan":{"aws:TokenIssueTime":"2020-01-01T00:00:01Z"}}`, map[string][]string{"aws:TokenIssueTime": {"2026-11-24T00:00:00Z"}}, true},
	{"date since 1970", operatorsPage, `{"DateLessThanEquals":{"aws:CurrentTime":"1577836800"}}`, map[string][]string{"aws:CurrentTime": {"2020-01-01T00:00:00Z"}}, true},
	{"date, missing key", operatorsPage, `{"DateLessThan":{"k:a":"2020-01-01"}}`, nil, false},
	{"for all values", setsPage, `{"ForAllValues:StringEquals":{"aws:TagKeys":["a","b"]}}`, map[string][]string{"aws:TagKeys": {"a", "b"}}, true},
	{"for all values, one too many", setsPage, `{"ForAllValues:StringEquals":{"aws:TagKeys":["a","b"]}}`, map[string][]string{"aws:TagKeys": {"a", "c"}}, false},
	{"for all values, missing key", setsPage, `{"ForAllValues:StringEquals":{"aws:TagKeys":"a"}}`, nil, true},
	{"for any value", setsPage, `{"ForAnyValue:StringEquals":{"aws:TagKeys":["a","b"]}}`, map[string][]string{"aws:TagKeys": {"c", "b"}}, true},
	{"for any value, missing key", setsPage, `{"ForAnyValue:StringEquals":{"aws:TagKeys":"a"}}`, nil, false},
	{"for any value, negated, missing key", setsPage, `{"ForAnyValue:StringNotEquals":{"aws:TagKeys":"a"}}`, nil, false},
	{"for all values, negated", setsPage, `{"ForAllValues:StringNotEquals":{"aws:TagKeys":["a","b"]}}`, map[string][]string{"aws:TagKeys": {"c", "a"}}, false},
	{"variable", "reference_policies_variables.html", `{"StringEquals":{"k:a":"x-${aws:PrincipalAccount}"}}`, map[string][]string{"k:a": {"x-111122223333"}}, true},
	{"variable of a missing key", "reference_policies_variables.html", `{"StringEquals":{"k:a":"${k:b}"}}`, map[string][]string{"k:a": {""}}, false},
	{"what a variable stands for is literal", "reference_policies_variables.html", `{"StringLike":{"k:a":"${k:b}"}}`, map[string][]string{"k:a": {"xyz"}, "k:b": {"x*"}}, false},
	{"default of a variable", "reference_policies_variables.html#policy-vars-default-values", `{"StringLike":{"k:a":"${k:b, 'all'}*"}}`, map[string][]string{"k:a": {"all-of-it"}}, true},
	{"default of a variable is not for a key that is there", "reference_policies_variables.html#policy-vars-default-values", `{"StringEquals":{"k:a":"${k:b, 'all'}"}}`, map[string][]string{"k:a": {"all"}, "k:b": {"x"}}, false},
	{"for all values if exists, missing key", setsPage, `{"ForAllValues:StringEqualsIfExists":{"aws:TagKeys":"a"}}`, nil, true},
	{"for any value if exists", setsPage, `{"ForAnyValue:StringEqualsIfExists":{"aws:TagKeys":"a"}}`, map[string][]string{"aws:TagKeys": {"b", "c"}}, false},
	{"for all values of an empty string", setsPage, `{"ForAllValues:StringEquals":{"aws:TagKeys":"a"}}`, map[string][]string{"aws:TagKeys": {""}}, true},
	{"for any value of an empty string", setsPage, `{"ForAnyValue:StringNotEquals":{"aws:TagKeys":"a"}}`, map[string][]string{"aws:TagKeys": {""}}, false},
	{"for all values of none", setsPage, `{"ForAllValues:StringEquals":{"aws:TagKeys":"a"}}`, map[string][]string{"aws:TagKeys": {}}, true},
	{"for any value, one of two patterns", setsPage, `{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":["o-1/r-1/ou-1/*","o-1/r-1/ou-2/*"]}}`, map[string][]string{"aws:PrincipalOrgPaths": {"o-1/r-1/ou-2/ou-3/"}}, true},
	{"bytes", operatorsPage, `{"BinaryEquals":{"k:a":"QmluYXJ5"}}`, map[string][]string{"k:a": {"QmluYXJ5"}}, true},
	{"other bytes", operatorsPage, `{"BinaryEquals":{"k:a":"QmluYXJ5"}}`, map[string][]string{"k:a": {"qmluYXJ5"}}, false},
	{"bytes, missing key", operatorsPage, `{"BinaryEquals":{"k:a":"QmluYXJ5"}}`, nil, false},
	{"called via one of the services", keysPage + "#condition-keys-calledvia", `{"ForAnyValue:StringEquals":{"aws:CalledVia":["athena.amazonaws.com"]}}`, map[string][]string{"aws:CalledVia": {"cloudformation.amazonaws.com", "athena.amazonaws.com"}}, true},
	{"called via no service", keysPage + "#condition-keys-calledvia", `{"ForAnyValue:StringEquals":{"aws:CalledVia":["athena.amazonaws.com"]}}`, nil, false},
	{"called via at last", keysPage + "#condition-keys-calledvialast", `{"StringEquals":{"aws:CalledViaLast":"dynamodb.amazonaws.com"}}`, map[string][]string{"aws:CalledViaLast": {"athena.amazonaws.com"}}, false},
	{"a service for the principal, from an address of its own", keysPage + "#condition-keys-viaawsservice", `{"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"},"Bool":{"aws:ViaAWSService":"false"}}`, map[string][]string{"aws:SourceIp": {"52.95.110.1"}, "aws:ViaAWSService": {"true"}}, false},
	{"a tag's name does not depend on case", "reference_policies_elements_condition.html", `{"StringEquals":{"aws:ResourceTag/Team":"x"}}`, map[string][]string{"aws:ResourceTag/team": {"x"}}, true},
	{"a tag's value depends on case", "reference_policies_elements_condition.html", `{"StringEquals":{"aws:ResourceTag/team":"X"}}`, map[string][]string{"aws:ResourceTag/team": {"x"}}, false},
	{"not like any of them", operatorsPage, `{"StringNotLike":{"k:a":["a*","b*"]}}`, map[string][]string{"k:a": {"bc"}}, false},
	{"not ARN like any of them", operatorsPage, `{"ArnNotLike":{"k:a":["arn:aws:iam::*:role/a","arn:aws:iam::*:role/b"]}}`, map[string][]string{"k:a": {"arn:aws:iam::111122223333:role/b"}}, false},
	{"ARN, missing key", operatorsPage, `{"ArnLike":{"k:a":"arn:aws:iam::*:role/a"}}`, nil, false},
	{"ARN if exists, missing key", operatorsPage, `{"ArnLikeIfExists":{"k:a":"arn:aws:iam::*:role/a"}}`, nil, true},
	{"aws:PrincipalArn is not the session", keysPage + "#condition-keys-principalarn", `{"ArnEquals":{"aws:PrincipalArn":"arn:aws:sts::111122223333:assumed-role/mailer/run"}}`, nil, false},
	{"not the number, missing key", operatorsPage, `{"NumericNotEquals":{"k:a":"10"}}`, nil, true},
	{"number above", operatorsPage, `{"NumericGreaterThan":{"k:a":"10"}}`, map[string][]string{"k:a": {"10"}}, false},
	{"number up to", operatorsPage, `{"NumericLessThanEquals":{"k:a":"9"}}`, map[string][]string{"k:a": {"10"}}, false},
	{"date below", operatorsPage, `{"DateLessThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}}`, map[string][]string{"aws:CurrentTime": {"2020-01-01T00:00:00Z"}}, false},
	{"not the date", operatorsPage, `{"DateNotEquals":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}}`, map[string][]string{"aws:CurrentTime": {"2020-01-01T01:00:00+01:00"}}, false},
	{"not IP if exists", operatorsPage, `{"NotIpAddressIfExists":{"aws:SourceIp":"203.0.113.0/24"}}`, map[string][]string{"aws:SourceIp": {"203.0.113.1"}}, false},
	{"IP within another family", operatorsPage, `{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}`, map[string][]string{"aws:SourceIp": {"2001:db8::1"}}, false},
	{"a literal star", "reference_policies_variables.html", `{"StringLike":{"k:a":"a${*}"}}`, map[string][]string{"k:a": {"ab"}}, false},
}

func TestConditionsKeepAWSRules(t *testing.T) {
	t.Parallel()
	for _, c := range conditions {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := policy(t, "identity", st("A", "Allow", "", "*", `"Condition":`+c.condition))
			request := iam.Request{Principal: iam.NewSession(role, "run"), Action: "secretsmanager:GetSecretValue", Resource: secretARN, Context: c.context, Absent: []string{"*"}}
			got, err := iam.Evaluate(request, iam.Policies{Identity: []iam.Policy{d}})
			if err != nil {
				t.Fatal(err)
			}
			if (got.Effect == iam.Allowed) != c.want || got.Effect == iam.AllowedIf {
				t.Errorf("got %s, want it to hold: %v (%s)", got, c.want, c.page)
			}
			// What is not known must be asked for, and never decided.
			request.Absent = nil
			if got, err = iam.Evaluate(request, iam.Policies{Identity: []iam.Policy{d}}); err != nil {
				t.Fatal(err)
			}
			if len(c.context) == 0 && !strings.Contains(c.condition, "PrincipalArn") && got.Effect != iam.AllowedIf {
				t.Errorf("with the key unknown: got %s", got)
			}
		})
	}
}

func TestUnknownKeysAreNamed(t *testing.T) {
	t.Parallel()
	allow := st("A", "Allow", "", "*", `"Condition":{"StringEquals":{"k:a":"x","k:b":"y"}}`)
	deny := st("D", "Deny", "", "*", `"Condition":{"Bool":{"k:c":"true"}}`)
	request := iam.Request{Principal: iam.NewUser(user), Action: "s3:GetObject", Resource: "arn:aws:s3:::b/o", Context: map[string][]string{"k:b": {"y"}}}
	got, err := iam.Evaluate(request, iam.Policies{Identity: []iam.Policy{policy(t, "identity", allow, deny)}})
	if err != nil {
		t.Fatal(err)
	}
	want := iam.Decision{Effect: iam.AllowedIf, Policy: "identity", Sid: "D", Why: "may be an explicit deny", If: []string{"k:a", "k:c"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	request.Context["k:b"] = []string{"z"} // it can no longer be allowed
	if got, err = iam.Evaluate(request, iam.Policies{Identity: []iam.Policy{policy(t, "identity", allow, deny)}}); err != nil {
		t.Fatal(err)
	}
	if got.Effect != iam.Denied {
		t.Errorf("got %s", got)
	}
}

func TestWhatIsNotSupportedIsAnError(t *testing.T) {
	t.Parallel()
	condition := func(c string) string { return st("A", "Deny", "", "s3:x", `"Condition":`+c) }
	for name, tc := range map[string]struct {
		identity, resource string
		want               string
	}{
		"NotPrincipal with Allow":       {resource: `{"Effect":"Allow","NotPrincipal":"*","Action":"*","Resource":"*"}`, want: "NotPrincipal"},
		"no principal":                  {resource: st("A", "Deny", "", "*", ""), want: "names principals"},
		"principal in identity policy":  {identity: st("A", "Deny", `"*"`, "*", ""), want: "names no principal"},
		"no resource":                   {identity: `{"Effect":"Deny","Action":"*"}`, want: "names resources"},
		"pattern as principal":          {resource: st("A", "Deny", aws("arn:aws:iam::111122223333:role/*"), "*", ""), want: "not a full ARN"},
		"unique id":                     {resource: st("A", "Deny", aws("AROAEXAMPLEEXAMPLE01"), "*", ""), want: "not a full ARN"},
		"federated":                     {resource: st("A", "Deny", `{"Federated":"x"}`, "*", ""), want: "Federated"},
		"pattern as service":            {resource: st("A", "Deny", `{"Service":"*"}`, "*", ""), want: "in full"},
		"action without a service":      {identity: st("A", "Deny", "", "Get*", ""), want: "service:name"},
		"resource is no ARN":            {identity: st("A", "Deny", "", "*", `"Resource":"prod/*"`), want: "not an ARN"},
		"unknown operator":              {identity: condition(`{"StringMatches":{"a:b":"x"}}`), want: "not supported"},
		"bytes of something":            {identity: condition(`{"BinaryEquals":{"a:b":"?"}}`), want: "base64"},
		"operator in another case":      {identity: condition(`{"stringEquals":{"a:b":"x"}}`), want: "not supported"},
		"null if exists":                {identity: condition(`{"NullIfExists":{"a:b":"true"}}`), want: "null"},
		"set with IfExists":             {identity: condition(`{"ForAnyValue:StringLikeIfExists":{"not:there":"true"}}`), want: "IfExists"},
		"null of something":             {identity: condition(`{"Null":{"a:b":"yes"}}`), want: "true or false"},
		"bool of something":             {identity: condition(`{"Bool":{"a:b":"yes"}}`), want: "true nor false"},
		"IP of something":               {identity: condition(`{"IpAddress":{"a:b":"10.0.0.0/33"}}`), want: "CIDR"},
		"ARN of something":              {identity: condition(`{"ArnLike":{"a:b":"role/x"}}`), want: "not an ARN"},
		"number of something":           {identity: condition(`{"NumericEquals":{"a:b":"x"}}`), want: "type"},
		"date of something":             {identity: condition(`{"DateEquals":{"a:b":"yesterday"}}`), want: "type"},
		"variable without an end":       {identity: condition(`{"StringLike":{"a:b":"${aws:x"}}`), want: "without an end"},
		"default without quotes":        {identity: condition(`{"StringLike":{"a:b":"${aws:x, y}"}}`), want: "default"},
		"several values without a set":  {identity: condition(`{"StringEquals":{"many:values":"x"}}`), want: "2 values"},
		"variable with several values":  {identity: condition(`{"StringEquals":{"a:b":"${many:values}"}}`), want: "2 values"},
		"no Statement":                  {identity: "", resource: "", want: "no statement"},
		"also where another one denies": {identity: st("B", "Deny", "", "*", "") + "," + condition(`{"Nope":{"a:b":"x"}}`), want: "not supported"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var p iam.Policies
			switch {
			case tc.identity != "":
				p.Identity = []iam.Policy{policy(t, "identity", tc.identity)}
			case tc.resource != "":
				p.Resource = new(policy(t, "resource", tc.resource))
			default:
				p.Identity = []iam.Policy{{Name: "empty"}}
			}
			request := iam.Request{Principal: iam.NewUser(user), Action: "s3:GetObject", Resource: "arn:aws:s3:::b/o", Context: map[string][]string{"many:values": {"x", "y"}, "a:b": {"z"}}}
			if d, err := iam.Evaluate(request, p); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %s, %v, want an error with %q", d, err, tc.want)
			}
		})
	}
}

func TestRequestsThatAreNone(t *testing.T) {
	t.Parallel()
	good := iam.Request{Principal: iam.NewUser(user), Action: "s3:GetObject", Resource: "*"}
	for name, change := range map[string]func(*iam.Request){
		"no principal":             func(r *iam.Request) { r.Principal = iam.Principal{} },
		"session is no session":    func(r *iam.Request) { r.Principal.Kind = iam.Session },
		"user of no account":       func(r *iam.Request) { r.Principal = iam.NewUser("arn:aws:iam::1:user/a") },
		"service is an ARN":        func(r *iam.Request) { r.Principal = iam.NewService(role) },
		"action is a pattern":      func(r *iam.Request) { r.Action = "s3:*" },
		"action without a service": func(r *iam.Request) { r.Action = "GetObject" },
		"resource is a name":       func(r *iam.Request) { r.Resource = "b/o" },
		"another principal's ARN":  func(r *iam.Request) { r.Context = map[string][]string{"aws:PrincipalArn": {role}} },
		"KMS without key policy":   func(r *iam.Request) { r.Action, r.Resource = "kms:Decrypt", keyARN },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := good
			change(&r)
			if d, err := iam.Evaluate(r, iam.Policies{}); err == nil {
				t.Errorf("got %s, want an error", d)
			}
		})
	}
}

// FuzzEvaluate looks for panics, and for a Deny of everything that does not deny.
func FuzzEvaluate(f *testing.F) {
	for _, c := range conditions {
		f.Add(`{"Version":"2012-10-17","Statement":[` + st("A", "Allow", `"*"`, "*", `"Condition":`+c.condition) + `]}`)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var d iam.Document
		if json.Unmarshal([]byte(text), &d) != nil {
			return
		}
		request := iam.Request{Principal: iam.NewSession(role, "run"), Action: "s3:GetObject", Resource: "arn:aws:s3:::b/o", Context: map[string][]string{"k:a": {"x"}}}
		first, err := iam.Evaluate(request, iam.Policies{Resource: &iam.Policy{Name: "r", Document: d}})
		if err != nil {
			return
		}
		d.Statement = append(d.Statement, iam.Statement{Sid: "all of it", Effect: iam.Deny, Principal: &iam.Principals{Everyone: true}, Action: iam.Strings{"*"}, Resource: iam.Strings{"*"}})
		got, err := iam.Evaluate(request, iam.Policies{Resource: &iam.Policy{Name: "r", Document: d}})
		if err == nil && got.Effect != iam.Denied {
			t.Errorf("%s, then %s", first, got)
		}
	})
}

package iam_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/iam"
)

func TestParseReadsWhatAWSWrites(t *testing.T) {
	t.Parallel()
	text := `{"Version":"2012-10-17","Id":"x","Statement":{"Sid":"A","Effect":"Deny","Principal":{"AWS":["arn:aws:iam::111122223333:root","444455556666"],"Service":"lambda.amazonaws.com"},
		"NotAction":"s3:*","NotResource":["a","b"],"Condition":{"Bool":{"aws:SecureTransport":false},"NumericLessThan":{"aws:MultiFactorAuthAge":[3600]}}}}`
	got, err := iam.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := iam.Document{Version: iam.Version, ID: "x", Statement: []iam.Statement{{
		Sid: "A", Effect: iam.Deny,
		Principal: &iam.Principals{AWS: iam.Strings{"arn:aws:iam::111122223333:root", "444455556666"}, Service: iam.Strings{"lambda.amazonaws.com"}},
		NotAction: iam.Strings{"s3:*"}, NotResource: iam.Strings{"a", "b"},
		Condition: iam.Conditions{"Bool": {"aws:SecureTransport": {"false"}}, "NumericLessThan": {"aws:MultiFactorAuthAge": {"3600"}}},
	}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, want.Clone()); diff != "" {
		t.Error(diff)
	}
}

func TestTextIsCompactAndTheSameEachTime(t *testing.T) {
	t.Parallel()
	d := iam.Document{Version: iam.Version, Statement: []iam.Statement{{
		Effect: iam.Allow, Principal: &iam.Principals{Everyone: true}, Action: iam.Strings{"s3:Get<&>"}, Resource: iam.Strings{"*", "b"},
		Condition: iam.Conditions{"StringEquals": {"b": {"1"}, "a": {"2", "3"}}, "Bool": {"c": {"true"}}},
	}}}
	want := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:Get<&>","Resource":["*","b"],"Condition":{"Bool":{"c":"true"},"StringEquals":{"a":["2","3"],"b":"1"}}}]}`
	for range 20 {
		got, err := d.Text()
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
	m, err := d.Map()
	if err != nil {
		t.Fatal(err)
	}
	if m["Version"] != iam.Version {
		t.Errorf("map has version %v", m["Version"])
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	statement := func(s string) string { return `{"Version":"2012-10-17","Statement":[{` + s + `}]}` }
	for name, tc := range map[string]struct{ text, want string }{
		"no JSON":               {`{`, "EOF"},
		"a list":                {`[]`, "JSON object"},
		"something after":       {statement(`"Effect":"Allow","Action":"*"`) + "{}", "follows"},
		"other version":         {`{"Version":"2012","Statement":[]}`, "version"},
		"no statement":          {`{"Version":"2012-10-17"}`, "no statement"},
		"other case":            {statement(`"effect":"Deny","Action":"*"`), `"effect"`},
		"unknown element":       {statement(`"Effect":"Deny","Action":"*","Nope":"*"`), `"Nope"`},
		"unknown top":           {`{"Statements":[]}`, `"Statements"`},
		"twice":                 {statement(`"Effect":"Deny","Effect":"Allow","Action":"*"`), "twice"},
		"twice in other case":   {statement(`"Effect":"Deny","Action":"*","Condition":{"Bool":{"a:B":"true","a:b":"false"}}`), "twice"},
		"Sid twice":             {`{"Statement":[{"Sid":"a","Effect":"Deny","Action":"*"},{"Sid":"a","Effect":"Deny","Action":"*"}]}`, "used twice"},
		"no effect":             {statement(`"Action":"*"`), "effect"},
		"no action":             {statement(`"Effect":"Deny"`), "Action"},
		"empty action":          {statement(`"Effect":"Deny","Action":[]`), "empty"},
		"both actions":          {statement(`"Effect":"Deny","Action":"*","NotAction":"*"`), "one of"},
		"both resources":        {statement(`"Effect":"Deny","Action":"*","Resource":"*","NotResource":"*"`), "both"},
		"both principals":       {statement(`"Effect":"Deny","Action":"*","Principal":"*","NotPrincipal":"*"`), "both"},
		"bare principal":        {statement(`"Effect":"Deny","Action":"*","Principal":"111122223333"`), "kind"},
		"empty principal":       {statement(`"Effect":"Deny","Action":"*","Principal":{}`), "principal"},
		"other principal":       {statement(`"Effect":"Deny","Action":"*","Principal":{"Aws":"*"}`), `"Aws"`},
		"action is an object":   {statement(`"Effect":"Deny","Action":{}`), "string"},
		"null":                  {statement(`"Effect":"Deny","Action":null`), "string"},
		"no value of condition": {statement(`"Effect":"Deny","Action":"*","Condition":{"Bool":{"a:b":[]}}`), "no value"},
		"too long":              {strings.Repeat(" ", 300<<10), "bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := iam.Parse([]byte(tc.text)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"*","Resource":"*","Condition":{"Bool":{"a":true}}}}`)
	f.Add(`{"Statement":[{"Effect":"Deny","NotPrincipal":"*","NotAction":["a","b"],"NotResource":"x"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		d, err := iam.Parse([]byte(text))
		if err != nil {
			return
		}
		again, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		back, err := iam.Parse(again)
		if err != nil {
			t.Fatalf("%s: %v", again, err)
		}
		if diff := cmp.Diff(d, back); diff != "" {
			t.Error(diff)
		}
	})
}

package keyname_test

import (
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/keyname"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Time{
		time.Date(2026, 11, 23, 4, 0, 0, 123e6, time.UTC),
		time.Date(2058, 12, 31, 23, 59, 59, 0, time.UTC), // the last year whose milliseconds fit eight digits
	} {
		for _, random := range []uint32{0, 1, 1<<32 - 1} {
			n := keyname.New(keyname.Lineage("123456789012", "us-east-1", "prod/mailer"), keyname.Rotation("tok"), at, random)
			got, ok := keyname.Parse(n.String())
			if !ok || got != n {
				t.Errorf("Parse(%s) = %+v, %v; want %+v", n, got, ok, n)
			}
		}
	}
}

func TestParse_foreignNames(t *testing.T) {
	t.Parallel()
	n := keyname.New(keyname.Lineage("1", "r", "n"), keyname.Rotation("t"), time.Now(), 7).String()
	for _, s := range []string{
		"", "keyturn-", "production mailer", n + "x", "x" + n, n[:len(n)-1], " " + n, n + "\n",
		"keyturn-0123456789-0123456789abcdef-0000000000", // a time before there were keys of ours
		"KEYTURN" + n[7:],
	} {
		if got, ok := keyname.Parse(s); ok {
			t.Errorf("Parse(%q) = %+v, want refused", s, got)
		}
	}
}

// A recreated secret keeps its keys, for the lineage is of the name.
// Promise: lineage-of-name
func TestLineageOf(t *testing.T) {
	t.Parallel()
	a, err := keyname.LineageOf("arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/mailer-AbCdEf")
	if err != nil {
		t.Fatal(err)
	}
	b, err := keyname.LineageOf("arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/mailer-ZyXwVu")
	if err != nil {
		t.Fatal(err)
	}
	if a != b || a != keyname.Lineage("123456789012", "us-east-1", "prod/mailer") {
		t.Errorf("lineages %s and %s, want one", a, b)
	}
	if _, err := keyname.LineageOf("prod/mailer"); err == nil {
		t.Error("a name is no ARN")
	}
}

package keyname_test

import (
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/keyname"
)

// A name that is taken for ours is one that we could have made, to the letter.
func FuzzParse(f *testing.F) {
	at := time.Date(2026, 11, 23, 4, 5, 6, 789e6, time.UTC)
	ours := keyname.New(keyname.Lineage("123456789012", "us-east-1", "prod/mailer"), keyname.Rotation("token"), at, 7).String()
	for _, s := range []string{ours, ours + " ", strings.ToUpper(ours), "keyturn-0123456789-0123456789abcdef-zzzzzzzzzzzz", "keyturn-0123456789-0123456789abcdef-00000000zzzz", "production mailer"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, ok := keyname.Parse(s)
		if !ok {
			if n.String() == s {
				t.Errorf("Parse(%q) refuses what it took apart", s)
			}
			return
		}
		if n.String() != s {
			t.Errorf("Parse(%q) = %q", s, n)
		}
		if again, ok := keyname.Parse(n.String()); !ok || again != n {
			t.Errorf("Parse(%q) the second time = %+v, %v", s, again, ok)
		}
		if len(n.Lineage) != 10 || len(n.Rotation) != 16 || strings.Trim(n.Lineage+n.Rotation, "0123456789abcdef") != "" {
			t.Errorf("Parse(%q): lineage %q, rotation %q", s, n.Lineage, n.Rotation)
		}
		if n.Created.Location() != time.UTC || !n.Created.Equal(n.Created.Truncate(time.Millisecond)) {
			t.Errorf("Parse(%q): created at %s", s, n.Created)
		}
	})
}

// Whatever the secret, the token and the time are, a name of ours is known
// again, and by its own secret and token only.
func FuzzNew(f *testing.F) {
	f.Add("prod/mailer", "token", int64(1795400000000), uint32(1<<32-1))
	f.Add("", "", int64(0), uint32(0))
	f.Add("a:b", "x", int64(2821109907455), uint32(1679616)) // the last millisecond of eight digits
	f.Fuzz(func(t *testing.T, name, token string, ms int64, random uint32) {
		const first, last = 78364164096, 2821109907455 // of eight digits in base 36: 1972 to 2059
		ms = first + int64(uint64(ms)%uint64(last-first+1))
		lineage, rotation := keyname.Lineage("123456789012", "us-east-1", name), keyname.Rotation(token)
		n := keyname.New(lineage, rotation, time.UnixMilli(ms), random)
		got, ok := keyname.Parse(n.String())
		if !ok || got != n || got.Lineage != lineage || got.Rotation != rotation || got.Created.UnixMilli() != ms {
			t.Errorf("Parse(%q) = %+v, %v; want %+v", n, got, ok, n)
		}
		if keyname.Lineage("123456789012", "us-east-1", name+"x") == lineage || keyname.Rotation(token+"x") == rotation {
			t.Error("another secret or token leads to the same name")
		}
	})
}

// A full ARN leads to the lineage of its account, Region and name; anything else
// to an error.
// Promise: lineage-of-name
func FuzzLineageOf(f *testing.F) {
	f.Add("arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/mailer-AbCdEf")
	f.Add("arn:aws-cn:secretsmanager:::secret:a:b-ZyXwVu")
	f.Add("arn:aws:secretsmanager:us-east-1:123456789012:secret:-AbCdEf")
	f.Add("prod/mailer")
	f.Fuzz(func(t *testing.T, arn string) {
		got, err := keyname.LineageOf(arn)
		if err != nil {
			return
		}
		p := strings.SplitN(arn, ":", 7)
		if len(p) != 7 || p[2] != "secretsmanager" || p[5] != "secret" {
			t.Fatalf("LineageOf(%q) = %s, want refused", arn, got)
		}
		name, _, ok := cutLast(p[6], "-")
		if ok && len(p[6])-len(name) == 7 && got != keyname.Lineage(p[4], p[3], name) {
			t.Errorf("LineageOf(%q) is not that of %q", arn, name)
		}
		if name == "" {
			t.Errorf("LineageOf(%q): a secret without a name", arn)
		}
	})
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

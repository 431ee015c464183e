// Package keyname makes and reads the names that our keys carry at a vendor.
//
// A name is keyturn-<lineage>-<rotation>-<attempt>. It is the only proof of
// ownership there is: most vendors keep nothing else that we can set, and some
// do not even keep a date.
package keyname

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	prefix = "keyturn-"
	salt   = 4 // random characters at the end of an attempt
)

var form = regexp.MustCompile(`^keyturn-([0-9a-f]{10})-([0-9a-f]{16})-([0-9a-z]{8})([0-9a-z]{4})$`)

// Name is a key's name, taken apart.
type Name struct {
	Lineage  string    // whose key it is: see [Lineage]
	Rotation string    // which rotation made it: see [Rotation]
	Created  time.Time // when the attempt began, to the millisecond
	salt     string
}

// Lineage names a secret for ever: 10 hex digits of SHA-256 over
// "account:region:name". The name, not the ARN, so that a secret which was
// deleted and made again keeps its keys.
func Lineage(account, region, name string) string {
	return digest(account+":"+region+":"+name, 10)
}

// LineageOf is [Lineage] for a secret's full ARN.
func LineageOf(arn string) (string, error) {
	p := strings.SplitN(arn, ":", 7)
	if len(p) != 7 || p[0] != "arn" || p[2] != "secretsmanager" || p[5] != "secret" || len(p[6]) < 8 || p[6][len(p[6])-7] != '-' {
		return "", fmt.Errorf("%q is not the ARN of a secret", arn)
	}
	return Lineage(p[4], p[3], p[6][:len(p[6])-7]), nil
}

// Rotation names one rotation: 16 hex digits of SHA-256 over its
// ClientRequestToken. Callers choose tokens, so their own characters are not
// unique enough.
func Rotation(token string) string { return digest(token, 16) }

func digest(s string, n int) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])[:n]
}

// New returns the name for a new attempt at a rotation. random distinguishes
// two attempts that begin in the same millisecond; only its low bits count.
func New(lineage, rotation string, now time.Time, random uint32) Name {
	s := strconv.FormatUint(uint64(random)%(36*36*36*36), 36)
	return Name{
		Lineage: lineage, Rotation: rotation,
		Created: now.UTC().Truncate(time.Millisecond),
		salt:    strings.Repeat("0", salt-len(s)) + s,
	}
}

// Undated returns the name of a key whose attempt's time is not known, or that
// no vendor ever saw: always the same one.
func Undated(lineage, rotation string) Name {
	return New(lineage, rotation, time.Date(2001, 9, 9, 1, 46, 40, 0, time.UTC), 0)
}

// String returns the name as the vendor shows it.
func (n Name) String() string {
	return prefix + n.Lineage + "-" + n.Rotation + "-" + strconv.FormatInt(n.Created.UnixMilli(), 36) + n.salt
}

// Parse takes a name apart. It reports false for every name that [New] could
// not have made.
func Parse(s string) (Name, bool) {
	m := form.FindStringSubmatch(s)
	if m == nil {
		return Name{}, false
	}
	ms, err := strconv.ParseInt(m[3], 36, 64)
	if err != nil {
		return Name{}, false
	}
	n := Name{Lineage: m[1], Rotation: m[2], Created: time.UnixMilli(ms).UTC(), salt: m[4]}
	return n, n.String() == s
}

package keysfile

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// The forms of what AWS names.
var (
	arnForm     = regexp.MustCompile(`^arn:(aws[a-z-]*):([a-z0-9-]+):([a-z0-9-]*):([0-9]{12}|aws)?:(.+)$`)
	personForm  = regexp.MustCompile(`^(role|user)/([A-Za-z0-9_+=,.@/-]+/)?[A-Za-z0-9_+=,.@-]{1,64}$`)
	sessionForm = regexp.MustCompile(`^assumed-role/([A-Za-z0-9_+=,.@-]+)/`)
	ssoForm     = regexp.MustCompile(`^role/aws-reserved/sso\.amazonaws\.com/(?:[a-z0-9-]+/)?AWSReservedSSO_([A-Za-z0-9_+=,.@-]+)_[0-9a-f]{16}$`)
	accountForm = regexp.MustCompile(`^[0-9]{12}$`)
	regionForm  = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+){1,3}-[0-9]{1,2}$`)
	orgForm     = regexp.MustCompile(`^o-[a-z0-9]{10,32}$`)
	setForm     = regexp.MustCompile(`^[A-Za-z0-9_+=,.@-]{1,32}$`)
)

// arn is one, taken apart.
type arn struct{ partition, service, region, account, resource string }

func parseARN(s string) (arn, bool) {
	m := arnForm.FindStringSubmatch(s)
	if m == nil {
		return arn{}, false
	}
	return arn{m[1], m[2], m[3], m[4], m[5]}, true
}

// principal tells what keeps s from being the ARN of one role or user.
func principal(s string) (what, hint string) {
	const like = "write arn:aws:iam::111122223333:role/NAME"
	a, ok := parseARN(s)
	session := sessionForm.FindStringSubmatch(a.resource)
	switch {
	case strings.ContainsAny(s, "*?$"):
		return fmt.Sprintf("%q is a pattern, which would let in more than is named", s), "name each role or user"
	case accountForm.MatchString(s), ok && a.service == "iam" && a.resource == "root":
		return fmt.Sprintf("%q is a whole account", s), "name its roles or users: " + like
	case !ok:
		return fmt.Sprintf("%q is no ARN", s), like
	case a.service == "sts" && session != nil:
		return fmt.Sprintf("%q is a session of a role", s), fmt.Sprintf("name the role: arn:%s:iam::%s:role/%s", a.partition, a.account, session[1])
	case a.service != "iam":
		return fmt.Sprintf("%q is of %s, not of IAM", s, a.service), like
	case a.region != "" || a.account == "" || a.account == "aws":
		return fmt.Sprintf("%q has no account of 12 digits, or a Region, which roles and users do not have", s), like
	case strings.HasPrefix(a.resource, "group/"):
		return fmt.Sprintf("%q is a group, which no policy can name", s), "name a role that its members assume"
	case !personForm.MatchString(a.resource):
		return fmt.Sprintf("%q is neither a role nor a user", s), like
	case strings.Contains(a.resource, "AWSReservedSSO_") && permissionSet(s) == "":
		return fmt.Sprintf("%q is of Identity Center, and not whole", s), "write it with /aws-reserved/sso.amazonaws.com/ and the 16 characters at its end"
	}
	return "", ""
}

// permissionSet returns the permission set of Identity Center whose role this
// is; "" if it is of none.
// https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html
func permissionSet(role string) string {
	a, _ := parseARN(role)
	if m := ssoForm.FindStringSubmatch(a.resource); m != nil {
		return m[1]
	}
	return ""
}

// cidr tells what keeps s from being addresses that a reader comes from.
func cidr(s string) (what, hint string) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		if a, err := netip.ParseAddr(s); err == nil {
			return fmt.Sprintf("%q is one address, not a CIDR", s), "write " + netip.PrefixFrom(a, a.BitLen()).String()
		}
		return fmt.Sprintf("%q is no CIDR", s), "write 203.0.113.0/24"
	}
	switch a := p.Addr(); {
	case p != p.Masked():
		return fmt.Sprintf("%q has bits behind its prefix", s), fmt.Sprintf("write %s, or %s for the one address", p.Masked(), netip.PrefixFrom(a, a.BitLen()))
	case p.String() != s:
		return fmt.Sprintf("%q is not written as AWS writes it", s), "write " + p.String()
	case p.Bits() == 0:
		return fmt.Sprintf("%q is everybody", s), "leave cidrs out, or name the addresses"
	case !public(p):
		return fmt.Sprintf("%q is not public: a request through a VPC endpoint has no source address that a policy sees", s), "name the endpoint in vpcEndpoints"
	}
	return "", ""
}

// public reports whether nothing in the prefix is private.
func public(p netip.Prefix) bool {
	for _, private := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/3",
		"::/96", "::ffff:0:0/96", "fc00::/7", "fe80::/10", "ff00::/8",
	} {
		if p.Overlaps(netip.MustParsePrefix(private)) {
			return false
		}
	}
	return true
}

// resourceID reports whether s is an id such as vpc-0123456789abcdef0: older ones
// have 8 digits.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html
func resourceID(kind, s string) bool {
	digits, ok := strings.CutPrefix(s, kind+"-")
	return ok && (len(digits) == 8 || len(digits) == 17) && strings.Trim(digits, "0123456789abcdef") == ""
}

// each tells of every item of a list that test does not like, and of those
// given twice.
func (c *check) each(path string, list []string, test func(string) (what, hint string)) {
	for i, s := range list {
		if what, hint := test(s); what != "" {
			c.unreadable(item(path, i), what, hint)
		} else if slices.Contains(list[:i], s) {
			c.unreadable(item(path, i), fmt.Sprintf("%q is given twice", s), "keep one of the two")
		}
	}
}

// ids is a test for [check.each].
func ids(kind, called string) func(string) (what, hint string) {
	return func(s string) (what, hint string) {
		if resourceID(kind, s) {
			return "", ""
		}
		return fmt.Sprintf("%q is no id of a %s", s, called), "write " + kind + "-0123456789abcdef0"
	}
}

package access

import (
	"fmt"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// Circumstance is what a subject may do with a key from one network, with MFA or
// without.
type Circumstance struct {
	Who       string
	Principal string // ARN; empty: whoever has such rights
	MFA       string // "with MFA", "without MFA", "MFA not observable"; empty: a machine or a service
	From      string // such as "right address"
	Actions   []string
	Allowed   []bool // for each of Actions
}

// May says whether an action is allowed.
func (c Circumstance) May(action string) bool {
	i := slices.Index(c.Actions, action)
	return i >= 0 && c.Allowed[i]
}

// RotateNow and Emergency are the actions that stand for keyturn rotate-now: to
// invoke the function that rotates a key, on its own or at the price of the old
// one. EndCMK is to have the CMK of the values deleted.
const (
	RotateNow = "lambda:InvokeFunction rotate"
	Emergency = "lambda:InvokeFunction emergency"
	EndCMK    = "kms:ScheduleKeyDeletion"
)

// Where says what every subject of [Site.Key] may do with a key, from each of
// the right and wrong networks, with MFA and without. Members of the key's
// organization ask; where the key has none to be in, that does not matter.
func (s *Site) Where(name string) ([]Circumstance, error) {
	i := slices.IndexFunc(s.file.Keys, func(k keysfile.Key) bool { return k.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("no key %q is declared", name)
	}
	k := s.file.Keys[i]
	d, err := s.documents()
	if err != nil {
		return nil, err
	}
	if d.secrets[name], err = s.Secret(k); err != nil {
		return nil, err
	}
	t := s.keyTarget(k)
	actions := append(slices.DeleteFunc(matrix(), func(a string) bool { return a == "kms:Decrypt" }), RotateNow, Emergency, EndCMK)
	var out []Circumstance
	for _, a := range s.subjects(d, k) {
		for _, mfa := range s.factors(a) {
			a.mfa = mfa.value
			for _, n := range networks(t) {
				c, err := s.circumstance(d, t, a, n, actions)
				if err != nil {
					return nil, err
				}
				c.MFA = mfa.name
				out = append(out, c)
			}
		}
	}
	return out, nil
}

func (s *Site) circumstance(d *documents, t *target, a actor, n network, actions []string) (Circumstance, error) {
	c := Circumstance{Who: a.name, Principal: arnOf(a.who), From: n.name, Actions: actions}
	if a.of == anybody {
		c.Principal = ""
	}
	for _, action := range actions {
		got, err := s.askWhere(d, t, a, n, action)
		if err != nil {
			return c, fmt.Errorf("%s: %s: %w", a.name, action, err)
		}
		c.Allowed = append(c.Allowed, got.Effect == iam.Allowed)
	}
	return c, nil
}

// factor is a value of aws:MultiFactorAuthPresent, empty where it is missing.
type factor struct{ name, value string }

// factors are what a subject's requests may say of MFA. The keys of a user say
// nothing, a session says false.
func (s *Site) factors(a actor) []factor {
	without := factor{"without MFA", "false"}
	switch {
	case permissionSet(arnOf(a.who)) != "":
		return []factor{{"MFA not observable", "false"}}
	case strings.HasSuffix(a.name, " function"), a.who.ARN == s.execution().ARN:
		return []factor{{"", "false"}}
	case a.who.Kind != iam.Session:
		without.value = ""
	}
	return []factor{{"with MFA", "true"}, without}
}

func (s *Site) askWhere(d *documents, t *target, a actor, n network, action string) (iam.Decision, error) {
	alias, ok := map[string]string{RotateNow: "rotate", Emergency: "emergency"}[action]
	if !ok {
		return s.ask(d, t, a, n, action)
	}
	r := s.request(&target{}, a, n, "lambda:InvokeFunction", s.function(s.RotateNowName())+":"+alias)
	return iam.Evaluate(r, iam.Policies{Identity: a.identity})
}

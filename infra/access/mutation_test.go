package access

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// mutant is one statement that was changed.
type mutant struct {
	name   string // document, Sid and what was changed
	change func(s *iam.Statement)
	drop   bool
}

// mutants are the ways in which a statement may be missing, loose or tight.
func mutants(of iam.Statement) []mutant {
	all := []mutant{{name: "dropped", drop: true}}
	add := func(name string, change func(s *iam.Statement)) {
		all = append(all, mutant{name: name, change: change})
	}
	for i, action := range of.Action {
		if len(of.Action) > 1 {
			add("without "+action, func(s *iam.Statement) { s.Action = slices.Delete(s.Action, i, i+1) })
		}
	}
	if of.Effect == iam.Allow {
		add("every action", func(s *iam.Statement) { s.Action = iam.Strings{"*"} })
		if of.Resource != nil && of.Resource[0] != "*" {
			add("every resource", func(s *iam.Statement) { s.Resource = iam.Strings{"*"} })
		}
		if of.Principal != nil && !of.Principal.Everyone {
			add("every principal", func(s *iam.Statement) { s.Principal = &iam.Principals{Everyone: true} })
		}
		for i, r := range of.Resource {
			if len(of.Resource) > 1 {
				add("without "+r, func(s *iam.Statement) { s.Resource = slices.Delete(s.Resource, i, i+1) })
			}
		}
	}
	for operator, keys := range of.Condition {
		for key := range keys {
			add("without "+operator+" "+key, func(s *iam.Statement) {
				delete(s.Condition[operator], key)
				if len(s.Condition[operator]) == 0 {
					delete(s.Condition, operator)
				}
			})
			for i, v := range keys[key] {
				if len(keys[key]) > 1 {
					add("without "+operator+" "+key+" "+v, func(s *iam.Statement) { s.Condition[operator][key] = slices.Delete(s.Condition[operator][key], i, i+1) })
				}
			}
			if other := sibling(operator); other != "" {
				add(operator+" becomes "+other, func(s *iam.Statement) {
					c := map[string]iam.Strings{key: s.Condition[operator][key]}
					delete(s.Condition[operator], key)
					if len(s.Condition[operator]) == 0 {
						delete(s.Condition, operator)
					}
					maps.Copy(c, s.Condition[other])
					s.Condition[other] = c
				})
			}
		}
	}
	return all
}

// sibling is the operator that is easily taken for this one: it differs where
// the key is missing, or in the negation.
func sibling(operator string) string {
	return map[string]string{
		"BoolIfExists": "Bool", "Bool": "BoolIfExists", "NotIpAddress": "IpAddress", "StringNotEquals": "StringEquals", "StringEquals": "StringEqualsIfExists",
		"ArnNotEquals": "ArnEquals", "ArnLike": "ArnLikeIfExists", "ArnEquals": "ArnEqualsIfExists",
	}[operator]
}

// survivors are mutants that the proof cannot tell, each with the reason. A
// star stands for anything.
var survivors = map[string]string{
	"queue *OnlyTLS: Bool becomes BoolIfExists":                       "aws:SecureTransport is in every request",
	"role person:*TrustedSets: ArnLike becomes ArnLikeIfExists":       "aws:PrincipalArn is in every request of a person",
	"queue * Keyturn*: ArnEquals becomes ArnEqualsIfExists":           "aws:PrincipalArn is in every request of an account",
	"queue * Keyturn*: every principal":                               "the condition names one role of one account",
	"secret *: without secretsmanager:BatchGetSecretValue":            "a batch is authorized by GetSecretValue of each secret; the action is named besides, should that change",
	"role person:admin *: without secretsmanager:BatchGetSecretValue": "as for secrets",
	"role execution *: without *":                                     "which calls CloudFormation makes is not known here: a deployment must show it",
}

func mutationSample() *keysfile.File {
	f := sample()
	f.Keys = slices.DeleteFunc(f.Keys, func(k keysfile.Key) bool { return !slices.Contains([]string{"everything", "old", "open"}, k.Name) })
	return f
}

// TestEveryStatementIsNeeded changes each statement of each document in each
// way, and wants the proof to fail.
func TestEveryStatementIsNeeded(t *testing.T) {
	t.Parallel()
	s, err := New(mutationSample(), home)
	if err != nil {
		t.Fatal(err)
	}
	base, err := s.documents()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.prove(base); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]map[string]iam.Document{"secret": base.secrets, "role": base.roles, "key": base.keys, "queue": base.queues, "trust": base.trusts}
	killed, survived := 0, map[string]bool{}
	for kind, docs := range kinds {
		for name, doc := range docs {
			for i, statement := range doc.Statement {
				for _, m := range mutants(statement) {
					changed := doc.Clone()
					if m.drop {
						changed.Statement = slices.Delete(changed.Statement, i, i+1)
					} else {
						m.change(&changed.Statement[i])
					}
					if len(changed.Statement) == 0 { // no policy is one that allows nothing
						changed.Statement = []iam.Statement{{Effect: iam.Deny, Principal: statement.Principal, Action: iam.Strings{"proof:none"}, Resource: iam.Strings{"*"}}}
					}
					_, err := s.prove(base.with(kind, name, changed))
					if _, wrong := errors.AsType[*WrongError](err); wrong {
						killed++
						continue
					}
					if err != nil {
						t.Errorf("%s %s %s: %v", name, statement.Sid, m.name, err)
					}
					survived[fmt.Sprintf("%s %s %s: %s", kind, name, statement.Sid, m.name)] = true
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(survived)) {
		if !excused(name) {
			t.Errorf("the proof does not notice: %s", name)
		}
	}
	for pattern := range survivors {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(survived)), func(name string) bool { return like(pattern, name) }) {
			t.Errorf("nothing survives any more that is like %q", pattern)
		}
	}
	t.Logf("%d mutants killed, %d survive with a reason", killed, len(survived))
}

func excused(name string) bool {
	for pattern := range survivors {
		if like(pattern, name) {
			return true
		}
	}
	return false
}

func like(pattern, name string) bool {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$").MatchString(name)
}

// with is a copy in which one document is another.
func (d *documents) with(kind, name string, doc iam.Document) *documents {
	c := *d
	c.only = kind + " " + name
	for of, docs := range map[string]*map[string]iam.Document{"secret": &c.secrets, "role": &c.roles, "key": &c.keys, "queue": &c.queues, "trust": &c.trusts} {
		if of == kind {
			*docs = maps.Clone(*docs)
			(*docs)[name] = doc
		}
	}
	return &c
}

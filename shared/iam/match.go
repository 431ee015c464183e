package iam

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// reach is how closely a resource policy names the principal of a request.
type reach int

const (
	notNamed  reach = iota
	asAccount       // the whole account: it is left to the account's own policies
	asIssuer        // the role of the session
	asItself        // the user, the session, the service, or everyone
)

// matchStatement says whether the statement is about the request. The reach is
// asItself in policies that name no principals.
func (e *evaluation) matchStatement(s Statement, resourcePolicy bool) (tri, reach, error) {
	how, about := asItself, yes
	if resourcePolicy {
		var err error
		if s.NotPrincipal != nil {
			about, err = e.matchOthers(s)
		} else if how, err = e.matchPrincipals(s.Principal); how == notNamed {
			about = no
		}
		if err != nil || about.isNo() {
			return no, notNamed, e.checkRest(s, err)
		}
	} else if s.Principal != nil || s.NotPrincipal != nil {
		return no, notNamed, errors.New("an identity policy names no principal")
	}
	answer, err := e.matchRest(s, resourcePolicy)
	return about.and(answer), how, err
}

// checkRest finds what is not supported also where the principal differs.
func (e *evaluation) checkRest(s Statement, err error) error {
	if err != nil {
		return err
	}
	_, err = e.matchRest(s, true)
	return err
}

func (e *evaluation) matchRest(s Statement, resourcePolicy bool) (tri, error) {
	action, err := e.matchActions(s)
	if err != nil {
		return no, err
	}
	resource, err := e.matchResources(s, resourcePolicy)
	if err != nil {
		return no, err
	}
	conditions, err := e.conditions(s.Condition)
	return known(action).and(resource).and(conditions), err
}

func (e *evaluation) matchActions(s Statement) (bool, error) {
	found := false
	for _, pattern := range slices.Concat(s.Action, s.NotAction) {
		service, _, ok := strings.Cut(pattern, ":")
		if pattern != "*" && (!ok || strings.ContainsAny(service, "*?")) {
			return false, fmt.Errorf("action %q is not of the form service:name", pattern)
		}
		found = found || matchAction(pattern, e.request.Action)
	}
	return found == (s.NotAction == nil), nil
}

func matchAction(pattern, action string) bool {
	if !strings.ContainsAny(pattern, "*?") {
		return strings.EqualFold(pattern, action)
	}
	return newGlob(strings.ToLower(pattern), true).match(strings.ToLower(action))
}

func (e *evaluation) matchResources(s Statement, resourcePolicy bool) (tri, error) {
	if s.Resource == nil && s.NotResource == nil {
		if resourcePolicy { // of a role: who may assume it
			return yes, nil
		}
		return no, errors.New("an identity policy names resources")
	}
	found := no
	for _, pattern := range slices.Concat(s.Resource, s.NotResource) {
		if pattern == "*" {
			found = yes
			continue
		}
		g, exists, err := e.expand(pattern, true)
		if err != nil {
			return no, err
		}
		ok, err := g.matchResource(e.request.Resource)
		if err != nil {
			return no, fmt.Errorf("resource %q %w", pattern, err)
		}
		if !exists.isYes() {
			found = found.or(exists)
			continue
		}
		found = found.or(known(ok))
	}
	if s.NotResource != nil {
		return found.not(), nil
	}
	return found, nil
}

// matchOthers says whether a Deny is about the principal that names all others by
// NotPrincipal. AWS asks for the account beside a user, and for account, role and
// session of a session: where only some of them are named, it depends on the service
// who is denied, and the answer is not known. A boundary makes it deny always.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html
func (e *evaluation) matchOthers(s Statement) (tri, error) {
	if s.Effect != Deny {
		return no, errors.New("NotPrincipal with Allow is not supported: AWS has none")
	}
	how, err := e.matchPrincipals(s.NotPrincipal)
	p := e.request.Principal
	switch {
	case err != nil:
		return no, err
	case e.bounded && p.Kind != Service && p.Kind != Root:
		return yes, nil
	case how == notNamed:
		return yes, nil
	case s.NotPrincipal.Everyone, slices.Contains(s.NotPrincipal.AWS, "*"), p.Kind == Service, p.Kind == Root:
		return no, nil
	}
	names := []string{p.ARN}
	if p.Issuer != "" {
		names = append(names, p.Issuer)
	}
	account := slices.ContainsFunc(s.NotPrincipal.AWS, func(name string) bool {
		return name == p.Account() || strings.HasSuffix(name, "::"+p.Account()+":root")
	})
	if account && !slices.ContainsFunc(names, func(n string) bool { return !slices.Contains(s.NotPrincipal.AWS, n) }) {
		return no, nil
	}
	return maybe("NotPrincipal"), nil
}

// matchPrincipals says how closely the principal of the request is among these.
func (e *evaluation) matchPrincipals(named *Principals) (reach, error) {
	if named == nil {
		return notNamed, errors.New("a resource policy names principals")
	}
	p := e.request.Principal
	if named.Everyone {
		return asItself, nil
	}
	how := notNamed
	for _, name := range named.AWS {
		h, err := matchAWS(name, p)
		if err != nil {
			return notNamed, err
		}
		how = max(how, h)
	}
	for _, name := range named.Service {
		if strings.ContainsAny(name, "*?") {
			return notNamed, fmt.Errorf("principal %q: a service is named in full", name)
		}
		if p.Kind == Service && p.ARN == name {
			how = asItself
		}
	}
	if len(named.CanonicalUser)+len(named.Federated) > 0 {
		return notNamed, errors.New("principals of the kinds Federated and CanonicalUser are not supported")
	}
	return how, nil
}

// matchAWS follows
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
func matchAWS(name string, p Principal) (reach, error) {
	if name == "*" {
		return asItself, nil
	}
	account := name
	if !isAccount(name) {
		a, ok := splitARN(name)
		if !ok || strings.ContainsAny(name, "*?$") {
			return notNamed, fmt.Errorf("principal %q is not a full ARN, an account or *", name)
		}
		account = ""
		if a.resource == "root" {
			account = a.account
		}
	}
	switch {
	case p.Kind == Service:
		return notNamed, nil
	case account != "":
		if account != p.Account() {
			return notNamed, nil
		}
		if p.Kind == Root {
			return asItself, nil
		}
		return asAccount, nil
	case name == p.ARN:
		return asItself, nil
	case p.Issuer != "" && name == p.Issuer:
		return asIssuer, nil
	}
	return notNamed, nil
}

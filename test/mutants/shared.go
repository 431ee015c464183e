package mutants

// vendors are mutants of what is said to vendors and believed of them.
func vendors() []Mutant {
	const sendgrid, gitea, openai, cloudflare, launchdarkly = "shared/provider/sendgrid/sendgrid.go", "shared/provider/gitea/gitea.go",
		"shared/provider/openai/openai.go", "shared/provider/cloudflare/cloudflare.go", "shared/provider/launchdarkly/launchdarkly.go"
	const auth0, adyen = "shared/provider/auth0/auth0.go", "shared/provider/adyen/adyen.go"
	return []Mutant{
		{Name: "sendgrid-bare-200", File: sendgrid, Old: "func() bool { return len(out.Scopes) > 0 }", New: "func() bool { return true }", Why: "a captive portal's 200 passes for a live key"},
		{Name: "sendgrid-create-again", File: sendgrid, Old: "Once: true, ", New: "", Why: "a second key is made when an answer is lost"},
		{Name: "sendgrid-403-is-full", File: sendgrid, Old: "lerr == nil && len(keys) >= limit", New: "lerr == nil && len(keys) >= 0", Why: "attempts are revoked for a right that is missing"},
		{Name: "sendgrid-list-of-none", File: sendgrid, Old: "return out.Result != nil && !slices", New: "return !slices", Why: "an answer without a list passes for an empty account"},
		{Name: "sendgrid-403-is-dead", File: sendgrid, Old: "Dead:  http.StatusUnauthorized", New: "Dead:  http.StatusForbidden", Why: "a blocked address passes for a key's death"},
		{Name: "gitea-first-page", File: gitea, Old: "if read >= total || len(ts) == 0 {", New: "if true {", Why: "keys on the second page are taken for gone"},
		{Name: "gitea-moving-list", File: gitea, Old: "still && len(tokens) == total", New: "true", Why: "a key that slipped between two pages is taken for gone"},
		{Name: "gitea-name-for-id", File: gitea, Old: "if !idForm.MatchString(id) {", New: "if false {", Why: "a token of that name is deleted"},
		{Name: "gitea-anybodys-answer", File: gitea, Old: "out.ID > 0 && (c.user == \"\" || strings.EqualFold(out.Login, c.user))", New: "out.ID > 0 && (true || strings.EqualFold(out.Login, c.user))", Why: "another user's token passes for this one's"},
		{Name: "openai-first-page", File: openai, Old: "if !*p.More {", New: "if true {", Why: "keys on the second page are taken for gone"},
		{Name: "openai-404-is-gone", File: openai, Old: "lerr == nil && !slices.ContainsFunc(found", New: "true || lerr == nil && !slices.ContainsFunc(found", Why: "a project that cannot be seen passes for a key's end"},
		{Name: "openai-create-again", File: openai, Old: "Once: true, ", New: "", Why: "a second account is made when an answer is lost"},
		{Name: "cloudflare-success-false", File: cloudflare, Old: "return out.Success && proof(out.Result)", New: "return proof(out.Result)", Why: "a refusal with 200 is believed"},
		{Name: "cloudflare-disabled-accepted", File: cloudflare, Old: "if err == nil && t.Status != active {", New: "if err == nil && t.Status != active && false {", Why: "a disabled key passes for a live one"},
		{Name: "gitea-never-used", File: gitea, Old: "err == nil && (t.Created.IsZero() || t.LastUsed.IsZero())", New: "false", Why: "a server that does not tell when a token was used has it revoked in use"},
		{Name: "sendgrid-every-right", File: sendgrid, Old: "\"name\": name, \"scopes\": c.scopes", New: "\"name\": name", Why: "a key whose scopes are left out may do everything"},
		{Name: "cloudflare-never-used", File: cloudflare, Old: "if slices.ContainsFunc(tokens, func(t token) bool { return !t.LastUsed.IsZero() }) {", New: "if true || slices.ContainsFunc(tokens, func(t token) bool { return !t.LastUsed.IsZero() }) {", Why: "a use that is not told passes for none"},
		{Name: "launchdarkly-reset-again", File: launchdarkly, Old: "Once:  true, ", New: "", Why: "a lost answer's value is replaced, and the grace with it"},
		{Name: "launchdarkly-no-expiry", File: launchdarkly, Old: "c.now().Add(grace).UnixMilli()", New: "c.now().UnixMilli()", Why: "the old value ends at once"},
		{Name: "launchdarkly-another-token", File: launchdarkly, Old: "if err == nil && out.TokenID != c.token {", New: "if false {", Why: "another token's value passes for this one's"},
		{Name: "auth0-bare-200", File: auth0, Old: "return out.ID == id && (out.Secret.Empty() || out.Secret.Equal(value))", New: "return true", Why: "a captive portal's 200 passes for a secret that is set"},
		{Name: "auth0-another-secret", File: auth0, Old: "out.ID == id && (out.Secret.Empty() || out.Secret.Equal(value))", New: "out.ID == id", Why: "a secret goes live that Auth0 did not take"},
		{Name: "auth0-no-secret-to-set", File: auth0, Old: "other := app.otherwise(); other != \"\"", New: "other := app.otherwise(); false && other != \"\"", Why: "a secret is set that the application does not use"},
		{Name: "auth0-any-application", File: auth0, Old: "id != c.settings.ClientID || !clientForm.MatchString(id)", New: "!clientForm.MatchString(id)", Why: "another application's secret is replaced"},
		{Name: "auth0-403-is-dead", File: auth0, Old: "		Dead:  http.StatusUnauthorized,\n", New: "		Dead:  http.StatusForbidden,\n", Why: "a missing right passes for a secret's death"},
		{Name: "adyen-generate-again", File: adyen, Old: "Once:   true, ", New: "", Why: "a key whose answer was lost is replaced, and its end comes sooner than it was told"},
		{Name: "adyen-another-credential", File: adyen, Old: "	case out.ID != c.settings.CredentialID:", New: "	case false:", Why: "another credential's key passes for this one's"},
		{Name: "adyen-not-active", File: adyen, Old: "	case !out.Active:", New: "	case false:", Why: "the key of a credential that is switched off goes live"},
		{Name: "adyen-403-is-dead", File: adyen, Old: "		Dead:  http.StatusUnauthorized,\n", New: "		Dead:  http.StatusForbidden,\n", Why: "a missing role passes for a key's death"},
		{Name: "adyen-any-credential", File: adyen, Old: "id != c.settings.CredentialID || !credentialForm.MatchString(id)", New: "!credentialForm.MatchString(id)", Why: "another credential's key is replaced"},
	}
}

// shared are mutants of what all rely on.
func shared() []Mutant {
	const httpapi, classify, payload, config = "shared/httpapi/httpapi.go", "shared/httpapi/classify.go", "shared/payload/payload.go", "shared/config/parse.go"
	return []Mutant{
		{Name: "once-ignored", File: httpapi, Old: "		return !c.Once\n", New: "		return true\n", Why: "every create is sent again when its outcome is unknown"},
		{Name: "proof-ignored", File: httpapi, Old: "	if c.Proof != nil && !c.Proof() {", New: "	if false {", Why: "every 200 is believed"},
		{Name: "old-answer-kept", File: httpapi, Old: "		reflect.ValueOf(c.Out).Elem().SetZero()\n", New: "		_ = reflect.ValueOf(c.Out)\n", Tests: []string{"shared/httpapi"}, Why: "two halves of two answers make a whole one"},
		{Name: "anybody-refuses", File: httpapi, Old: "	if said && e.Status == c.Dead {", New: "	if e.Status == c.Dead {", Why: "a proxy's 401 passes for a key's death"},
		{Name: "redirect-followed", File: httpapi, Old: "	hc.CheckRedirect, hc.Jar = stay, nil\n", New: "	hc.Jar = nil\n", Why: "the credential is sent where a redirect says"},
		{Name: "two-members", File: "shared/httpapi/decode.go", Old: "seen[s] {", New: "false {", Why: "which of two ids is taken depends on the parser"},
		{Name: "retry-after-wraps", File: classify, Old: "err == nil || errors.Is(err, strconv.ErrRange) && digits", New: "err == nil && digits", Why: "an absurd wait is none"},
		{Name: "page-elsewhere", File: "shared/httpapi/pages.go", Old: "err != nil || !sameOrigin(n, u)", New: "err != nil", Why: "the admin credential is sent to another host"},
		{Name: "pages-in-a-circle", File: "shared/httpapi/pages.go", Old: "u = n; seen[u.String()]", New: "u = n; false", Why: "a list never ends"},
		{Name: "page-error-swallowed", File: "shared/httpapi/pages.go", Old: "		if err != nil {\n			return nil, err\n		}\n		pages", New: "		if err != nil {\n			return pages, nil\n		}\n		pages", Why: "a list without its last page passes for whole"},
		{Name: "metadata-address", File: "shared/httpapi/address.go", Old: "\"169.254.0.0/16\", ", New: "", Why: "the function's own role is asked for"},
		{Name: "any-host", File: "shared/httpapi/guard.go", Old: "	if !g.hosts[hostPort(u)] && ", New: "	if false && ", Why: "the admin credential is sent to any host"},
		{Name: "plain-http", File: "shared/httpapi/guard.go", Old: "u.Scheme == \"http\" && !near", New: "u.Scheme == \"http\" && !near && false", Why: "credentials travel unencrypted"},
		{Name: "fields-of-the-consumer", File: payload, Old: "	foreign := i >= 0 && !ms[i].isObject()\n", New: "	foreign := false\n", Why: "a field of the consumer's is overwritten"},
		{Name: "size-not-checked", File: payload, Old: "	case n > MaxSize:", New: "	case false:", Why: "a key is minted that cannot be stored"},
		{Name: "admin-without-hosts", File: "shared/payload/admin.go", Old: " || len(hosts) == 0 {", New: " {", Why: "an admin credential without hosts is taken"},
		{Name: "two-for-one-principal", File: config, Old: "other := taken[id]; other != \"\"", New: "other := taken[id]; false && other != \"\"", Why: "two secrets end each other's keys"},
		{Name: "admin-is-a-key", File: config, Old: "ok && !self {", New: "ok && !self && false {", Why: "the admin credential rotates itself away"},
		{Name: "min-over-max", File: "shared/config/key.go", Old: "g.Min > g.Max", New: "false", Why: "a grace ends before it may"},
		{Name: "parse-any-name", File: "shared/keyname/keyname.go", Old: "return n, n.String() == s", New: "return n, true", Why: "a name that we could not have made proves ownership"},
		{Name: "lineage-of-the-arn", File: "shared/keyname/keyname.go", Old: "return Lineage(p[4], p[3], p[6][:len(p[6])-7]), nil", New: "return Lineage(p[4], p[3], p[6]), nil", Why: "a recreated secret loses its keys"},
		{Name: "record-overwritten", File: "shared/keyrecord/dynamodb/table.go", Old: "	if err == nil && !held {\n		err = keyrecord.ErrConflict", New: "	if err == nil && !held && false {\n		err = keyrecord.ErrConflict", Why: "of two runs, both think that they have the claim"},
		{Name: "records-first-page", File: "shared/keyrecord/dynamodb/table.go", Old: "		if len(out.LastEvaluatedKey) == 0 {", New: "		if true {", Why: "a record on the second page is forgotten, and a grace begins again"},
		{Name: "said-for-ever", File: "shared/keyrecord/dynamodb/table.go", Old: "OR #expires <= :now OR #by = :by", New: "OR #by = :by", Why: "a lease of a run that was killed never ends"},
		{Name: "lease-not-its-own", File: "shared/keyrecord/dynamodb/table.go", Old: "OR #expires <= :now OR #by = :by", New: "OR #expires <= :now", Why: "a put that took effect and whose answer was lost is read as another's"},
		{Name: "alert-for-ever", File: "shared/keyrecord/dynamodb/table.go", Old: "attribute_not_exists(#item) OR #expires <= :now\"),", New: "attribute_not_exists(#item)\"),", Why: "an alert that has ended hides the next one of its kind"},
		{Name: "unknown-state-is-dead", File: "shared/keyrecord/keyrecord.go", Old: "s != Dead && s != Gone", New: "s != Dead && s != Gone && s != Lost", Why: "a lost key is never ended"},
		{Name: "pause-without-end", File: "shared/keyrecord/pause.go", Old: "p.Ended.IsZero() && now.Before(p.Until)", New: "p.Ended.IsZero()", Why: "a forgotten pause stops rotations for ever"},
		{Name: "secret-printed", File: "shared/secret/secret.go", Old: "func (v Value) String() string { return mask }", New: "func (v Value) String() string { return v.Reveal() }", Why: "a secret is in the log"},
	}
}

package mutants

// watched are mutants of what watches the keys, keeps the record and proves who
// has which right.
func watched() []Mutant {
	const recent, respond, deliver, ledger, verify, evaluate = "shared/response/recent.go", "shared/response/response.go", "shared/watch/deliver.go",
		"shared/ledger/ledger.go", "shared/ledger/verify.go", "shared/iam/evaluate.go"
	const secret, policies = "infra/access/secret.go", "^(TestSecretPolicyIsWhatTheDesignSays|TestProveHolds|TestBrokenByHand)$"
	return []Mutant{
		{Name: "response-no-cooldown", File: recent, Old: "p.Secret == secret && now.Sub(p.At) < cooldown", New: "false", Why: "whoever reads again and again has a key rotated again and again"},
		{Name: "response-no-cap", File: recent, Old: "lastHour >= most", New: "lastHour >= 1000*most", Why: "one thief has every key rotated at once"},
		{Name: "response-never-off", File: respond, Old: "	if r.Rules.Off {", New: "	if false {", Why: "the kill switch does nothing"},
		{Name: "response-to-old-news", File: respond, Old: "age > tooOld", New: "age > 1000*tooOld", Why: "a late record has a key rotated that was replaced since"},
		{Name: "response-claim-shared", File: respond, Old: "	case now.Attempt != q.Attempt:", New: "	case false:", Why: "two runs both ask for a rotation"},
		{Name: "response-to-any-rule", File: respond, Old: "	if !slices.Contains(r.Rules.Rules, f.Rule) {", New: "	if false && !slices.Contains(r.Rules.Rules, f.Rule) {", Why: "a finding that nobody chose rotates keys"},
		{Name: "suppressed-responds", File: deliver, Old: "		if why == \"\" {", New: "		if true {", Why: "what is known to be harmless rotates keys"},
		{Name: "acts-not-kept", File: "shared/watch/watch.go", Old: "		fail(failed, b.actIDs)\n", New: "", Why: "acts that the ledger did not take are forgotten"},
		{Name: "canary-silent", File: "shared/watch/canary.go", Old: "	if now.Sub(last) <= Silence {", New: "	if true {", Why: "nobody learns that the record of reads is silent"},
		{Name: "canary-of-anybody", File: "shared/watch/canary.go", Old: "!read(e) || e.Identity.Principal() != c.Role", New: "!read(e)", Why: "a thief's read of the canary says that all is well"},
		{Name: "index-of-another", File: ledger, Old: "err != nil || e.idPath() != path {", New: "err != nil || false && e.idPath() != path {", Why: "an index that was changed keeps an entry out of the ledger"},
		{Name: "duplicate-appended", File: ledger, Old: "		case !placed[i].Duplicate:", New: "		default:", Why: "an entry that is sent again is there twice"},
		{Name: "staged-not-compared", File: "shared/ledger/publish.go", Old: "	if g.to != h.tree() {", New: "	if false {", Why: "entries are signed that were changed before they were published"},
		{Name: "overwritten-unseen", File: verify, Old: "	if versions > 1 {", New: "	if versions > 99 {", Why: "an object that was overwritten passes"},
		{Name: "truncated-unseen", File: verify, Old: "	if tree.N > s.latest.N {", New: "	if false {", Why: "a ledger whose end was cut off passes"},
		{Name: "root-not-compared", File: verify, Old: "		case c.tree.Hash != s.edge.root():", New: "		case false:", Why: "an entry that was changed passes"},
		{Name: "deny-ignored", File: evaluate, Old: "	if f.denied.isYes() {\n		return", New: "	if false {\n		return", Why: "the proof allows what a policy denies"},
		{Name: "boundary-ignored", File: evaluate, Old: "		bounds = bounds.and(f.boundary.tri)\n", New: "		_ = f.boundary\n", Why: "the proof does not see what a boundary takes away"},
		{Name: "other-account-trusted", File: evaluate, Old: "	if who.Account() != e.request.Account {", New: "	if false {", Why: "the proof lets another account in without its own consent"},
		{Name: "anybody-reads", File: secret, Old: "		deny(\"OnlyReadersRead\", but(sorted(k.Readers, ours)))\n", New: "", Run: policies, Why: "whoever gives himself the right reads a key"},
		{Name: "mfa-of-nobody", File: secret, Old: "c[\"BoolIfExists\"]", New: "c[\"Bool\"]", Run: policies, Why: "a long-term access key needs no MFA"},
	}
}

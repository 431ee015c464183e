package mutants

// requests are mutants of what somebody asks for: to adopt a key, to go back to
// one, to enable one again.
func requests() []Mutant {
	const adopt, key, record, back, restore = "shared/rotation/adopt.go", "shared/rotation/adoptkey.go", "shared/rotation/adoptrecord.go",
		"shared/retire/rollback.go", "shared/retire/restore.go"
	return []Mutant{
		{
			Name: "adopt-labels-moved", File: record,
			Old: "	if s.VersionAt(store.Current) != t.out.VersionID {", New: "	if s.VersionAt(store.Current) != t.out.VersionID && false {",
			Why: "a key is adopted for a version that is not current any more",
		},
		{
			Name: "adopt-of-two-secrets", File: adopt,
			Old: "rec.State.Alive() && t.sameKey(rec)", New: "false && t.sameKey(rec)",
			Why: "two secrets have one key, and the first to rotate ends it",
		},
		{
			Name: "adopt-managed-elsewhere", File: adopt,
			Old: "	case s.External || s.Type != \"\" || s.RotationEnabled && s.RotationLambda == \"\":", New: "	case false:",
			Why: "a secret that AWS itself rotates is rotated by two",
		},
		{
			Name: "adopt-beside-a-function", File: adopt,
			Old: "		case function(lambda) != function(t.ask.Function):", New: "		case false:",
			Why: "a secret that another function rotates is rotated by two",
		},
		{
			Name: "adopt-untried", File: adopt,
			Old: "	switch err = t.accepts(ctx, cur); {", New: "	switch err = nil; {",
			Why: "a key of another account is adopted by the id that somebody says",
		},
		{
			Name: "adopt-observe-takes", File: adopt,
			Old: "	if t.ask.Observe {\n", New: "	if t.ask.Observe && false {\n",
			Why: "to look is to take",
		},
		{
			Name: "adopt-not-alone", File: adopt,
			Old: "first = min(first, k.Secret)", New: "_ = k",
			Why: "two secrets that are adopted at once claim one key",
		},
		{
			Name: "adopt-shared-value", File: adopt,
			Old: "claimed || t.sameValue(ctx, k)", New: "claimed",
			Why: "a key is retired that another secret holds",
		},
		{
			Name: "adopt-half-done", File: adopt,
			Old: "		return t.nowKnown(ctx) //", New: "		return nil //",
			Why: "a key whose id is known stays recorded as one whose id is not",
		},
		{
			Name: "adopt-said-id", File: key,
			Old: "	case said != \"\" && said != id:", New: "	case false:",
			Why: "somebody is not told that he has named another key",
		},
		{
			Name: "adopt-unlisted-id", File: key,
			Old: "		case inList(said):", New: "		case true:",
			Why: "a key that the account does not hold is ours to end",
		},
		{
			Name: "adopt-intent-dropped", File: record,
			Old: "	if err := t.record(ctx, a); err != nil {\n		return err\n	}\n	_, err := t.Records.Put", New: "	_ = t.record(ctx, a)\n	_, err := t.Records.Put",
			Why: "a key is handed over that no audit trail knows of",
		},
		{
			Name: "adopt-anothers-name", File: key,
			Old: "ok && n.Lineage != lineage {", New: "ok && n.Lineage == \"\" {",
			Why: "a key that another secret's rotation made is ended",
		},
		{
			Name: "adopt-anothers-value", File: key,
			Old: "	case !value.Equal(t.value):", New: "	case !value.Equal(t.value) && false:",
			Why: "the value of a key that the secret does not hold is replaced",
		},
		{
			Name: "rollback-to-refused", File: back,
			Old: "	case errors.Is(err, provider.ErrRejected):\n		return false, refuse(PreviousRefused", New: "	case errors.Is(err, provider.ErrRejected) && false:\n		return false, refuse(PreviousRefused",
			Why: "the one who asked is told a wrong reason",
		},
		{
			Name: "rollback-untried", File: back,
			Old: "		switch err := r.verify(ctx, value); {\n", New: "		switch err := error(nil); {\n",
			Why: "AWSCURRENT goes back to a dead key",
		},
		{
			Name: "rollback-into-rotation", File: back,
			Old: "	case pending != \"\" && pending != r.version:", New: "	case false:",
			Why: "AWSCURRENT goes back under a rotation that has just begun",
		},
		{
			Name: "rollback-forth", File: back,
			Old: "	if r.isBack(prev) {", New: "	if false {",
			Why: "to ask twice is to go forth again, to the key that is bad",
		},
		{
			Name: "rollback-to-ended", File: back,
			Old: "		case !rec.Revoked.IsZero() || !rec.State.Alive():", New: "		case false:",
			Why: "AWSCURRENT goes back to a key that was revoked and is accepted for a while yet",
		},
		{
			Name: "rollback-unclaimed", File: back,
			Old: "	if err := r.want(ctx, recs); err != nil {\n		return err\n	}\n", New: "",
			Why: "the key that somebody goes back to is ended at the same time",
		},
		{
			Name: "rollback-too-late", File: back,
			Old: "	case !r.inTime(recs):", New: "	case false:",
			Why: "AWSCURRENT goes back when the claim on the key is over",
		},
		{
			Name: "rollback-intent-dropped", File: back,
			Old: "	if err := r.record(ctx, a); err != nil {\n		return false, err\n	}\n", New: "	_ = r.record(ctx, a)\n",
			Why: "AWSCURRENT is moved, and no audit trail knows why",
		},
		{
			Name: "restore-of-the-ending", File: restore,
			Old: "	if r.isEnding(rec) {", New: "	if false {",
			Why: "a key is enabled and revoked at the same time",
		},
		{
			Name: "restore-not-ours", File: restore,
			Old: "	if _, ours := r.owned(r.listed[rec.KeyID]); !ours {", New: "	if _, ours := r.owned(r.listed[rec.KeyID]); !ours && false {",
			Why: "a key is touched that does not carry our name any more",
		},
		{
			Name: "restore-old-grace", File: restore,
			Old: "time.Time{}, time.Time{}, now, keyrecord.Grace", New: "time.Time{}, time.Time{}, rec.Replaced, keyrecord.Grace",
			Why: "a key that was enabled again is disabled by the next run",
		},
	}
}

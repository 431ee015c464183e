package mutants

// retirements are mutants of how replaced keys end.
func retirements() []Mutant {
	const advance, proof, lost, perform, grace, look, role, claim = "shared/retire/advance.go", "shared/retire/proof.go", "shared/retire/lost.go",
		"shared/retire/perform.go", "shared/retire/grace.go", "shared/retire/look.go", "shared/retire/role.go", "shared/retire/claim.go"
	return []Mutant{
		{
			Name: "proof-without-control-before", File: proof,
			Old: "	if err := r.accepts(ctx, cur); err != nil {\n		return err\n	}\n	switch", New: "	switch",
			Why: "a firewall's refusal passes for a key's death",
		},
		{
			Name: "proof-without-control-after", File: proof,
			Old: "	return r.accepts(ctx, cur)\n}\n\nfunc (r *run) accepts", New: "	return nil\n}\n\nfunc (r *run) accepts",
			Why: "an outage that began in between passes for a key's death",
		},
		{
			Name: "any-error-is-death", File: proof,
			Old: "	case !errors.Is(err, provider.ErrRejected):\n		return err\n	}\n	return r.accepts", New: "	}\n	return r.accepts",
			Why: "an error passes for a key's death",
		},
		{
			Name: "same-value-proven-dead", File: proof,
			Old: "	if cur.Equal(old) {", New: "	if false {",
			Why: "the current value is held against itself",
		},
		{
			Name: "one-look-decides", File: proof,
			Old: "rec.Missing.Add(secondLook); now.Before(due) {", New: "rec.Missing.Add(secondLook); false && now.Before(due) {",
			Why: "one late list and a key is given up",
		},
		{
			Name: "sweep-without-age", File: lost,
			Old: "	if now.Before(due) {\n		return r.wait(ctx, rec, keyrecord.Lost", New: "	if false {\n		return r.wait(ctx, rec, keyrecord.Lost",
			Why: "the key of a rotation that is under way is revoked",
		},
		{
			Name: "sweep-seen-once", File: lost,
			Old: "	lostSweeps  = 2\n", New: "	lostSweeps  = 1\n",
			Why: "a key is ended that one sweep saw lost",
		},
		{
			Name: "used-key-swept", File: lost,
			Old: "		if !last.IsZero() {\n			rec.LastUsed = last", New: "		if false {\n			rec.LastUsed = last",
			Why: "a key that somebody uses is swept",
		},
		{
			Name: "short-rotation-age", File: lost,
			Old: "name.Created.Add(max(lostAge, 2*r.MaxRotation))", New: "name.Created.Add(lostAge)",
			Why: "a slow rotation's key is revoked",
		},
		{
			Name: "retire-intent-dropped", File: perform,
			Old: "	if err := r.record(ctx, a); err != nil {\n		return err\n	}\n	err := r.call(", New: "	_ = r.record(ctx, a)\n	err := r.call(",
			Why: "a key is ended that no audit trail knows of",
		},
		{
			Name: "labels-not-read-again", File: perform,
			Old: "slices.Contains(labels, store.Current) || slices.Contains(labels, store.Pending) {", New: "len(labels) > 99 {",
			Why: "a key that has just become pending again is ended",
		},
		{
			Name: "current-not-read-again", File: perform,
			Old: "		if s.VersionAt(store.Current) != r.version ||", New: "		if false ||",
			Why: "a key is ended on labels that have moved",
		},
		{
			Name: "min-grace-ignored", File: advance,
			Old: "rec.Replaced.Add(r.key.Grace.Min); now.Before(due)", New: "rec.Replaced.Add(r.key.Grace.Min); false && now.Before(due)",
			Why: "a consumer that has not fetched yet is cut off",
		},
		{
			Name: "unknown-use-is-quiet", File: advance,
			Old: "		case err != nil: // unknown is not quiet\n			return r.failed(ctx, rec, err)\n", New: "",
			Why: "a key that may be in use is ended",
		},
		{
			Name: "told-no-more-is-never-told", File: advance,
			Old: "errors.Is(err, provider.ErrNotTold) && rec.LastUsed.IsZero()", New: "errors.Is(err, provider.ErrNotTold)",
			Why: "a key that was in use is ended because a server stops telling",
		},
		{
			Name: "replica-not-waited-for", File: advance,
			Old: "		if p.Status != \"InSync\" {", New: "		if false {",
			Why: "consumers in another Region hold a dead key",
		},
		{
			Name: "refused-current-ends-old", File: advance,
			Old: "	if errors.Is(err, provider.ErrRejected) {\n		r.daily(ctx, \"current_refused\", r.messageRefused())\n		return gate(", New: "	if false {\n		r.daily(ctx, \"current_refused\", r.messageRefused())\n		return gate(",
			Why: "the last key that works is ended",
		},
		{
			Name: "linked-keys", File: advance,
			Old: "	if err := r.checkCurrent(ctx); errors.Is(err, provider.ErrRejected) {\n		return r.undo(ctx, rec)\n	}\n", New: "",
			Why: "keys that die together are ended together",
		},
		{
			Name: "label-ignored", File: advance,
			Old: "	if label := r.label(rec.Version); label != \"\" {", New: "	if label := r.label(rec.Version); false {",
			Why: "a version that somebody reads by a label of his own loses its key",
		},
		{
			Name: "renamed-key-touched", File: advance,
			Old: "	case ro == roleRenamed:\n", New: "	case false:\n",
			Why: "a key is touched that does not carry our name any more",
		},
		{
			Name: "elsewhere-ignored", File: advance,
			Old: "	if r.elsewhere(*rec) {", New: "	if false {",
			Why: "a key of another account is taken for gone",
		},
		{
			Name: "wanted-ignored", File: advance,
			Old: "	if r.Now().Before(rec.Wanted) {", New: "	if false {",
			Why: "the key that somebody is going back to is ended",
		},
		{
			Name: "claim-not-stored", File: claim,
			Old: "	rec.Ending = r.Now()\n	if err := r.save(ctx, rec); err != nil {\n		return err\n	}\n", New: "	rec.Ending = r.Now()\n",
			Why: "a rollback does not see that its key is being ended",
		},
		{
			Name: "ending-not-seen", File: claim,
			Old: "return rec.IsEnding(r.Now())", New: "return false",
			Why: "a rollback goes to a key that is being ended",
		},
		{
			Name: "use-counts-from-now", File: grace,
			Old: "	case !now.Before(quiet):\n", New: "	case true:\n",
			Why: "a key in use is ended at the end of its least grace",
		},
		{
			Name: "usage-lag-ignored", File: grace,
			Old: "u.last.Add(g.Quiet+u.lag)", New: "u.last.Add(g.Quiet)",
			Why: "a use that the vendor tells late is not waited for",
		},
		{
			Name: "no-usage-revokes", File: grace,
			Old: "		case g.NoUsage == config.Revoke:", New: "		case true:",
			Why: "a key that may be in use is ended without anybody's consent",
		},
		{
			Name: "in-use-revokes", File: grace,
			Old: "	case g.OnMax == config.Revoke:", New: "	case true:",
			Why: "a key in use is ended without anybody's consent",
		},
		{
			Name: "other-lineage-ours", File: role,
			Old: "	if named && name.Lineage == r.lineage {", New: "	if named {",
			Why: "another secret's keys are swept",
		},
		{
			Name: "pending-is-lost", File: role,
			Old: "	case r.pending(k):\n		return rolePending\n", New: "",
			Why: "the key of a rotation under way is swept",
		},
		{
			Name: "short-list-believed", File: look,
			Old: "	if err != nil {\n		return fmt.Errorf(\"%w: list the keys: %w\", errVendor, err)\n	}\n", New: "	_ = err\n",
			Why: "keys that could not be listed are taken for gone",
		},
		{
			Name: "moving-labels-believed", File: look,
			Old: "	if !agreed {", New: "	if !agreed && false {",
			Why: "something is decided on labels that two reads show differently",
		},
		{
			Name: "heal-young", File: "shared/retire/heal.go",
			Old: "	if r.Now().Sub(since) >= limit {", New: "	if r.Now().Sub(since) >= limit || true {",
			Why: "AWSPENDING is taken off a rotation that is under way",
		},
		{
			Name: "heal-without-second-look", File: "shared/retire/heal.go",
			Old: "	if s.VersionAt(store.Pending) != version || ", New: "	if ",
			Why: "the trail says that a label was taken off that was not there, and a rotation that has begun is not seen",
		},
	}
}

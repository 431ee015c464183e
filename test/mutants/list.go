package mutants

import "slices"

// List returns all mutants.
func List() []Mutant {
	return slices.Concat(rotations(), strategies(), requests(), retirements(), vendors(), shared(), watched())
}

// rotations are mutants of what every rotation does.
func rotations() []Mutant {
	const room = "shared/rotation/room.go"
	const mint, prove, create, family = "shared/rotation/mint.go", "shared/rotation/prove.go", "shared/rotation/create.go", "shared/rotation/family.go"
	return []Mutant{
		{
			Name: "create-sent-twice", File: mint,
			Old: "	issued, err := m.make(ctx)\n",
			New: "	issued, err := m.make(ctx)\n	if err != nil {\n		issued, err = m.make(ctx)\n	}\n",
			Why: "a create whose answer was lost leaves a second key that nobody knows",
		},
		{
			Name: "intent-dropped", File: mint,
			Old: "	if err := r.record(ctx, rec); err != nil {\n		return \"\", err\n	}\n	issued",
			New: "	_ = r.record(ctx, rec)\n	issued",
			Why: "a key is made that no audit trail knows of",
		},
		{
			Name: "revoke-intent-dropped", File: mint,
			Old: "	if err := r.record(ctx, rec); err != nil {\n		return err\n	}\n	err := o.Keys.Revoke",
			New: "	_ = r.record(ctx, rec)\n	err := o.Keys.Revoke",
			Why: "a key is ended that no audit trail knows of",
		},
		{
			Name: "loser-keeps-key", File: mint,
			Old: "		_ = r.discard(ctx, m.o, rec, r.err(Superseded, \"another run stored its key first\", nil))\n",
			New: "",
			Why: "the run that lost the race leaves its key at the vendor",
		},
		{
			Name: "unknown-put-revokes", File: mint,
			Old: "k != store.KindExists && k != store.KindUnknown {\n		return \"\", r.discard",
			New: "k != store.KindExists {\n		return \"\", r.discard",
			Why: "a key that was stored after all is revoked, and goes live dead",
		},
		{
			Name: "unstored-key-left", File: mint,
			Old: "		return \"\", r.discard(ctx, m.o, rec, err)\n	}\n	m.put.Value = value",
			New: "		return \"\", err\n	}\n	m.put.Value = value",
			Why: "a key that does not fit is left at the vendor",
		},
		{
			Name: "any-name-taken", File: mint,
			Old: "	if issued.Name != m.name {", New: "	if false {",
			Why: "a key goes live whose name does not prove that it is ours",
		},
		{
			Name: "rights-not-compared", File: mint,
			Old: "len(lacks)+len(extra) > 0", New: "len(lacks) > 0",
			Why: "a new key that may do more than the old one goes live",
		},
		{
			Name: "lost-key-not-looked-for", File: mint,
			Old: "		if k.Name != rec.KeyName {\n			continue\n		}\n", New: "		if k.Name != \"\" {\n			continue\n		}\n",
			Why: "a key whose value was lost stays at the vendor until the sweep",
		},
		{
			Name: "lost-key-any-name", File: mint,
			Old: "		if k.Name != rec.KeyName {\n			continue\n		}\n", New: "",
			Why: "keys of others are revoked when a create's answer is lost",
		},
		{
			Name: "room-without-reread", File: room,
			Old: "	for range 2 {\n		if found, err = r.stores(ctx, full)", New: "	for range 0 {\n		if found, err = r.stores(ctx, full)",
			Why: "the attempt of a run that is about to store is revoked",
		},
		{
			Name: "room-without-age", File: room,
			Old: "r.Now().Sub(n.Created) >= max(attemptAge, r.longest)", New: "r.Now().Sub(n.Created) >= 0",
			Why: "an attempt that is seconds old is revoked by its twin",
		},
		{
			Name: "held-ignored", File: create,
			Old: "len(older) > 0 && !emergency(b.book, r.token)", New: "len(older) > 99 && !emergency(b.book, r.token)",
			Why: "a third generation is made while an older key is held",
		},
		{
			Name: "emergency-held", File: create,
			Old: "len(older) > 0 && !emergency(b.book, r.token)", New: "len(older) > 0",
			Why: "an emergency waits for a held key",
		},
		{
			Name: "pause-ignored", File: create,
			Old: "	if err = r.paused(ctx, book); err != nil {\n		return \"\", err\n	}\n", New: "",
			Why: "a rotation goes through a freeze",
		},
		{
			Name: "unreadable-is-empty", File: create,
			Old: "	case store.KindOf(err) != store.KindNotFound:\n		return \"\", r.stored(\"read the pending version\", err)\n", New: "",
			Why: "a stored value that cannot be read is taken for none, and a second key minted",
		},
		{
			Name: "shape-not-checked-first", File: create,
			Old: "if err = r.buildable(cur.Value); err != nil {", New: "if err = r.buildable(cur.Value); err != nil && false {",
			Why: "a key is minted that cannot be stored",
		},
		{
			Name: "full-not-seen", File: create,
			Old: "o.Max > 0 && len(keys) >= o.Max", New: "o.Max > 0 && len(keys) > o.Max",
			Why: "a create is sent to a full account",
		},
		{
			Name: "token-not-checked", File: "shared/rotation/rotation.go",
			Old: "	case !pending:\n		return false, r.err(NotStaged", New: "	case false:\n		return false, r.err(NotStaged",
			Why: "a token that Secrets Manager did not stage is worked on",
		},
		{
			Name: "other-secret-rotated", File: "shared/rotation/rotation.go",
			Old: "	if name != r.key.Secret {", New: "	if false {",
			Why: "a secret that is not in the configuration is rotated",
		},
		{
			Name: "managed-secret-rotated", File: "shared/rotation/rotation.go",
			Old: "	case s.OwningService != \"\":", New: "	case false:",
			Why: "a secret of another service is rotated",
		},
		{
			Name: "untested-goes-live", File: prove,
			Old: "	if err = r.accepts(ctx, v); err != nil {\n		return \"\", err\n	}\n	key, _ :=", New: "	key, _ :=",
			Why: "a dead key becomes AWSCURRENT",
		},
		{
			Name: "empty-goes-live", File: prove,
			Old: "	case v.ID == \"\":\n		return \"\", r.err(EmptyPending", New: "	case false:\n		return \"\", r.err(EmptyPending",
			Why: "an empty version is promoted",
		},
		{
			Name: "one-success-proves", File: prove,
			Old: "max(1, r.info.Settle.Successes)", New: "1",
			Why: "a key goes live that half of the vendor's servers refuse",
		},
		{
			Name: "row-not-broken", File: prove,
			Old: "			got = 0\n", New: "",
			Why: "successes count that are not in a row",
		},
		{
			Name: "lost-move-fails", File: prove,
			Old: "	case s.Has(r.token, store.Current):\n		return nil\n	case store.KindOf(cause)", New: "	case s.Has(r.token, store.Current) && false:\n		return nil\n	case store.KindOf(cause)",
			Why: "a rotation that is done is told as failed",
		},
		{
			Name: "hint-is-proof", File: family,
			Old: "ours && (n.Rotation == keyname.Rotation(token)", New: "(n.Rotation == keyname.Rotation(token)",
			Why: "a key of another lineage passes for ours",
		},
		{
			Name: "foreign-lineage-ours", File: family,
			Old: "ok && n.Lineage == f.lineage && n.Rotation", New: "ok && n.Rotation",
			Why: "another secret's key of the same token is revoked to make room",
		},
		{
			Name: "first-key-unproven", File: "shared/rotation/first.go",
			Old: "	if err := r.settle(ctx, v, key); err != nil {\n		return err\n	}\n	_, err := r.empty(ctx)", New: "	_, err := r.empty(ctx)",
			Why: "a first key that does not work goes live at once",
		},
	}
}

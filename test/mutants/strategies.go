package mutants

// strategies are mutants of what is done where keys have no names or one id.
func strategies() []Mutant {
	const lease = "shared/rotation/lease.go"
	const roll, slots, slot = "shared/rotation/roll.go", "shared/rotation/slot.go", "shared/slot/slot.go"
	engine := []string{"shared/rotation"}
	return []Mutant{
		{
			Name: "lease-not-taken", File: lease,
			Old: "		if err == nil && first {", New: "		if err == nil && (first || true) {",
			Why: "two runs replace one key's value, and the one that is stored is dead",
		},
		{
			Name: "lease-not-waited-for", File: lease,
			Old: "		if !wait(ctx, leaseEvery) {", New: "		if true {",
			Why: "a run that was killed fails the next one too",
		},
		{
			Name: "lease-outlived", File: lease,
			Old: "context.WithDeadline(ctx, end)\n		first", New: "context.WithCancel(ctx)\n		first",
			Why: "a slow run replaces the value again that another has stored meanwhile",
		},
		{
			Name: "first-not-seen", File: "shared/rotation/first.go",
			Old: "	if _, err = r.empty(ctx); err != nil { // who", New: "	if false { // who",
			Why: "a first value that was just stored is replaced, and dies",
		},
		{
			Name: "first-value-dropped", File: "shared/rotation/first.go",
			Old: "		err = r.firstAgain(ctx, x, value, err)\n", New: "",
			Why: "the first value that works at the vendor is lost",
		},
		{
			Name: "pause-stops-a-roll", File: "shared/rotation/pause.go",
			Old: "	case !begun:\n", New: "	case !begun || true:\n",
			Why: "a value that is replaced and not stored stays lost for as long as a pause lasts",
		},
		{
			Name: "room-by-an-old-list", File: "shared/rotation/room.go",
			Old: "	if attempts, err = r.still(ctx, o, f, attempts); err != nil {", New: "	if err != nil {",
			Why: "a stray that was put to use meanwhile is ended",
		},
		{
			Name: "unrecorded-always", File: "shared/rotation/emergency.go",
			Old: "	if !r.inEmergency(ctx) {", New: "	if false {",
			Why: "what is no emergency is done without its record",
		},
		{
			Name: "instead-without-consent", File: "shared/rotation/instead.go",
			Old: "	case !r.key.AcceptDowntime:", New: "	case false:",
			Why: "an emergency cuts consumers off without consent",
		},
		{
			Name: "instead-at-any-time", File: "shared/rotation/instead.go",
			Old: "!emergency(b.book, r.token) || o.Roll", New: "o.Roll",
			Why: "a full account ends the current value on schedule",
		},
		{
			Name: "rolled-key-replaced", File: "shared/retire/advance.go",
			Old: "	if err := r.otherByValue(ctx, rec); err != nil {\n		return err\n	}\n", New: "",
			Why: "a key whose own value was replaced is ended while it is current",
		},
		{
			Name: "hurry-always", File: "shared/retire/advance.go",
			Old: "	if !rec.Hurried.IsZero() {\n		g = hurried(g)\n	}\n	v := judge", New: "	g = hurried(g)\n	v := judge",
			Why: "a key in use is ended without an emergency",
		},
		{
			Name: "own-claim-unknown", File: "shared/keyrecord/dynamodb/table.go",
			Old: "number(now.Add(ttl).Unix()), attrBy: by,", New: "number(now.Add(ttl).Unix()), attrBy: text(rand.Text()),",
			Why: "whoever did not hear that he has the lease waits for himself",
		},
		{
			Name: "roll-without-reread", File: lease,
			Old: "	for range rollRereads {", New: "	for range 0 {",
			Why: "a value that was stored a moment ago is replaced, and dies",
		},
		{
			Name: "grace-not-checked", File: roll,
			Old: "r.Now().Before(until) && !emergency(b.book, r.token)", New: "false",
			Why: "a second rotation inside the grace ends what consumers hold",
		},
		{
			Name: "downtime-not-asked", File: roll,
			Old: "	if !r.key.AcceptDowntime {", New: "	if false {",
			Why: "consumers are cut off without anybody's consent",
		},
		{
			Name: "promote-before-verify", File: roll,
			Old: "	if err = r.settle(ctx, st.Key, x.issued.Value); err != nil {\n		return \"\", err\n	}\n	if err = r.promote", New: "	if err = r.promote",
			Why: "a value in place goes live untested",
		},
		{
			Name: "set-not-verified", File: roll,
			Old: "	if tried := r.settle(ctx, in.Key, p.key); tried != nil {", New: "	if tried := error(nil); tried != nil {",
			Why: "a value of ours goes live that the vendor does not accept",
		},
		{
			Name: "roll-intent-dropped", File: roll,
			Old: "	if err := r.record(ctx, rec); err != nil {\n		return provider.Issued{}, rec, err\n	}\n", New: "	_ = r.record(ctx, rec)\n",
			Why: "a value is replaced that no audit trail knows of",
		},
		{
			Name: "working-value-dropped", File: roll,
			Old: "			return \"\", r.supersede(tidy, x)\n", New: "			return Found, nil\n",
			Why: "the value that works at the vendor is lost",
		},
		{
			Name: "read-value-ignored", File: roll,
			Old: "err == nil && !v.Equal(cur) {", New: "err == nil && false && !v.Equal(cur) {",
			Why: "a value that can be read again is replaced once more",
		},
		{
			Name: "not-exclusive-strays", File: slots,
			Old: "	if r.key.Exclusive {\n		v.Stray", New: "	if true {\n		v.Stray",
			Why: "a stranger's key of a principal that was not handed over is ended",
		},
		{
			Name: "place-intent-dropped", File: slots,
			Old: "	if err = r.record(ctx, rec); err != nil {\n		return \"\", err\n	}\n	k, err := d.Place.Place", New: "	_ = r.record(ctx, rec)\n	k, err := d.Place.Place",
			Why: "a key is placed that no audit trail knows of",
		},
		{
			Name: "shape-in-part", File: slots,
			Old: "`^(?:` + r.info.Shape + `)$`", New: "`(?:` + r.info.Shape + `)`",
			Why: "an error page with a key's shape in it is stored",
		},
		{
			Name: "undated-stray-ended", File: slot,
			Old: "version == \"\" && created.IsZero() || rotation == \"\"", New: "rotation == \"\"",
			Why: "a key of unknown age, made a moment ago by somebody else, is ended",
		},
		{
			Name: "identify-error-swallowed", File: slot,
			Old: "	case provider.KindOf(err) == provider.KindNotFound:\n		return \"\", true, nil\n", New: "	default:\n		return \"\", true, nil\n",
			Why: "a vendor's outage makes our own key a stranger's",
		},
		{
			Name: "value-error-swallowed", File: slot,
			Old: "	if err != nil || !ok {\n		return \"\", false, err\n	}\n	id, err", New: "	if !ok {\n		return \"\", false, nil\n	}\n	id, err",
			Why: "a version that cannot be read makes our own key a stranger's",
		},
		{
			Name: "stray-while-unclear", File: slot,
			Old: "	return told && !unread, nil\n", New: "	return true, nil\n",
			Why: "our own key is a stray while a late list does not show the current one",
		},
		{
			Name: "records-not-believed", File: slot,
			Old: "		if rec.Version != \"\" {\n			version[rec.KeyID] = rec.Version", New: "		if false {\n			version[rec.KeyID] = rec.Version",
			Why: "a key whose version was purged is nobody's, and is left behind",
		},
		{
			Name: "plan-reads-no-value", File: slots, Tests: engine,
			Old: "			if version == b.current.ID {", New: "			if version != b.current.ID {",
			Why: "another version's key is taken for the current one's",
		},
	}
}

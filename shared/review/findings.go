package review

import (
	"slices"
	"time"
)

// readerFindings are about who can read.
func readerFindings(in *Input, k *Key) {
	count := map[string]int{}
	for _, r := range k.Readers {
		for _, kind := range kinds(r, slices.Contains(in.OwnRoles, r.ARN)) {
			count[kind]++
		}
	}
	if n := len(k.Outside); n > 0 {
		k.find(Outsiders, "%d who are no user or role of the account: the secret's policy lets them in", n)
	}
	taken := 0
	for _, r := range k.Readers {
		if len(r.TakenOn) > 0 && r.Can != denied {
			taken++
		}
	}
	if taken > 0 {
		k.find(Outsiders, "%d roles that can read it may be taken on from outside of the account", taken)
	}
	for _, f := range []struct {
		kind, text string
		from       int
	}{
		{Unauthorized, "%d read it and by today's policies may not, or are not of this account", 1},
		{Undecided, "of %d it is unknown whether they can read it", 1},
		{People, "people who can read it: %d", 1},
		{OverExposed, "%d principals can read it", OverExposedAt},
	} {
		if n := count[f.kind]; n >= f.from {
			k.find(f.kind, f.text, n)
		}
	}
	if n := count[Removal]; n > 0 {
		k.find(Removal, "%d can read it and did not for %d days", n, days(in.Unused))
	}
}

// kinds are the findings that r counts for; own is whether it is a role of Keyturn's.
func kinds(r Reader, own bool) []string {
	var out []string
	switch {
	case r.Can == denied && own:
		return nil
	case r.Can == denied:
		return []string{Unauthorized}
	case r.Can == Unknown:
		out = append(out, Undecided)
	case !own:
		out = append(out, OverExposed)
		if r.Person {
			out = append(out, People)
		}
	}
	if r.Remove {
		out = append(out, Removal)
	}
	return out
}

// keyFindings are about the key itself; known is whether reads of all the time in
// which it would be unused are known.
func keyFindings(in *Input, s *Secret, k *Key, known bool) {
	if s.NoRotation == "" {
		rotationFindings(in, s, k)
		if use, told := lastUse(in, s, k, known); told && in.Now.Sub(use) > in.Unused && in.Now.Sub(s.Created) > in.Unused {
			k.find(NotUsed, "nobody but Keyturn read it for %d days", days(in.Unused))
		}
	}
	if s.Pending != "" && in.Now.Sub(s.PendingSince) > 24*time.Hour {
		k.find(PendingLeft, "version %s is pending since %s or before", s.Pending, s.PendingSince.UTC().Format(time.DateOnly))
	}
	if s.Owner == "" {
		k.find(NoOwner, "it has no owner")
	}
	vendorFindings(in, s, k)
}

// rotationFindings are about what should rotate it.
func rotationFindings(in *Input, s *Secret, k *Key) {
	k.Due = due(s)
	if !s.Paused {
		scheduleFindings(in, s, k)
	}
	rotated := s.LastRotated
	if rotated.IsZero() {
		rotated = s.Created
	}
	if age := in.Now.Sub(rotated); !rotated.IsZero() && age > 90*24*time.Hour {
		k.find(Stale, "its value is %d days old", days(age))
	}
	if s.Failed != "" {
		k.find(Failing, "its last rotation ended in %s", s.Failed)
	}
}

func scheduleFindings(in *Input, s *Secret, k *Key) {
	switch late := in.Now.After(k.Due); {
	case k.Due.IsZero() && s.CannotRotate:
		k.find(ByHand, "it has to be rotated by a person, and has no schedule that reminds")
	case k.Due.IsZero():
		k.find(NoSchedule, "it has no schedule that could be read")
	case late && s.CannotRotate:
		k.find(ByHand, "due since %s, and a person has to rotate it", k.Due.Format(time.DateOnly))
	case late:
		k.find(Overdue, "due since %s", k.Due.Format(time.DateOnly))
	}
	if !s.CannotRotate && !s.RotationOn {
		k.find(NoSchedule, "rotation is off in Secrets Manager")
	}
}

// lastUse is when somebody but Keyturn read it last, and whether that is known.
// Secrets Manager's date is an upper bound: Keyturn's reads renew it.
func lastUse(in *Input, s *Secret, k *Key, known bool) (time.Time, bool) {
	if !known {
		return s.LastRead, in.Since.IsZero()
	}
	var last time.Time
	for _, r := range k.Readers {
		if r.Reads > 0 && r.Last.After(last) && !slices.Contains(in.OwnRoles, r.ARN) {
			last = r.Last
		}
	}
	return last, true
}

// settled is how long after a rotation what is recorded of it may be missing.
const settled = time.Hour

func vendorFindings(in *Input, s *Secret, k *Key) {
	if s.InLedger != "" && s.Current != "" && s.InLedger != s.Current {
		k.find(Drift, "Secrets Manager has key %s, the ledger's last rotation made %s", s.Current, s.InLedger)
	}
	if s.Records > 0 && !s.Recorded && in.Now.Sub(s.LastRotated) > settled {
		k.find(Drift, "version %s is current, and no key of it is recorded: it may have been put there by hand", s.Version)
	}
	if s.Failed == "VendorFull" {
		k.find(Headroom, "the vendor had no room for another key when it was to be rotated last")
	}
	v := s.AtVendor
	if v == nil {
		return
	}
	k.AtVendor, k.Limit = len(v.Keys), v.Words
	if s.Current != "" && !slices.Contains(v.Keys, s.Current) {
		k.find(Drift, "key %s is not at the vendor", s.Current)
	}
	for _, id := range v.Lost {
		k.find(Drift, "key %s is at the vendor, ours by its name, and no version of the secret knows it", id)
	}
	for _, id := range v.Held {
		k.find(HeldKey, "the older key %s waits for a person", id)
	}
	if v.Limit > 0 && len(v.Keys) >= v.Limit {
		k.find(Headroom, "%d of %d keys at the vendor: none can be made beside them", len(v.Keys), v.Limit)
	}
}

func days(d time.Duration) int { return int(d / (24 * time.Hour)) }

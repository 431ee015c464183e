package review

import (
	"slices"
	"time"
)

// readerFindings are about who can read.
func readerFindings(in *Input, k *Key) {
	count := map[string]int{}
	for _, r := range k.Readers {
		own := slices.Contains(in.OwnRoles, r.ARN)
		switch {
		case r.Can == Unknown:
			count[Undecided]++
		case r.Can == denied:
			if !own {
				count[Unauthorized]++
			}
			continue
		case !own:
			count[OverExposed]++
			if r.Person {
				count[People]++
			}
		}
		if r.Remove {
			count[Removal]++
		}
	}
	if n := len(k.Outside); n > 0 {
		k.find(Outsiders, "%d outside of the account: the secret's policy lets them in", n)
	}
	if n := count[Unauthorized]; n > 0 {
		k.find(Unauthorized, "%d read it and by today's policies may not, or are not of this account", n)
	}
	if n := count[Undecided]; n > 0 {
		k.find(Undecided, "of %d it is unknown whether they can read it", n)
	}
	if n := count[People]; n > 0 {
		k.find(People, "people who can read it: %d", n)
	}
	if n := count[OverExposed]; n >= OverExposedAt {
		k.find(OverExposed, "%d principals can read it", n)
	}
	if n := count[Removal]; n > 0 {
		k.find(Removal, "%d can read it and did not for %d days", n, days(in.Unused))
	}
}

// keyFindings are about the key itself; known is whether reads of all the time in
// which it would be unused are known.
func keyFindings(in *Input, s *Secret, k *Key, known bool) {
	k.Due = due(s)
	switch {
	case s.Paused:
	case k.Due.IsZero() && s.CannotRotate:
		k.find(ByHand, "it has to be rotated by a person, and has no schedule that reminds")
	case k.Due.IsZero():
		k.find(NoSchedule, "it has no schedule that could be read")
	case in.Now.After(k.Due) && s.CannotRotate:
		k.find(ByHand, "due since %s, and a person has to rotate it", k.Due.Format(time.DateOnly))
	case in.Now.After(k.Due):
		k.find(Overdue, "due since %s", k.Due.Format(time.DateOnly))
	}
	if !s.CannotRotate && !s.RotationOn && !s.Paused {
		k.find(NoSchedule, "rotation is off in Secrets Manager")
	}
	rotated := s.LastRotated
	if rotated.IsZero() {
		rotated = s.Created
	}
	if age := in.Now.Sub(rotated); !rotated.IsZero() && age > 90*24*time.Hour {
		k.find(Stale, "its value is %d days old", days(age))
	}
	if use, told := lastUse(in, s, k, known); told && in.Now.Sub(use) > in.Unused && in.Now.Sub(s.Created) > in.Unused {
		k.find(NotUsed, "nobody but Keyturn read it for %d days", days(in.Unused))
	}
	if s.Pending != "" && in.Now.Sub(s.PendingSince) > 24*time.Hour {
		k.find(PendingLeft, "version %s is pending since %s or before", s.Pending, s.PendingSince.UTC().Format(time.DateOnly))
	}
	if s.Owner == "" {
		k.find(NoOwner, "it has no owner")
	}
	vendorFindings(s, k)
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

func vendorFindings(s *Secret, k *Key) {
	if s.InLedger != "" && s.Current != "" && s.InLedger != s.Current {
		k.find(Drift, "Secrets Manager has key %s, the ledger's last rotation made %s", s.Current, s.InLedger)
	}
	v := s.AtVendor
	if v == nil {
		return
	}
	if s.Current != "" && !slices.Contains(v.Keys, s.Current) {
		k.find(Drift, "key %s is not at the vendor", s.Current)
	}
	if v.Limit > 0 && len(v.Keys) >= v.Limit {
		k.find(Headroom, "%d of %d keys at the vendor: none can be made beside them", len(v.Keys), v.Limit)
	}
}

func days(d time.Duration) int { return int(d / (24 * time.Hour)) }

package review

import (
	"fmt"
	"slices"
)

// Since tells what is other than in the review before: keys, and who can read them.
func (r *Review) Since(before Review) {
	r.Compared, r.Changes = true, nil
	old, left := map[string]Key{}, map[string]bool{}
	for _, k := range before.Keys {
		old[k.ARN], left[k.ARN] = k, true
	}
	for _, k := range r.Keys {
		delete(left, k.ARN)
		b, ok := old[k.ARN]
		if !ok {
			r.Changes = append(r.Changes, k.Name+": new")
			continue
		}
		was, is := abilities(b), abilities(k)
		for who, can := range is {
			if was[who] == "" {
				r.Changes = append(r.Changes, fmt.Sprintf("%s: %s is new: %s", k.Name, who, can))
			} else if was[who] != can {
				r.Changes = append(r.Changes, fmt.Sprintf("%s: %s was %s, is %s", k.Name, who, was[who], can))
			}
		}
		for who, can := range was {
			if is[who] == "" {
				r.Changes = append(r.Changes, fmt.Sprintf("%s: %s was %s, is no more", k.Name, who, can))
			}
		}
	}
	for arn := range left {
		r.Changes = append(r.Changes, old[arn].Name+": gone")
	}
	slices.Sort(r.Changes)
}

func abilities(k Key) map[string]Can {
	out := map[string]Can{}
	for _, p := range k.Readers {
		if p.Can != denied {
			out[p.ARN] = p.Can
		}
	}
	for _, o := range k.Outside {
		out[o.Principal] = "outside"
	}
	return out
}

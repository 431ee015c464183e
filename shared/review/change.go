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
		if r.Principals == 0 || before.Principals == 0 {
			continue // of one of the two it is not known who can read
		}
		r.Changes = append(r.Changes, differences(k.Name, abilities(b), abilities(k))...)
	}
	for arn := range left {
		r.Changes = append(r.Changes, old[arn].Name+": gone")
	}
	slices.Sort(r.Changes)
}

// differences are those of who can read the key.
func differences(name string, was, is map[string]Can) []string {
	var out []string
	for who, can := range is {
		if was[who] == "" {
			out = append(out, fmt.Sprintf("%s: %s is new: %s", name, who, can))
		} else if was[who] != can {
			out = append(out, fmt.Sprintf("%s: %s was %s, is %s", name, who, was[who], can))
		}
	}
	for who, can := range was {
		if is[who] == "" {
			out = append(out, fmt.Sprintf("%s: %s was %s, is no more", name, who, can))
		}
	}
	return out
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

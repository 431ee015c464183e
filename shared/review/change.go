package review

import (
	"fmt"
	"slices"
)

// Since tells what is other than in the review before: keys, their findings, and who
// can read them.
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
		// Of one of the two it may not be known who can read.
		blind := r.Principals == 0 || before.Principals == 0
		r.Changes = append(r.Changes, found(b, k, blind)...)
		if blind {
			continue
		}
		r.Changes = append(r.Changes, differences(k.Name, abilities(b), abilities(k))...)
	}
	for arn := range left {
		r.Changes = append(r.Changes, old[arn].Name+": gone")
	}
	slices.Sort(r.Changes)
}

// found are the kinds of findings that the key has now, or had.
func found(before, now Key, blind bool) []string {
	var out []string
	was, is := kindsOf(before), kindsOf(now)
	for _, kind := range []string{Unauthorized, Undecided, People, OverExposed, Removal} {
		if blind { // they are about who can read
			delete(was, kind)
			delete(is, kind)
		}
	}
	for kind := range is {
		if !was[kind] {
			out = append(out, now.Name+": "+kind+" is new")
		}
	}
	for kind := range was {
		if !is[kind] {
			out = append(out, now.Name+": "+kind+" is over")
		}
	}
	return out
}

func kindsOf(k Key) map[string]bool {
	out := map[string]bool{}
	for _, f := range k.Findings {
		out[f.Kind] = true
	}
	return out
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

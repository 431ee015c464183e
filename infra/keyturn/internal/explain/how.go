package explain

import (
	"fmt"
	"strings"
	"time"

	"github.com/keyturn/keyturn/infra/reach"
	"github.com/keyturn/keyturn/shared/keysfile"
)

func how(k keysfile.Key, v vendor) []string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	switch v.info.Strategy {
	case "Overlap":
		add("A second key is made, tried at the vendor, and only then becomes current; the old one works beside it (Overlap).")
	case "DualSlot":
		add("A new key takes an empty place beside the old one, is tried at the vendor, and only then becomes current (DualSlot).")
	case "RollWithGrace":
		add("The key's value is replaced, tried, and becomes current; the vendor keeps the old value alive for a while (RollWithGrace).")
	case "RollInPlace":
		add("The key's value is replaced at once: there is only ever one (RollInPlace).")
		add("Consumers that hold the old value are refused until they fetch again.")
	}
	if v.chooses {
		add("The value is made here and stored before the vendor knows it, so none can be lost.")
	}
	if v.info.Limit != "" {
		add("Room at the vendor: %s.", v.info.Limit)
	}
	if s := v.info.Settle; s.Within > 0 {
		add("The vendor may take up to %s to accept a new key; that is waited for.", s.Within)
	}
	if k.Exclusive {
		add("The principal at the vendor is Keyturn's alone: keys of it that no version of the secret holds are ended.")
	}
	return append(lines, value(k))
}

// value says what a consumer reads.
func value(k keysfile.Key) string {
	s := "The secret is JSON, and "
	switch v := k.Value; {
	case v.Plain:
		return "The whole secret string is the key."
	case len(v.Fields) > 0:
		var fields []string
		for part, name := range v.Fields {
			fields = append(fields, name+" ("+part+")")
		}
		s += "the key is in its fields " + strings.Join(sorted(fields), ", ")
	default:
		s += "the key is in its field " + v.Field
	}
	if k.Value.Strict {
		return s + "; nothing of Keyturn's is beside it."
	}
	return s + "; the object keyturn beside it says which key it is."
}

// oldKey says how long a replaced key lives, and what happens then.
func oldKey(k keysfile.Key, v vendor) []string {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	span := func(d keysfile.Duration) string { return reach.Span(time.Duration(d)) }
	g := k.Grace
	switch {
	case v.cuts:
		return []string{"The old value ends with the rotation. It is proven that the vendor refuses it."}
	case v.info.Strategy == "RollWithGrace":
		add("The vendor ends the old value %s after the rotation; nobody can bring it back or end it sooner.", reach.Span(v.life))
		add("When it should be dead, that is proven: the vendor must refuse it, and accept the current one.")
		return lines
	case v.tells:
		add("It lives at least %s, and then until nobody has used it for %s: the vendor says when a key was last used%s.", span(g.Min), span(g.Quiet), late(v.info.UsageLag))
		add("If it is still in use after %s, %s.", span(g.Max), decided(g.OnMax, k.Owner))
	default:
		add("It lives %s: the vendor does not say when a key was last used, so the whole grace is waited for.", span(max(g.Min, g.Max)))
		if g.NoUsage == "revoke" {
			add("It is ended then, for noUsage is revoke: every consumer must have fetched again.")
		} else {
			add("Then it is kept until %s decides (noUsage: hold), after every rotation; no scheduled rotation starts before. With noUsage: revoke it would be ended.", k.Owner)
		}
	}
	if v.disables && g.Disabled > 0 {
		add("When its time has come it is disabled for %s, in which keyturn restore brings it back, and then revoked.", span(g.Disabled))
	} else {
		add("When its time has come it is revoked, which cannot be undone%s.", stopped(v.disables))
	}
	add("Its end is proven: the vendor must refuse it as it refuses dead keys, and accept the current one just before and after.")
	return lines
}

func late(lag time.Duration) string {
	if lag == 0 {
		return ""
	}
	return ", up to " + reach.Span(lag) + " late"
}

func decided(action, owner string) string {
	if action == "revoke" {
		return "it is ended all the same (onMax: revoke)"
	}
	return "it is kept until " + owner + " decides (onMax: hold); no scheduled rotation starts before"
}

func stopped(disables bool) string {
	if disables {
		return ""
	}
	return ", for the vendor cannot disable a key for a time"
}

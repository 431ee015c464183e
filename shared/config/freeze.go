package config

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// freezes reads a list of times in which rotations are refused.
func (ps *problems) freezes(path string, raw json.RawMessage) []Freeze {
	var list []json.RawMessage
	if raw == nil || !ps.into(path, raw, &list, "a list") {
		return nil
	}
	out := make([]Freeze, len(list))
	for i, raw := range list {
		out[i] = ps.freeze(fmt.Sprintf("%s[%d]", path, i), raw)
	}
	return out
}

func (ps *problems) freeze(path string, raw json.RawMessage) (z Freeze) {
	f := ps.fields(path, raw, "from", "until", "reason")
	before := len(*ps)
	ps.instant(path+".from", f["from"], &z.From)
	ps.instant(path+".until", f["until"], &z.Until)
	if len(*ps) == before && !z.From.Before(z.Until) {
		ps.add(path+".until", "not after from", "write the first instant at which rotations go on")
	}
	if ps.into(path+".reason", f["reason"], &z.Reason, "a string") && strings.TrimSpace(z.Reason) == "" {
		ps.add(path+".reason", "missing", "say why, for whoever finds a rotation refused")
	}
	return z
}

func (ps *problems) instant(path string, raw json.RawMessage, t *time.Time) {
	if raw == nil {
		ps.add(path, "missing", `write a time such as "2026-12-20T00:00:00Z"`)
		return
	}
	var s string
	if !ps.into(path, raw, &s, `a time such as "2026-12-20T00:00:00Z"`) {
		return
	}
	v, err := time.Parse(time.RFC3339, s)
	if err != nil {
		ps.add(path, fmt.Sprintf("%q is no time", s), `write it as RFC 3339 says, such as "2026-12-20T00:00:00Z"`)
		return
	}
	*t = v
}

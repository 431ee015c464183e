package gather

import (
	"context"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/review"
)

// records asks for what is recorded about the keys: pauses, and what the vendor
// listed when it was looked at last.
func (c *collection) records(ctx context.Context) {
	if c.Records == nil {
		c.missing("The keys' records were not read: pauses, and what the vendors have, are not known.")
		return
	}
	var at []int
	for i := range c.in.Secrets {
		if c.Keys == nil || c.isKey(c.in.Secrets[i].Name) {
			at = append(at, i)
		}
	}
	failed := make([]string, len(at))
	c.each(ctx, len(at), func(i int) {
		s := &c.in.Secrets[at[i]]
		b, err := c.Records.Load(ctx, s.Name)
		if err != nil {
			failed[i] = c.why(err)
			return
		}
		c.recorded(s, b)
	})
	n, code := 0, ""
	for _, f := range failed {
		if f != "" {
			n, code = n+1, f
		}
	}
	if n > 0 {
		c.missing("The records of %d of %d keys could not be read (dynamodb:Query: %s): their pauses, and what the vendor has, are not known.", n, len(at), code)
	}
}

// recorded adds what b says of s.
func (c *collection) recorded(s *review.Secret, b keyrecord.Book) {
	if p := b.Pause; p != nil {
		c.paused(s, p)
	}
	if f := b.Failure; f != nil && f.Version != s.Version && f.At.After(s.LastRotated) && !f.Wanted() {
		s.Failed = f.ErrorType
	}
	s.Records = len(b.Keys)
	for i := range b.Keys {
		r := &b.Keys[i]
		if r.Version == "" || r.Version != s.Version || !r.State.Alive() {
			continue
		}
		if s.Recorded = true; !r.IDUnknown() {
			s.Current = r.KeyID
		}
	}
	s.AtVendor = c.atVendor(b.Keys)
}

func (c *collection) paused(s *review.Secret, p *keyrecord.Pause) {
	s.Paused = s.Paused || p.InForce(c.in.Now)
	if p.InForce(c.in.Now) || p.Expired(c.in.Now) && !s.LastRotated.After(p.Until) {
		c.notice(review.Notice{Kind: "pause", Text: pauseText(s.Name, p), Until: p.Until})
	}
	if over := p.Over(); !over.After(c.in.Now) {
		s.Stopped = append(s.Stopped, review.Span{From: p.At, Until: over})
	}
}

// atVendor is what the vendor listed when somebody looked last; nil: nobody has yet.
func (c *collection) atVendor(keys []keyrecord.Record) *review.Vendor {
	var v review.Vendor
	for i := range keys {
		r := &keys[i]
		if !r.State.Alive() || !r.Missing.IsZero() {
			continue
		}
		v.Keys = append(v.Keys, r.KeyID)
		if r.State == keyrecord.Lost {
			v.Lost = append(v.Lost, r.KeyID)
		}
		if r.State == keyrecord.Held {
			v.Held = append(v.Held, r.KeyID)
		}
		if r.LastSeen.After(v.Seen) {
			v.Seen = r.LastSeen
		}
		if c.Limit != nil {
			v.Words = c.Limit(r.Vendor)
		}
	}
	if v.Seen.IsZero() && len(v.Lost)+len(v.Held) == 0 {
		return nil
	}
	return &v
}

func pauseText(name string, p *keyrecord.Pause) string {
	text := name + " is not rotated: " + p.Reason
	if p.Owner != "" {
		text += " (" + p.Owner + ")"
	}
	return text
}

// exceptions are those of the site, which the detections heed.
func (c *collection) exceptions(context.Context) {
	if c.Site == nil {
		return
	}
	for _, s := range c.Site.Suppressions {
		text := s.Rule + " is not told"
		if s.Principal != "" {
			text += " of " + s.Principal
		}
		if s.Secret != "" {
			text += " about " + config.Name(s.Secret)
		}
		text += ": " + s.Reason
		if s.Owner != "" {
			text += " (" + s.Owner + ")"
		}
		c.notice(review.Notice{Kind: "suppression", Text: text, Until: s.Until})
	}
	if r := c.Site.Respond; r != nil && r.Off {
		c.notice(review.Notice{Kind: "kill switch", Text: "no finding starts an emergency rotation", Until: r.Until})
	}
}

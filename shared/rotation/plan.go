package rotation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/payload"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/store"
)

// Plan says what a rotation would do now, and what would stop it. Nothing is
// changed.
type Plan struct {
	Secret       string        `json:"secret"`
	Vendor       string        `json:"vendor"`
	Strategy     string        `json:"strategy"`
	Version      string        `json:"version,omitempty"` // at AWSCURRENT
	KeyID        string        `json:"key_id,omitempty"`  // the current key's; empty: unknown
	LastRotated  time.Time     `json:"last_rotated,omitzero"`
	NextRotation time.Time     `json:"next_rotation,omitzero"`
	Keys         int           `json:"keys"`             // in the vendor account
	Limit        int           `json:"limit,omitempty"`  // 0: none known
	Scopes       []string      `json:"scopes,omitempty"` // of the current key, where the vendor tells
	Older        []string      `json:"older,omitempty"`  // IDs of older keys that are still alive
	Grace        string        `json:"grace"`            // in words
	Steps        []string      `json:"steps"`            // what would be done, in order
	Problems     []PlanProblem `json:"problems,omitempty"`
}

// PlanProblem is something that would stop a rotation.
type PlanProblem struct {
	Type Type     `json:"error_type"`
	What string   `json:"what"`
	Next []string `json:"next,omitempty"`
}

// Plan looks at everything that a rotation looks at, and reports every problem
// at once. The error is for a secret that is not ours.
func (e *Engine) Plan(ctx context.Context, secretID string) (Plan, error) {
	const step Step = "plan"
	k, ok := e.Keys(secretID)
	if !ok {
		return Plan{}, &Error{Step: step, Type: NotOurs, What: "this secret is not in the function's configuration", Next: []string{"add it to the configuration and deploy"}}
	}
	r, err := e.begin(k, secretID, "", step)
	if err != nil {
		return Plan{}, err
	}
	p := Plan{Secret: k.Secret, Vendor: k.Vendor, Strategy: r.info.Strategy, Grace: r.graceInWords()}
	r.plan(ctx, &p)
	p.Steps = r.steps(p.Grace)
	return p, nil
}

// steps says in words what a rotation would do.
func (r *run) steps(grace string) []string {
	const try, move = "try it until the vendor accepts it", "move AWSCURRENT to it"
	vendor := r.info.Title
	switch r.info.Strategy {
	case "DualSlot":
		return []string{"make a second key at " + vendor + " beside the current one, and store it as AWSPENDING", try, move, "retire the old key: " + grace}
	case "RollInPlace":
		return []string{
			"choose a value and store it as AWSPENDING", "set it at " + vendor + ": the old one stops, and consumers fail until they read the secret again",
			try, move, "prove that the old value is dead",
		}
	case "RollWithGrace":
		return []string{"have " + vendor + " replace the value and keep the old one for its grace", "store the new one as AWSPENDING", try, move, "prove that the old value is dead when its grace is over"}
	}
	return []string{"mint a key at " + vendor + " beside the current one", "store it as AWSPENDING", try, move, "retire the old key: " + grace}
}

func (p *Plan) add(err *Error) {
	what := err.What
	if err.Err != nil {
		what += ": " + err.Err.Error()
	}
	p.Problems = append(p.Problems, PlanProblem{Type: err.Type, What: what, Next: err.Next})
}

func (r *run) plan(ctx context.Context, p *Plan) {
	s, err := r.Store.Describe(ctx, r.id)
	if err != nil {
		p.add(r.stored("describe the secret", err))
		return
	}
	p.Version, p.LastRotated, p.NextRotation = s.VersionAt(store.Current), s.LastRotated, s.NextRotation
	if err = r.rotatable(s); err != nil {
		p.add(r.typed(err))
	}
	if v := s.VersionAt(store.Pending); v != "" && v != p.Version {
		p.add(r.err(NotStaged, "a rotation is in progress, or one was left unfinished", nil, "wait for it, or see keyturn status "+r.key.Secret))
	}
	r.planCurrent(ctx, p)
	book, err := r.Records.Load(ctx, r.key.Secret)
	if err != nil {
		p.add(r.stored("read the keys' records", err))
	}
	if refusal := r.refusal(book); refusal != nil {
		p.add(refusal)
	}
	st, err := r.open(ctx)
	if err != nil {
		p.add(r.typed(err))
		return
	}
	lineage, err := keyname.LineageOf(s.ARN)
	if err != nil {
		p.add(r.err(NotOurs, "the secret's ARN cannot be read", err))
		return
	}
	switch st := st.(type) {
	case provider.Overlap:
		r.planBeside(ctx, p, st, family{lineage: lineage, book: book, secret: s})
	case provider.DualSlot:
		r.planBeside(ctx, p, r.named(st, basis{secret: s, book: book, lineage: lineage}), family{lineage: lineage, book: book, secret: s})
	case provider.RollInPlace:
		p.Keys, p.KeyID = 1, st.ID
		if st.Set == nil && !r.key.AcceptDowntime {
			p.add(r.err(DowntimeRefused, "this vendor ends the current value before the new one can be stored", nil, "write \"acceptDowntime\": true in the key's configuration"))
		}
	case provider.RollWithGrace:
		p.Keys, p.KeyID = 1, st.ID
		r.planGrace(ctx, p, st, s)
	}
}

func (r *run) planGrace(ctx context.Context, p *Plan, st provider.RollWithGrace, s store.Secret) {
	cur, err := r.Store.Get(ctx, r.id, "", store.Current)
	if err != nil {
		return // said by planCurrent
	}
	until := cur.Created.Add(st.Grace(r.key.Grace.Max))
	if s.VersionAt(store.Previous) != "" && r.Now().Before(until) {
		p.add(r.err(Held, "the value before the current one may be in use until "+stamp(until), nil, "rotate after "+stamp(until)))
	}
}

// planBeside looks at the keys beside which another would be made.
func (r *run) planBeside(ctx context.Context, p *Plan, o provider.Overlap, f family) {
	keys, err := o.Keys.List(ctx)
	if err != nil {
		p.add(r.vendor("list the keys", err))
		return
	}
	f.keys = keys
	p.Keys, p.Limit, p.Older, p.KeyID = len(keys), o.Max, f.older(""), f.current()
	if len(p.Older) > 0 {
		p.add(r.err(Held, plural(len(p.Older), "older key is", "older keys are")+" still alive from an earlier rotation", nil, "see why: keyturn status "+r.key.Secret))
	}
	if o.Max > 0 && len(keys) >= o.Max {
		p.add(r.err(VendorFull, fmt.Sprintf("there is no room for another key: %d of %d are taken", len(keys), o.Max), nil, "delete keys that nobody needs at the vendor"))
	}
	if p.Scopes, err = r.scopesOf(ctx, o, p.KeyID); err != nil {
		p.add(r.typed(err))
	}
}

func (r *run) planCurrent(ctx context.Context, p *Plan) {
	cur, err := r.Store.Get(ctx, r.id, "", store.Current)
	switch {
	case err != nil && store.KindOf(err) == store.KindNotFound:
		p.add(r.err(NoCurrent, "the secret has no current value to replace", nil, "make its first key: keyturn init "+r.key.Secret))
	case err != nil:
		p.add(r.stored("read the current version", err))
	default:
		if _, err = payload.Key(cur.Value, r.key.Value); err != nil {
			p.add(r.err(WrongShape, "the current value is not what the configuration says", err, "correct the key's \"value\" in the configuration, or the secret's value"))
		} else if err = r.accepts(ctx, cur); errors.Is(err, provider.ErrRejected) {
			p.add(r.err(KeyRejected, "the vendor does not accept the current key", nil, "rotate it now: consumers are failing already"))
		}
	}
}

func (r *run) graceInWords() string {
	g := r.key.Grace
	switch {
	case r.info.Strategy == "RollInPlace":
		return "none: the vendor ends the old value at once"
	case r.info.Strategy == "RollWithGrace":
		return "the vendor ends the old value after " + notify.Duration(g.Max) + ", as far as its limits allow"
	case r.info.LastUsed:
		return fmt.Sprintf("not before %s, nor until nobody has used it for %s; after %s: %s", notify.Duration(g.Min), notify.Duration(g.Quiet), notify.Duration(g.Max), g.OnMax)
	}
	return fmt.Sprintf("the vendor does not say when keys are used, so after %s: %s", notify.Duration(g.Max), g.NoUsage)
}

package rotation

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
)

// onceFor is how long a notification about one token is not repeated: longer
// than Secrets Manager goes on retrying.
const onceFor = 7 * 24 * time.Hour

// failed records a failure and tells people about it: once for each token,
// however often Secrets Manager restarts the rotation, and once more if a graver
// one follows. It returns err, typed.
func (r *run) failed(ctx context.Context, err error) error {
	ctx, cancel := r.tidy(ctx)
	defer cancel()
	e := r.typed(err)
	if e.Type == Paused || e.Type == Frozen {
		return r.refusedByPause(ctx, e)
	}
	r.Log.LogAttrs(ctx, slog.LevelError, "step failed", slog.String("error_type", string(e.Type)),
		slog.String("error", e.Error()), slog.String("step", string(r.at)), slog.String("secret", r.key.Secret),
		slog.String("vendor", r.key.Vendor), slog.String("version", r.token))
	if err := r.Records.SetFailure(ctx, keyrecord.Failure{
		Secret: r.key.Secret, Version: r.token, Step: string(r.at), ErrorType: string(e.Type), Text: e.Error(), At: r.Now(),
	}); err != nil {
		r.Log.LogAttrs(ctx, slog.LevelError, "the failure was not recorded", slog.String("error", err.Error()))
	}
	r.tellFailure(ctx, e)
	return e
}

// tellFailure tells of a failure unless it, or a graver one, was told of this
// token already.
func (r *run) tellFailure(ctx context.Context, e *Error) {
	m := r.message(e)
	ids := []string{m.ID}
	if m.Severity == notify.Critical {
		ids = append(ids, m.ID+"-critical")
	}
	if e.Type == CurrentEnds { // consumers may be failing
		ids = append(ids, m.ID+"-ends")
	}
	m.ID = ids[len(ids)-1]
	var said []string
	news := false
	for _, id := range ids {
		first, err := r.Records.First(ctx, r.key.Secret, id, onceFor)
		// Where the record cannot be asked, twice is better than never.
		if news = first || err != nil; news {
			said = append(said, id)
		}
	}
	if !news { // of the gravest
		return
	}
	if err := r.Notifier.Notify(ctx, m); err != nil {
		r.Log.LogAttrs(ctx, slog.LevelError, "the notification was not accepted", slog.String("error", err.Error()))
		for _, id := range said { // so that the next failure tells it
			_ = r.Records.Forget(ctx, r.key.Secret, id)
		}
	}
}

func (r *run) message(e *Error) notify.Message {
	m := notify.Message{
		Version: 1, ID: "failed-" + r.token, Time: r.Now(), Kind: notify.Failed, Severity: notify.Warning,
		Secret: r.key.Secret, Vendor: r.key.Vendor, Owner: r.key.Owner,
		Step: string(r.at), ErrorType: string(e.Type),
		Summary: fmt.Sprintf("The rotation of %s failed in %s: %s.", r.key.Secret, r.at, e.What),
		Known:   r.known(e), Next: sentences(e.Next),
		Detail: map[string]string{"version": r.token, "error": e.Error()},
	}
	switch critical := []Type{AdminMissing, AdminRefused, VendorFull, ScopesDiffer, UnexpectedValue, StoreDenied, CurrentEnds}; {
	case e.Type == Held:
		m.ID, m.Kind = "held-"+r.token, notify.Held
		m.Summary = fmt.Sprintf("The rotation of %s was %s.", r.key.Secret, e.What)
	case slices.Contains(critical, e.Type):
		m.Severity = notify.Critical
	}
	return m
}

// known says what is certain about a failed rotation.
func (r *run) known(e *Error) []string {
	if r.at == firstStep {
		return append(r.knownOfMint(e), "The secret has no value yet: nothing was live that this could break.")
	}
	var known []string
	switch {
	case e.Type == Superseded:
	case e.Type == CurrentEnds:
		known = append(known, "AWSCURRENT has not moved.")
	case e.unsure && r.at == FinishSecret:
		known = append(known, "Whether AWSCURRENT has moved is not known. The key that it would move to is tried and works.")
	default:
		known = append(known, "AWSCURRENT has not moved: consumers go on with the key they have.")
	}
	switch r.at {
	case CreateSecret:
		if e.Type != CurrentEnds {
			known = append(known, r.knownOfMint(e)...)
		}
	case TestSecret, FinishSecret:
		if r.holds && !e.unsure && e.Type != Superseded {
			known = append(known, "A new key is stored as AWSPENDING and has not gone live.")
		}
	case SetSecret, firstStep, freeStep:
	}
	return append(known, "Secrets Manager restarts a failed rotation by itself, a few times.")
}

func (r *run) knownOfMint(e *Error) []string {
	switch {
	case e.unsure:
		return []string{"Whether the new key was stored is not known. It lives on at the vendor, under a name that leads to it."}
	case e.Type == UnexpectedValue || e.Type == ScopesDiffer:
		return []string{"The key that was minted has been revoked, or the sweep will revoke it."}
	case e.Type == CreateOutcomeUnknown:
		return []string{"The vendor may have made a key. Nobody has its value, and its name leads the sweep to it."}
	}
	return []string{"No new key was stored."}
}

func sentences(in []string) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = strings.ToUpper(s[:1]) + s[1:] + "."
	}
	return out
}

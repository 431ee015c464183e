package rotation

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/keyname"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/store"
)

// recordID is what the key is called in its record.
func (t *takeover) recordID() string {
	switch {
	case t.out.KeyID == "":
		return keyrecord.UnknownID(keyname.Rotation(t.out.VersionID))
	case t.keepsID():
		return t.out.KeyID + "@" + keyname.Rotation(t.out.VersionID)
	}
	return t.out.KeyID
}

// sameKey reports whether a record, of any secret, is of the key or of a value
// that it had.
func (t *takeover) sameKey(rec keyrecord.Record) bool {
	return rec.Vendor == t.key.Vendor && (rec.KeyID == t.out.KeyID || t.keepsID() && strings.HasPrefix(rec.KeyID, t.out.KeyID+"@"))
}

func (t *takeover) keepsID() bool {
	return t.out.Strategy == "RollInPlace" || t.out.Strategy == "RollWithGrace"
}

// take takes the key over: from the record on, it is ours.
func (t *takeover) take(ctx context.Context) error {
	// What was looked at must still be so.
	s, err := t.Store.Describe(ctx, t.key.Secret)
	if err != nil {
		return t.stored("describe the secret again", err)
	}
	if s.VersionAt(store.Current) != t.out.VersionID {
		return t.err(InProgress, "AWSCURRENT has moved meanwhile, so nothing was taken over", nil, "try again")
	}
	now := t.Now()
	rec, found := t.book.Key(t.recordID())
	if found && rec.IDUnknown() {
		t.out.Status = AdoptAlready
		return nil
	}
	rec = keyrecord.Record{
		Secret: t.key.Secret, KeyID: t.recordID(), KeyName: t.out.KeyName, Vendor: t.key.Vendor, VendorAccount: t.key.VendorAccount,
		Origin: keyrecord.Adopted, State: keyrecord.Current, Version: t.out.VersionID, Promoted: now, Revision: rec.Revision, More: rec.More,
	}
	t.out.Status = AdoptDone
	if rec.IDUnknown() {
		rec.State, rec.Why, t.out.Status = keyrecord.Held, keyrecord.WhyUnknownID, AdoptNoID
	}
	if err = t.put(ctx, rec); err != nil {
		return err
	}
	if err = t.nowKnown(ctx); err != nil {
		return err
	}
	t.tell(ctx, rec)
	return nil
}

// put stores the record between its intent and its outcome.
func (t *takeover) put(ctx context.Context, rec keyrecord.Record) error {
	t.token = t.out.VersionID // what the audit trail names
	a := audit.Record{
		ID: "adopt-" + rec.KeyID + "-" + strconv.FormatInt(t.Now().UnixMilli(), 36), Act: audit.Adopt, Phase: audit.Intent, KeyID: t.out.KeyID, KeyName: rec.KeyName, Fingerprint: t.print(t.value),
		Detail: map[string]string{"found_by": t.out.FoundBy, "reason": t.ask.Reason, "requester_says": t.ask.Requester},
	}
	if rec.IDUnknown() {
		a.Detail["why"] = rec.Why
	}
	if err := t.record(ctx, a); err != nil {
		return err
	}
	_, err := t.Records.Put(ctx, rec)
	a.Phase, a.Result = audit.Outcome, audit.Done
	if err != nil {
		a.Result, a.Error = audit.Unknown, err.Error()
		if errors.Is(err, keyrecord.ErrConflict) {
			a.Result = audit.Failed
		}
	}
	t.note(ctx, a)
	switch {
	case errors.Is(err, keyrecord.ErrConflict):
		return t.err(InProgress, "somebody else has just changed the key's record", err, "try again")
	case err != nil:
		return t.err(StoreUnavailable, "whether the key is recorded is not known", err, "see whether it is: keyturn adopt "+t.key.Secret+" --observe")
	}
	return nil
}

// nowKnown closes the record that the key had while nobody knew its id.
func (t *takeover) nowKnown(ctx context.Context) error {
	if t.out.KeyID == "" {
		return nil
	}
	rec, ok := t.book.Key(keyrecord.UnknownID(keyname.Rotation(t.out.VersionID)))
	if !ok || !rec.State.Alive() {
		return nil
	}
	rec.State, rec.Ended, rec.Version = keyrecord.Gone, t.Now(), ""
	rec.Why = "it is no key of its own: its id is known now, " + t.out.KeyID
	rec.Told = append(slices.Clone(rec.Told), string(notify.Retired)) // its end is no news
	if _, err := t.Records.Put(ctx, rec); err != nil {
		return t.err(StoreUnavailable, "the key is adopted, and that its id was not known is still recorded", err, "try again")
	}
	return nil
}

func (t *takeover) tell(ctx context.Context, rec keyrecord.Record) {
	m := notify.Message{
		Version: 1, ID: "adopted-" + rec.KeyID + "-" + rec.Version, Time: t.Now(), Kind: notify.Adopted, Severity: notify.Info,
		Secret: t.key.Secret, Vendor: t.key.Vendor, Owner: t.key.Owner,
		Summary: "The key in " + t.key.Secret + " is Keyturn's now: " + t.out.KeyID + ".",
		Known:   []string{"Its value stays as it is.", "It is retired when a rotation has replaced it and nobody uses it."},
		Next:    []string{"To replace it now: keyturn rotate-now " + t.key.Secret + " --reason WHY."},
		Detail:  map[string]string{"version": rec.Version, "key_id": t.out.KeyID, "reason": t.ask.Reason, "requester_says": t.ask.Requester},
	}
	if rec.IDUnknown() {
		m.Severity = notify.Warning
		m.Summary = "The key in " + t.key.Secret + " was taken over without its id, and " + keyrecord.WhyUnknownID + "."
		m.Known[1] = "It can be replaced. The replaced key then stays alive until somebody deletes it at the vendor."
		m.Next = []string{"Look its id up at the vendor, then: keyturn adopt " + t.key.Secret + " --key-id ID."}
	}
	if err := t.Notifier.Notify(ctx, m); err != nil { // it is done, and status shows it
		t.Log.LogAttrs(ctx, slog.LevelError, "the notification was not accepted", slog.String("secret", t.key.Secret), slog.String("error", err.Error()))
	}
}

package watch

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/history"
	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/tally"
	"github.com/keyturn/keyturn/shared/trail"
)

// Writer is the writer of the entries that do not come from a queue's sender: what
// CloudTrail recorded, and what the watch itself found.
const Writer = "keyturn/audit"

// room is how much of an entry what comes from outside may take.
const room = ledger.MaxEntry - 1024

// act returns the entry of a message from the audit queue. Its writer is who sent it.
func act(body, sender string) (ledger.Entry, error) {
	var r audit.Record
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		return ledger.Entry{}, errors.New("is no record of ours")
	}
	switch {
	case r.ID == "" || r.Act == "" || r.Phase == "" || r.Time.IsZero():
		return ledger.Entry{}, errors.New("is a record without id, act, phase or time")
	case sender == "":
		return ledger.Entry{}, errors.New("has no sender")
	}
	if len(body) > room {
		r.Error, r.Detail = "", map[string]string{"cut": "the record was too long for the ledger", "sha256": hashed([]byte(body))}
	}
	e, err := history.Entry(sender, r.ID+"/"+string(r.Phase), r.Time, fact(&r))
	if err != nil {
		return ledger.Entry{}, errors.New("has a time that JSON does not know")
	}
	if _, err := e.Encode(); err != nil {
		return ledger.Entry{}, fmt.Errorf("does not fit into the ledger: %w", err)
	}
	return e, nil
}

// fact is what a record of ours says: an act, or a person's word about a review.
func fact(r *audit.Record) history.Fact {
	if r.Act != audit.SignOff {
		return history.Fact{Kind: history.KindAct, Act: r}
	}
	d := r.Detail
	return history.Fact{Kind: history.KindSignOff, SignOff: &history.SignOff{
		Report: d["report"], SHA256: d["sha256"], By: d["by"], Decision: d["decision"], Note: d["note"],
		Each: strings.FieldsFunc(d["each"], func(c rune) bool { return c == '\n' }),
	}}
}

// kept reports whether e is one of the calls that the ledger holds one by one:
// everything but reads that succeeded, which are counted, and looks.
func kept(e *trail.Event) bool {
	if _, _, ok := e.Label(); ok {
		return true
	}
	outcome := e.Outcome()
	return outcome == trail.Denied || outcome != trail.Throttled && !e.ReadOnly && !read(e)
}

// read reports whether e returned the value of one secret. BatchGetSecretValue has a
// record of its own for each secret beside.
func read(e *trail.Event) bool {
	return e.Source == trail.SecretsManager && e.Name == "GetSecretValue" && e.Outcome() == trail.Succeeded
}

// call returns the entry of an event that is kept.
func call(e *trail.Event) (ledger.Entry, error) {
	c := &history.Call{
		EventID: e.ID, Time: e.Time, Service: e.Source, Name: e.Name, Region: e.Region, Account: e.Account,
		Principal: e.Identity.Principal(), Session: e.Identity.SessionName(), Source: cut(e.Address, 256), Error: e.ErrorCode, SHA256: hashed(e.Raw),
	}
	if label, version, ok := e.Label(); ok {
		c.Name = cut(e.Name+" "+label+" "+version, 256)
	}
	if e.Addendum != nil {
		c.Amends = e.Addendum.EventID
	}
	for _, s := range e.Secrets() {
		if len(c.Secrets) == 20 {
			break
		}
		c.Secrets = append(c.Secrets, cut(named(s), 512))
	}
	c.Principal, c.Session, c.Name, c.Error = cut(c.Principal, 512), cut(c.Session, 128), cut(c.Name, 256), cut(c.Error, 128)
	return history.Entry(Writer, e.ID, e.Time, history.Fact{Kind: history.KindCall, Call: c})
}

// reads returns what the counter counts of e.
func reads(e *trail.Event) []tally.Read {
	var out []tally.Read
	for _, s := range e.Secrets() {
		out = append(out, tally.Read{
			Key: tally.Key{
				Hour: e.Time.UTC().Truncate(time.Hour), Principal: e.Identity.Principal(), Secret: named(s), Network: network(e),
			},
			EventID: e.ID, Time: e.Time,
		})
	}
	return out
}

// sealed returns the entry of a tally that is closed.
func sealed(t tally.Tally) (ledger.Entry, error) {
	return history.Entry(Writer, "reads/"+t.ID()+"/"+t.Part, t.Hour, history.Fact{Kind: history.KindReads, Reads: &history.Reads{
		Hour: t.Hour, Principal: t.Principal, Secret: t.Secret, Network: t.Network, Count: t.Count, First: t.First, Last: t.Last, Digest: t.Digest.String(),
	}})
}

// refused returns the entry of a message that is not believed, or not understood.
func refused(queue, sender, body, why string, at time.Time) (ledger.Entry, error) {
	sum := hashed([]byte(body))
	return history.Entry(Writer, "refused/"+queue+"/"+sum, at, history.Fact{Kind: history.KindRefused, Refused: &history.Refused{
		Queue: queue, Sender: cut(sender, 256), Why: why, Bytes: len(body), SHA256: sum,
	}})
}

// named names a secret in the ledger: by its ARN, if the record has it.
func named(s trail.SecretRef) string {
	if s.ARN != "" {
		return s.ARN
	}
	return s.Name
}

// network is where a call came from, as wide as one customer's network is.
func network(e *trail.Event) string {
	switch e.AddressClass() {
	case trail.AddressEndpoint:
		return e.VPCEndpoint
	case trail.AddressService:
		return cut(e.Address, 128)
	case trail.AddressUnknown:
		return "unknown"
	case trail.AddressPublic, trail.AddressPrivate:
	}
	for _, a := range e.Addresses() {
		bits := 24
		if a.Is6() {
			bits = 48
		}
		if p, err := a.Prefix(bits); err == nil {
			return netip.PrefixFrom(p.Addr(), bits).String()
		}
	}
	return "unknown"
}

func hashed(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// cut shortens what somebody outside chose.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n-3] + "..."
}

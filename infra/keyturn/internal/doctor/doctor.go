// Package doctor finds out whether a vendor accepts an admin credential, by
// calls that change nothing there.
package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
)

// State is what is known of a credential.
type State string

// The states.
const (
	Accepted State = "accepted" // the vendor answered a call made with it
	Refused  State = "refused"  // by the vendor, or by our own rules
	Missing  State = "missing"  // there is none
	Stored   State = "stored"   // there is one, and no harmless call can try it
	Unknown  State = "unknown"  // it could not be tried now
)

// Finding is what is known of the admin credential of a vendor account. It
// holds nothing secret.
type Finding struct {
	Account string    `json:"vendor_account"`
	Vendor  string    `json:"vendor"`
	Secret  string    `json:"secret"` // name of the admin secret
	State   State     `json:"credential"`
	Keys    *int      `json:"keys,omitempty"`  // that there are; nil: not told
	Limit   int       `json:"limit,omitempty"` // of Keys; 0: none known
	Rights  []string  `json:"rights,omitempty"`
	Hosts   []string  `json:"hosts"` // that it may be sent to
	Skew    *Skew     `json:"clock,omitempty"`
	By      string    `json:"by,omitempty"` // who made the calls: "this machine", or a function; "": nobody
	Notes   []string  `json:"notes,omitempty"`
	Wrong   []Problem `json:"problems"`
}

// Skew is how far this machine's clock is from another.
type Skew struct {
	Of      string  `json:"of"`      // whose clock: "the vendor" or "AWS"
	Seconds float64 `json:"seconds"` // positive: this machine's is late
}

// Problem is something to be done about a credential.
type Problem struct {
	What string   `json:"what"`
	Next []string `json:"next,omitempty"`
}

// Add adds a problem.
func (f *Finding) Add(what string, next ...string) { f.Wrong = append(f.Wrong, Problem{what, next}) }

// Room says in words how many keys there are, of how many.
func (f *Finding) Room() string {
	switch {
	case f.Keys == nil:
		return ""
	case f.Limit > 0:
		return fmt.Sprintf("%d of %d keys", *f.Keys, f.Limit)
	}
	return fmt.Sprintf("%d keys, no limit known", *f.Keys)
}

// maxSkew is more than any token or signature bears.
const maxSkew = 2 * time.Minute

// SetSkew notes another clock's distance.
func (f *Finding) SetSkew(of string, d time.Duration) {
	f.Skew = &Skew{of, d.Round(100 * time.Millisecond).Seconds()}
	if d.Abs() > maxSkew {
		way := "late"
		if d < 0 {
			way = "early"
		}
		f.Add(fmt.Sprintf("this machine's clock is %s %s by the clock of %s", d.Abs().Round(time.Second), way, of), "set this machine's clock")
	}
}

// settle says when there is no room for another key.
func (f *Finding) settle() {
	if f.Keys != nil && f.Limit > 0 && *f.Keys >= f.Limit {
		f.Add(fmt.Sprintf("there is no room for another key: %d of %d are taken", *f.Keys, f.Limit), "delete keys at the vendor that nobody needs; Keyturn deletes its own only")
	}
}

// Subject is a vendor account whose new credential is tried.
type Subject struct {
	Account, Secret string
	Definition      provider.Definition
	Hosts           []string // of the configuration
	AllowPrivate    bool
	Settings        []json.RawMessage // of its keys
}

// Try makes harmless calls with a credential from this machine. now is this
// machine's clock.
func Try(ctx context.Context, s Subject, admin provider.Admin, now func() time.Time) Finding {
	f := Finding{Account: s.Account, Vendor: s.Definition.Name, Secret: s.Secret, State: Unknown, By: "this machine", Wrong: []Problem{}}
	f.Hosts = common(s.Hosts, admin.Hosts)
	if len(f.Hosts) == 0 {
		f.State = Refused
		f.Add("the configuration's hosts and the credential's have none in common", "list the vendor's host in both")
		return f
	}
	all := distinct(s.Definition, s.Settings)
	if len(all) == 0 {
		f.Add("no key in the configuration has this vendor account: where its API is, and what to ask it, is a key's setting", "declare a key of it first")
		return f
	}
	rules := httpapi.Rules{Hosts: f.Hosts, AllowPrivate: s.AllowPrivate}
	hc := httpapi.NewHTTP(rules, nil)
	clock := &clock{next: hc.Transport, now: now}
	hc.Transport = clock
	for i, settings := range all {
		st, err := open(s.Definition, settings, admin, hc, httpapi.NewDialer(rules))
		if err == nil {
			err = f.ask(ctx, st, admin, i == 0)
		}
		if f.note(s.Definition.Title, err); f.State == Refused {
			break
		}
	}
	if d, ok := clock.skew(); ok {
		f.SetSkew("the vendor", d)
	}
	f.settle()
	return f
}

// errUntried says that a vendor has no call that would do no harm.
var errUntried = errors.New("every call that this credential is for replaces a key, so it cannot be tried without harm")

// ask makes the calls of one key's settings.
func (f *Finding) ask(ctx context.Context, st provider.Strategy, admin provider.Admin, first bool) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	switch st := st.(type) {
	case provider.Overlap:
		keys, err := st.Keys.List(ctx)
		if err == nil && first {
			f.Keys, f.Limit, f.Rights = new(len(keys)), st.Max, rights(ctx, st, admin)
		}
		return err
	case provider.DualSlot:
		keys, err := st.Slots.Slots(ctx)
		if err == nil && first {
			f.Keys, f.Limit = new(len(keys)), st.Max
		}
		return err
	case provider.RollInPlace:
		if st.Read == nil {
			return errUntried
		}
		_, err := st.Read.Read(ctx, st.ID) // the value is dropped at once
		return err
	case provider.RollWithGrace:
		return errUntried
	}
	return errUntried
}

// rights are those of the credential itself, where it is a key like others.
func rights(ctx context.Context, o provider.Overlap, admin provider.Admin) []string {
	if o.Identify == nil || o.Scope == nil || len(admin.Fields) != 1 {
		return nil
	}
	for _, value := range admin.Fields {
		if id, err := o.Identify.Identify(ctx, value); err == nil {
			if scopes, err := o.Scope.Scopes(ctx, id); err == nil {
				return scopes
			}
		}
	}
	return nil
}

// note draws the conclusion from one answer. What was refused once stays so.
func (f *Finding) note(title string, err error) {
	kind := provider.KindOf(err)
	switch {
	case err == nil:
		if f.State == Unknown && len(f.Wrong) == 0 {
			f.State = Accepted
		}
	case errors.Is(err, errUntried):
		f.State = Unknown
		f.Add("it was not tried: at "+title+", "+err.Error(), "if you are sure of it, store it with --force; the first rotation tries it")
	case kind == provider.KindNotSent:
		f.State = Unknown
		f.Add("whether "+title+" accepts it is not known: "+err.Error(), "look at the network and the vendor account's hosts, and try again")
	case kind == provider.KindUnknown || kind == provider.KindRateLimited:
		f.State = Unknown
		f.Add("whether "+title+" accepts it is not known: "+err.Error(), "look at the vendor's status page, and try again")
	case kind == provider.KindBlocked:
		f.State = Refused
		f.Add(err.Error(), "correct the vendor account's hosts in the configuration, if the host really is the vendor's")
	case kind == provider.KindAuth:
		f.State = Refused
		f.Add(title+" does not accept it, or it lacks a right: "+err.Error(), "make it at the vendor as the documentation of its field says")
	default:
		f.State = Refused
		f.Add(title+" refuses what it is asked: "+err.Error(), "compare the settings of the vendor account's keys with the vendor")
	}
}

func open(d provider.Definition, settings json.RawMessage, admin provider.Admin, hc *http.Client, dial provider.Dialer) (provider.Strategy, error) {
	if d.SpeaksHTTP() {
		return d.Open(settings, admin, hc)
	}
	return d.OpenNet(settings, admin, dial)
}

// most is how many different settings are tried: a vendor account may hold a
// thousand projects.
const most = 5

// distinct returns settings that lead to different calls.
func distinct(d provider.Definition, all []json.RawMessage) (out []json.RawMessage) {
	seen := map[string]bool{}
	for _, s := range all {
		id := d.BaseURL(s) + " " + d.Principal(s)
		if !seen[id] && len(out) < most {
			out = append(out, s)
		}
		seen[id] = true
	}
	return out
}

// common are the hosts that both lists have; ":443" is the default.
func common(a, b []string) []string {
	bare := func(h string) string { return strings.TrimSuffix(strings.ToLower(h), ":443") }
	out := []string{}
	for _, h := range a {
		if slices.ContainsFunc(b, func(other string) bool { return bare(other) == bare(h) }) {
			out = append(out, h)
		}
	}
	return out
}

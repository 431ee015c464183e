package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/cell"
	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/history"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/notify"
)

const partAlerts = "alerts"

// quiet is how long nothing must be found of one matter until it is news again.
const quiet = 24 * time.Hour

// again is the factor by which a matter must grow to be told again.
const again = 10

// matter is what was told of the findings of one group.
type matter struct {
	Count    int             `json:"count"`
	Told     int             `json:"told"` // Count when it was told last
	Severity detect.Severity `json:"severity"`
	First    time.Time       `json:"first"`
	Last     time.Time       `json:"last"`
	Recent   []string        `json:"recent"`  // IDs of findings that were counted, newest last
	Episode  string          `json:"episode"` // ID of its first finding, which begins with the rule
}

// maxRecent bounds how many findings a matter knows again. A finding comes again
// only with the batch that it was found in.
const maxRecent = 200

// Alerts tells people of findings: the first of a matter, and then only if it has
// grown tenfold or become worse, or asked for a rotation. All fields but Checkpoint are needed. It is safe for concurrent use.
type Alerts struct {
	Cells    cell.Store
	Notifier notify.Notifier
	// Key returns the vendor and the owner of a key of ours, "" if it is none.
	Key func(secret string) (vendor, owner string)
	// Checkpoint returns the ledger's newest, for the message: a mail is where the
	// ledger's writers cannot change it. Nil, or an error: there is none in it.
	Checkpoint func(context.Context) (ledger.Checkpoint, error)
}

// told is a finding, what was started because of it, and where the ledger has it.
type told struct {
	detect.Finding
	response string
	index    int64
}

// Tell tells what is news of found. After an error all of it may be told again: the
// messages then have the same IDs.
func (a *Alerts) Tell(ctx context.Context, found []told) error {
	groups := map[string][]told{}
	var order []string
	for _, f := range found {
		if groups[f.Group] == nil {
			order = append(order, f.Group)
		}
		groups[f.Group] = append(groups[f.Group], f)
	}
	for _, g := range order {
		if err := a.tell(ctx, g, groups[g]); err != nil {
			return err
		}
	}
	return nil
}

func (a *Alerts) tell(ctx context.Context, group string, found []told) error {
	const attempts = 5
	for range attempts {
		m, c, err := a.load(ctx, group)
		if err != nil {
			return err
		}
		news, worst := m.take(found)
		if news {
			out := a.message(group, m, worst)
			out.Checkpoint = a.checkpoint(ctx)
			if err := a.Notifier.Notify(ctx, out); err != nil {
				return fmt.Errorf("tell of %s: %w", worst.Rule, err)
			}
			m.Told = m.Count
		}
		if c.Data, err = json.Marshal(m); err != nil {
			return errors.New("store what was told: a time that JSON does not know")
		}
		c.Expires = m.Last.Add(30 * quiet)
		switch err := a.Cells.Put(ctx, c); {
		case errors.Is(err, cell.ErrConflict):
			continue
		case err != nil:
			return fmt.Errorf("store what was told: %w", err)
		}
		return nil
	}
	return fmt.Errorf("store what was told: %w", cell.ErrConflict)
}

func (a *Alerts) checkpoint(ctx context.Context) string {
	if a.Checkpoint == nil {
		return ""
	}
	c, err := a.Checkpoint(ctx)
	if err != nil { // people are told all the same
		return ""
	}
	return string(c.Signed)
}

func (a *Alerts) load(ctx context.Context, group string) (matter, cell.Cell, error) {
	cells, err := a.Cells.Load(ctx, partAlerts, []string{group})
	if err != nil {
		return matter{}, cell.Cell{}, fmt.Errorf("load what was told: %w", err)
	}
	if len(cells) == 0 {
		return matter{}, cell.Cell{Part: partAlerts, Name: group}, nil
	}
	var m matter
	if err := json.Unmarshal(cells[0].Data, &m); err != nil { // it is told again, and not lost
		m = matter{}
	}
	return m, cells[0], nil
}

// take counts what m does not know, and reports whether it is news, and the worst of
// it, with what was started because of all of it.
func (m *matter) take(found []told) (news bool, worst told) {
	var responses []string
	for _, f := range found {
		if slices.Contains(m.Recent, f.ID) {
			continue
		}
		if !m.Last.IsZero() && f.Time.Sub(m.Last) > quiet { // it had ended
			*m = matter{Recent: m.Recent}
		}
		if m.Count == 0 {
			m.First, m.Episode = f.Time, f.ID
		}
		m.Count += max(f.Count, 1)
		m.Recent = append(m.Recent, f.ID)
		if f.Time.After(m.Last) {
			m.Last = f.Time
		}
		// What was rotated, or should have been and was not, is always news.
		if f.Severity > m.Severity || m.Told == 0 || m.Count >= again*m.Told || f.response != "" {
			news = true
		}
		responses = append(responses, f.response)
		m.Severity = max(m.Severity, f.Severity)
		if f.Severity >= worst.Severity {
			worst = f
		}
	}
	worst.response = strings.Join(slices.DeleteFunc(responses, func(r string) bool { return r == "" }), "; ")
	m.Recent = m.Recent[max(0, len(m.Recent)-maxRecent):]
	worst.Secrets = secretsOf(worst.Secrets, found)
	return news, worst
}

// secretsOf returns first, and then the others that found is about.
func secretsOf(first []string, found []told) []string {
	out := slices.Clone(first)
	for _, f := range found {
		for _, s := range f.Secrets {
			if !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out
}

// message says what, who, where from, which key, on what evidence, why, and what to
// do next.
func (a *Alerts) message(group string, m matter, f told) notify.Message {
	out := notify.Message{
		Version: 1, ID: m.Episode + "-" + strconv.Itoa(m.Count), Time: f.Time, Kind: notify.Finding, Severity: severity(f.Severity),
		Summary: f.Title + ": " + f.Why, Alert: m.Episode, About: keyrecord.AboutFinding,
		Detail: map[string]string{
			"rule": f.Rule, "rule_severity": f.Severity.String(), "group": group, "count": strconv.Itoa(m.Count),
			"first": m.First.UTC().Format(time.RFC3339), "last": m.Last.UTC().Format(time.RFC3339),
			"events": strings.Join(f.Events, " "), "ledger_index": strconv.FormatInt(f.index, 10),
		},
	}
	for k, v := range map[string]string{"technique": f.Technique, "user_agent": cut(f.Agent, 200), "secrets": cut(strings.Join(f.Secrets, " "), 1000)} {
		if v != "" {
			out.Detail[k] = v
		}
	}
	if len(f.Secrets) > 0 {
		// What is not a key of ours, such as an admin credential, is the installation's:
		// nobody could acknowledge it otherwise.
		if out.Vendor, out.Owner = a.Key(f.Secrets[0]); out.Vendor != "" {
			out.Secret = f.Secrets[0]
		}
	}
	who := f.Principal
	if f.Session != "" {
		who += " as " + f.Session
	}
	if who != "" {
		out.Known = append(out.Known, "It was "+cut(who, 600)+".")
	}
	if len(f.Where) > 0 {
		out.Known = append(out.Known, "It came from "+cut(strings.Join(f.Where, ", "), 400)+".")
	}
	if m.Told > 0 {
		out.Known = append(out.Known, fmt.Sprintf("It goes on: %d since %s, %d when it was told last.", m.Count, m.First.UTC().Format("2006-01-02 15:04 UTC"), m.Told))
	}
	if f.response != "" {
		out.Known = append(out.Known, "Emergency rotation of "+cut(f.response, 1000)+".")
		out.Detail["response"] = cut(f.response, 1000)
		out.Next = append(out.Next, "See how each rotation is, and start what was not: keyturn status KEY, keyturn rotate-now KEY --emergency --reason TEXT.")
	}
	if f.Next != "" {
		out.Next = append(out.Next, f.Next)
	}
	return out
}

func severity(s detect.Severity) notify.Severity {
	switch {
	case s >= detect.High:
		return notify.Critical
	case s >= detect.Low:
		return notify.Warning
	default:
		return notify.Info
	}
}

// alertEntry returns the entry of a finding, with what was started because of it, or
// why nobody is told of it.
func alertEntry(f detect.Finding, response, suppressed string) (ledger.Entry, error) {
	a := &history.Alert{
		Rule: f.Rule, Severity: f.Severity.String(), Principal: cut(f.Principal, 512), Why: cut(f.Why, 1000),
		Source: cut(strings.Join(f.Where, " "), 400), Events: f.Events, First: f.Time, Last: f.Time, Response: cut(response, 1000), Suppressed: cut(suppressed, 600),
	}
	if len(f.Secrets) > 0 {
		a.Secret = cut(f.Secrets[0], 512)
	}
	return history.Entry(Writer, "alert/"+f.ID, f.Time, history.Fact{Kind: history.KindAlert, Alert: a})
}

package watch

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
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

const partSite = "site"

// Changes writes into the ledger what is another in the site than it was when it was
// last looked at, which is how a deployment is seen, and tells people of what decides
// what they are told. All fields are needed.
type Changes struct {
	Cells    cell.Store
	Ledger   Ledger
	Notifier notify.Notifier
	Site     *detect.Site
	Now      func() time.Time
	ID       string // of this process: of several that see a change at once, one tells
}

// known is the site as it was seen last.
type known struct {
	Hash  string            `json:"hash"`
	Parts map[string]string `json:"parts"` // by what and name; nil: they were too many
}

// maxChanges is how many differences are written one by one: the hashes cover the rest.
const maxChanges = 500

// Note looks at the site, and returns how many differences it wrote. After an error it
// may be done again: what is written or told already has the same ID.
func (c *Changes) Note(ctx context.Context) (int, error) {
	now, err := c.describe()
	if err != nil {
		return 0, err
	}
	before, at, err := c.load(ctx)
	if err != nil || before.Hash == now.Hash {
		return 0, err
	}
	if mine, err := c.claim(ctx, claim{at.Revision, now.Hash, c.ID, c.Now().Add(claimed)}); err != nil || !mine {
		return 0, err
	}
	changes := differences(before, now)
	if err := c.write(ctx, changes, at.Revision); err != nil {
		return 0, err
	}
	if at.Revision > 0 { // the first site is no change
		if err := c.tell(ctx, changes, at.Revision); err != nil {
			return 0, err
		}
	}
	if at.Data, err = pack(now); err != nil {
		return 0, err
	}
	if err := c.Cells.Put(ctx, at); err != nil && !errors.Is(err, cell.ErrConflict) { // another did the same
		return 0, fmt.Errorf("store which site was seen: %w", err)
	}
	return len(changes), nil
}

// claim says which process writes down and tells a change. If it ends before it has, the
// next one does, once that is over.
type claim struct {
	Revision int64     `json:"revision"`
	Hash     string    `json:"hash"`
	By       string    `json:"by"`
	Until    time.Time `json:"until"`
}

const claimed = 5 * time.Minute

// claim reports whether this process is the one.
func (c *Changes) claim(ctx context.Context, mine claim) (bool, error) {
	at := cell.Cell{Part: partSite, Name: "telling"}
	cells, err := c.Cells.Load(ctx, at.Part, []string{at.Name})
	if err != nil {
		return false, fmt.Errorf("load who tells of a change: %w", err)
	}
	if len(cells) > 0 {
		at = cells[0]
		var other claim
		if json.Unmarshal(at.Data, &other) == nil && other.Revision == mine.Revision && other.Hash == mine.Hash && other.By != mine.By && c.Now().Before(other.Until) {
			return false, nil
		}
	}
	if at.Data, err = json.Marshal(mine); err != nil {
		return false, errors.New("store who tells of a change: a time that JSON does not know")
	}
	switch err := c.Cells.Put(ctx, at); {
	case errors.Is(err, cell.ErrConflict):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("store who tells of a change: %w", err)
	}
	return true, nil
}

func (c *Changes) write(ctx context.Context, changes []history.Change, revision int64) error {
	var entries []ledger.Entry
	for i, one := range changes {
		e, err := history.Entry(Writer, fmt.Sprintf("change/%d/%d", revision, i), c.Now(), history.Fact{Kind: history.KindChange, Change: &one})
		if err != nil {
			return err
		}
		entries = append(entries, e)
	}
	for batch := range slices.Chunk(entries, ledger.MaxBatch) {
		if _, err := c.Ledger.Append(ctx, batch); err != nil {
			return fmt.Errorf("write to the ledger: %w", err)
		}
	}
	return nil
}

func (c *Changes) tell(ctx context.Context, changes []history.Change, revision int64) error {
	var lines []string
	for _, one := range changes {
		if one.Told {
			lines = append(lines, line(one))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	const most = 20
	more := max(0, len(lines)-most)
	lines = lines[:len(lines)-more]
	if more > 0 {
		lines = append(lines, fmt.Sprintf("And %d more: see the ledger.", more))
	}
	id := "change-" + strconv.FormatInt(revision, 10)
	err := c.Notifier.Notify(ctx, notify.Message{
		Version: 1, ID: id, Alert: id, About: keyrecord.AboutFinding, Time: c.Now(), Kind: notify.Finding, Severity: notify.Warning,
		Summary: "What is noticed, and what is told, has changed with a deployment.", Known: lines,
		Next: []string{"If nobody knows of it: see who deployed, and deploy again as it was."},
	})
	if err != nil {
		return fmt.Errorf("tell of a change: %w", err)
	}
	return nil
}

func line(c history.Change) string {
	text := c.What + " " + c.Name
	switch {
	case c.Before == "":
		return text + ": new: " + c.After + "."
	case c.After == "":
		return text + ": gone: it was " + c.Before + "."
	default:
		return text + ": " + c.After + ", was " + c.Before + "."
	}
}

// describe names what the site consists of now, each part in a short text. What ends by
// itself is another part after that.
func (c *Changes) describe() (known, error) {
	parts := map[string]string{}
	put := func(what, name, text string) {
		if text != "" {
			parts[what+"\x00"+name] = brief(text)
		}
	}
	s := c.Site
	describeSecrets(s, put)
	for id, on := range s.Rules {
		put("rule", id, map[bool]string{true: "on", false: "off"}[on])
	}
	for id, n := range s.Thresholds {
		put("threshold", id, strconv.Itoa(n))
	}
	describeAnswers(s, c.Now(), put)
	for _, one := range s.Automation {
		put("automation", one.Principal, "listed, user agent "+strconv.Quote(one.Agent))
	}
	for what, list := range map[string][]string{"lister": s.Listers, "account": s.Accounts, "deployer": s.Deployers, "operator": s.Operators, "role": s.Roles, "function": s.Functions, "resource": s.Resources} {
		for _, name := range list {
			put(what, name, "listed")
		}
	}
	put("allow", "", allowed(s.Allow))
	if h := s.Hours; h != nil {
		put("working hours", "", fmt.Sprintf("%d to %d UTC, weekends %t", h.From, h.To, h.Weekends))
	}
	put("learning", "", fmt.Sprintf("from %s for %s", s.Installed.UTC().Format(time.DateOnly), s.Learning))
	whole, err := json.Marshal([]any{s, parts})
	if err != nil {
		return known{}, errors.New("describe the site: a time that JSON does not know")
	}
	return known{hashed(whole), parts}, nil
}

func describeSecrets(s *detect.Site, put func(what, name, text string)) {
	everywhere := allowed(s.Allow)
	for _, one := range s.Secrets {
		about, _ := json.Marshal(detect.Secret{Tier: one.Tier, Owner: one.Owner, Admin: one.Admin, Canary: one.Canary, Rotators: one.Rotators, Interval: one.Interval, Function: one.Function}) //nolint:errchkjson // no times
		put("key", one.Name, string(about))
		put("readers", one.Name, strings.Join(one.Readers, " "))
		if a := allowed(one.Allow); a != everywhere { // it has the site's own
			put("allow", one.Name, a)
		}
		if one.HoneyToken {
			put("honeytoken", one.Name, "nobody reads it in peace")
		}
	}
}

// describeAnswers is about what is told, and what findings start.
func describeAnswers(s *detect.Site, now time.Time, put func(what, name, text string)) {
	for _, one := range s.Suppressions {
		end := "until "
		if one.Expired(now) {
			end = "ended "
		}
		put("suppression", strings.TrimSpace(one.Rule+" "+one.Principal+" "+one.Secret), end+one.Until.UTC().Format(time.DateTime)+": "+one.Reason+" ("+one.Owner+")")
	}
	if r := s.Respond; r != nil {
		put("respond", "", fmt.Sprintf("%s after %s, at most %d/h", strings.Join(r.Rules, " "), r.Cooldown, r.Hourly))
		switch end := r.Until.UTC().Format(time.DateTime); {
		case r.Off && !now.Before(r.Until):
			put("respond", "off", "the kill switch is on, and should have ended on "+end)
		case r.Off:
			put("respond", "off", "the kill switch is on until "+end)
		}
	}
}

func allowed(a detect.Allow) string {
	var out []string
	for _, p := range a.CIDRs {
		out = append(out, p.String())
	}
	return strings.Join(slices.Concat(out, a.Endpoints, a.Countries), " ")
}

// brief shortens a text; what is cut stays distinct.
func brief(s string) string {
	const most = 160
	if len(s) <= most {
		return s
	}
	return cut(s, most-20) + " " + hashed([]byte(s))[:16]
}

// decides says that a change decides what people are told. Who or what is expected in
// general does; of one key, whatever it was before: a key that is new is no loosening.
func decides(what, before string) bool {
	if slices.Contains([]string{"suppression", "respond", "honeytoken", "rule", "threshold", "automation", "lister", "account", "deployer", "operator", "learning", "working hours"}, what) {
		return true
	}
	return before != "" && slices.Contains([]string{"key", "readers", "allow"}, what)
}

// differences begins with the hashes of the whole.
func differences(before, now known) []history.Change {
	out := []history.Change{{What: "site", Before: before.Hash, After: now.Hash}}
	if before.Parts == nil || now.Parts == nil { // what it is cannot be said
		out[0].Told = true
		return out
	}
	names := map[string]bool{}
	for _, parts := range []map[string]string{before.Parts, now.Parts} {
		for name := range parts {
			names[name] = true
		}
	}
	for _, told := range []bool{true, false} { // what people are told first: it is never left out
		for _, name := range slices.Sorted(maps.Keys(names)) {
			what, of, _ := strings.Cut(name, "\x00")
			if b, n := before.Parts[name], now.Parts[name]; b != n && decides(what, b) == told && (told || len(out) < maxChanges) {
				out = append(out, history.Change{What: what, Name: of, Before: b, After: n, Told: told})
			}
		}
	}
	return out
}

func (c *Changes) load(ctx context.Context) (known, cell.Cell, error) {
	at := cell.Cell{Part: partSite, Name: "known"}
	cells, err := c.Cells.Load(ctx, at.Part, []string{at.Name})
	if err != nil {
		return known{}, at, fmt.Errorf("load which site was seen: %w", err)
	}
	if len(cells) == 0 {
		return known{}, at, nil
	}
	at = cells[0]
	var k known
	z, err := gzip.NewReader(bytes.NewReader(at.Data))
	if err == nil {
		err = json.NewDecoder(io.LimitReader(z, 64<<20)).Decode(&k)
	}
	if err != nil { // it is written down as another site
		k = known{}
	}
	return k, at, nil
}

// pack makes what fits into a cell.
func pack(k known) ([]byte, error) {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if err := errors.Join(json.NewEncoder(z).Encode(k), z.Close()); err != nil {
		return nil, fmt.Errorf("store which site was seen: %w", err)
	}
	if out.Len() > cell.MaxData && k.Parts != nil {
		return pack(known{Hash: k.Hash})
	}
	return out.Bytes(), nil
}

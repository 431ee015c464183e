package watch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/keyturn/keyturn/shared/cell"
	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/trail"
)

const partCanary = "canary"

// Silence is how long the canary's reads may not come back through CloudTrail,
// EventBridge and the queue. CloudTrail takes five minutes on average, and promises
// nothing; a beat is every 15 minutes.
const Silence = 45 * time.Minute

// pulse is what is known of the path.
type pulse struct {
	Began time.Time `json:"began"` // of the first beat
	Seen  time.Time `json:"seen"`  // eventTime of the newest beat that came back
}

// Canary shows that the path from Secrets Manager to here is alive: it reads a secret
// that nobody else reads, and looks when its read last came back. All fields are needed.
type Canary struct {
	Cells  cell.Store
	Secret string // its name
	Role   string // ARN of the role that reads it
	Read   func(ctx context.Context) error
	Alerts *Alerts
	Ledger Ledger
	Now    func() time.Time
}

// Beat reads the secret. If no read has come back for [Silence] it tells people, and
// returns silent.
func (c *Canary) Beat(ctx context.Context) (silent bool, err error) {
	now := c.Now()
	p, stored, err := c.load(ctx)
	if err != nil {
		return false, err
	}
	if p.Began.IsZero() {
		p.Began = now
		if err := c.store(ctx, p, stored); err != nil {
			return false, err
		}
	}
	// A beat that fails shows nothing, and the silence that follows is found.
	readErr := c.Read(ctx)
	last := p.Seen
	if last.IsZero() {
		last = p.Began
	}
	if now.Sub(last) <= Silence {
		return false, readErr
	}
	f := detect.Finding{
		ID: "D-23-silence-" + last.UTC().Format("20060102T150405"), Group: "D-23", Rule: "D-23", Title: "the record of reads is silent", Severity: detect.Critical,
		Technique: "T1562.008", Time: now, Principal: c.Role, Secrets: []string{c.Secret}, Count: 1,
		Why:  fmt.Sprintf("no read of the canary has come back for %s, limit %s", now.Sub(last).Round(time.Minute), Silence),
		Next: "see docs/runbooks/silent-log.md: is the trail on, is the rule enabled for all management events, does the queue grow?",
	}
	e, err := alertEntry(f, "", "")
	if err != nil {
		return true, err
	}
	placed, err := c.Ledger.Append(ctx, []ledger.Entry{e})
	if err != nil {
		return true, fmt.Errorf("write to the ledger: %w", err)
	}
	return true, errors.Join(c.Alerts.Tell(ctx, []told{{Finding: f, index: placed[0].Index}}), readErr)
}

// Seen notes that an event of the canary's came back.
func (c *Canary) Seen(ctx context.Context, e *trail.Event) error {
	if !read(e) || e.Identity.Principal() != c.Role {
		return nil
	}
	for _, s := range e.Secrets() {
		if s.Name != c.Secret {
			continue
		}
		p, stored, err := c.load(ctx)
		if err != nil {
			return err
		}
		if !e.Time.After(p.Seen) {
			return nil
		}
		p.Seen = e.Time
		err = c.store(ctx, p, stored)
		if errors.Is(err, cell.ErrConflict) { // another beat came back at this moment
			return nil
		}
		return err
	}
	return nil
}

func (c *Canary) load(ctx context.Context) (pulse, cell.Cell, error) {
	at := cell.Cell{Part: partCanary, Name: "pulse"}
	cells, err := c.Cells.Load(ctx, at.Part, []string{at.Name})
	if err != nil {
		return pulse{}, at, fmt.Errorf("load the canary's pulse: %w", err)
	}
	var p pulse
	if len(cells) > 0 {
		at = cells[0]
		if err := json.Unmarshal(at.Data, &p); err != nil { // it is measured again
			p = pulse{}
		}
	}
	return p, at, nil
}

func (c *Canary) store(ctx context.Context, p pulse, at cell.Cell) error {
	data, err := json.Marshal(p)
	if err != nil {
		return errors.New("store the canary's pulse: a time that JSON does not know")
	}
	at.Data = data
	if err := c.Cells.Put(ctx, at); err != nil {
		return fmt.Errorf("store the canary's pulse: %w", err)
	}
	return nil
}

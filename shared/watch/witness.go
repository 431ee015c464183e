package watch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/ledger"
)

// Witness gives the ledger's checkpoints to somebody else, so that whoever rules over
// the ledger cannot cut its end or begin it anew unseen. All fields are needed.
type Witness struct {
	// Latest returns the newest checkpoint.
	Latest func(context.Context) (ledger.Checkpoint, error)
	// Put stores a checkpoint at a path, or returns an error that is
	// ledger.ErrExists: the first one of a path stays.
	Put    func(ctx context.Context, path string, signed []byte) error
	Where  string // that is told when it fails
	Ledger Ledger
	Alerts *Alerts
	Now    func() time.Time
}

// Send gives the newest checkpoint away. If that fails, people are told, once a day, and
// the error is only about what that needed: nothing else has to stop.
func (w *Witness) Send(ctx context.Context) error {
	c, err := w.Latest(ctx)
	if err != nil {
		return fmt.Errorf("read the newest checkpoint: %w", err)
	}
	err = w.Put(ctx, fmt.Sprintf("checkpoint/%d", c.Tree.N), c.Signed)
	if err == nil || errors.Is(err, ledger.ErrExists) {
		return nil
	}
	now := w.Now()
	f := detect.Finding{
		ID: "D-23-witness-" + now.UTC().Format("20060102"), Group: "witness", Rule: "D-23", Title: "the ledger's checkpoints are kept nowhere else", Severity: detect.High,
		Technique: "T1562.008", Time: now, Count: 1,
		Why:  fmt.Sprintf("the checkpoint of %d entries could not be stored in %s: %v", c.Tree.N, w.Where, err),
		Next: "see docs/runbooks/silent-log.md: does the bucket exist, and does its policy let our audit function write?",
	}
	e, err := alertEntry(f, "", "")
	if err != nil {
		return err
	}
	placed, err := w.Ledger.Append(ctx, []ledger.Entry{e})
	if err != nil {
		return fmt.Errorf("write to the ledger: %w", err)
	}
	return w.Alerts.Tell(ctx, []told{{Finding: f, index: placed[0].Index}})
}

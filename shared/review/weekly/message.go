package weekly

import (
	"fmt"
	"strconv"

	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/review"
)

// message tells of a review: counts and where it is, not who can read what.
func (w *Weekly) message(r review.Review, done Done) notify.Message {
	m := notify.Message{
		Version: 1, ID: "review-" + done.Week, Time: r.At, Kind: notify.Reviewed, Severity: notify.Info, Secret: w.Installation, Vendor: "aws",
		Summary: fmt.Sprintf("The access review of %s is made: %d of %d keys have findings.", done.Week, done.Findings, done.Keys),
		Next: []string{
			"Read the page: " + done.Report,
			"Say what was decided: keyturn review sign-off --review review.html --decision accepted --reason TEXT",
		},
		Detail: map[string]string{
			"week": done.Week, "report": done.Report, "sha256": done.SHA256, "keys": strconv.Itoa(done.Keys), "findings": strconv.Itoa(done.Findings),
		},
		Checkpoint: r.Checkpoint,
	}
	ended := 0
	for _, n := range r.Notices {
		if n.Expired {
			ended++
		}
	}
	if ended > 0 {
		m.Known = append(m.Known, fmt.Sprintf("Exceptions that have ended, and are still there: %d", ended))
	}
	for _, k := range r.Kinds() {
		m.Known = append(m.Known, fmt.Sprintf("%s: %d", k.Kind, k.Keys))
	}
	if r.Compared {
		m.Known = append(m.Known, fmt.Sprintf("Changes since the review before: %d", len(r.Changes)))
	}
	m.Known = append(m.Known, fmt.Sprintf("What is not covered is on the page, in %d sentences.", len(r.NotCovered)))
	return m
}

// Package evidence makes, out of the ledger, what an auditor asks for about one key:
// who did what, when and why, and the proof that the ledger says so.
package evidence

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/keyturn/keyturn/shared/history"
	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/shared/trail"
)

// Version is that of the format of a Pack.
const Version = 1

// ErrNothing says that the ledger has nothing about the secret in the time asked for.
var ErrNothing = errors.New("the ledger has nothing about this key in this time")

// Request says what is asked for.
type Request struct {
	Secret string    // its name
	ARN    string    // its ARN, if it is known: CloudTrail's records have either
	From   time.Time // of what happened; zero: from the beginning
	To     time.Time // exclusive; zero: to the end
	Now    time.Time // when it is asked
}

// Pack is the evidence about one key. All of it was read from a ledger whose every
// entry, tile and checkpoint was verified first.
type Pack struct {
	Version int       `json:"version"`
	Made    time.Time `json:"made"`
	Secret  string    `json:"secret"`
	From    time.Time `json:"from,omitzero"`
	To      time.Time `json:"to,omitzero"`
	Log     Log       `json:"log"`
	Keys    []Life    `json:"keys"`    // at the vendor, by their first act
	Readers []Reader  `json:"readers"` // who read the value
	Entries []Entry   `json:"entries"` // about the key, in the order of the ledger
}

// Log is what the entries are proven against.
type Log struct {
	Origin     string `json:"origin"`
	Verifier   string `json:"verifier"` // the public key, as golang.org/x/mod/sumdb/note takes it
	Size       int64  `json:"size"`
	Root       string `json:"root"` // SHA-256, in base64
	Checkpoint string `json:"checkpoint"`
}

// Entry is one entry of the ledger, as it is there, and its proof.
type Entry struct {
	Index  int64        `json:"index"`
	ID     string       `json:"id"`
	Time   time.Time    `json:"time"` // when it happened, says the writer
	Writer string       `json:"writer"`
	Fact   history.Fact `json:"fact"`
	SHA256 string       `json:"sha256"` // of its line
	Proof  string       `json:"proof"`  // https://c2sp.org/tlog-proof, of inclusion; holds the line
}

// readsAtOnce is how many small objects are read at once.
const readsAtOnce = 16

// Collect verifies the whole ledger in a, and returns the evidence. An error about a
// ledger that was tampered with is a *[ledger.TamperError]. It is ErrNothing if there
// is none.
func Collect(ctx context.Context, a ledger.Archive, o ledger.Objects, v note.Verifier, verifier string, r Request) (Pack, error) {
	var found []Entry
	report, err := ledger.Verify(ctx, a, v, ledger.Check{Parallel: readsAtOnce, Each: func(index int64, line []byte) error {
		if e, ok := r.entry(line); ok {
			e.Index = index
			found = append(found, e)
		}
		return nil
	}})
	if err != nil {
		return Pack{}, fmt.Errorf("verify the ledger: %w", err)
	}
	if len(found) == 0 {
		return Pack{}, ErrNothing
	}
	prover := ledger.NewProver(o, report.Checkpoint)
	for i := range found {
		proof, err := prover.Prove(ctx, found[i].Index)
		if err != nil {
			return Pack{}, fmt.Errorf("prove entry %d: %w", found[i].Index, err)
		}
		found[i].Proof = string(proof)
	}
	return Pack{
		Version: Version, Made: r.Now.UTC(), Secret: r.Secret, From: r.From, To: r.To,
		Log: Log{
			Origin: v.Name(), Verifier: verifier, Size: report.Tree.N,
			Root: base64.StdEncoding.EncodeToString(report.Tree.Hash[:]), Checkpoint: string(report.Checkpoint.Signed),
		},
		Keys: lives(found), Readers: readers(found), Entries: found,
	}, nil
}

// entry returns what line says, if it is asked for. What is no entry, Verify tells.
func (r Request) entry(line []byte) (Entry, bool) {
	e, err := ledger.Decode(line)
	if err != nil {
		return Entry{}, false
	}
	f, err := history.Of(e)
	if err != nil || !r.wants(e.Time, f) {
		return Entry{}, false
	}
	sum := sha256.Sum256(line)
	return Entry{ID: e.ID, Time: e.Time, Writer: e.Writer, Fact: f, SHA256: hex.EncodeToString(sum[:])}, true
}

// wants reports whether f, which happened at t, is asked for.
func (r Request) wants(t time.Time, f history.Fact) bool {
	if t.Before(r.From) && !r.From.IsZero() || !r.To.IsZero() && !t.Before(r.To) {
		return false
	}
	return slices.ContainsFunc(about(f), r.is)
}

// is reports whether a name that an entry uses is this secret's: its name, its ARN, or
// the part of its ARN that AWS takes for it.
func (r Request) is(name string) bool {
	if name == "" {
		return false
	}
	ref := trail.ParseSecret(name)
	switch {
	case name == r.Secret || name == r.ARN:
		return true
	case ref.ARN == "":
		return false
	case r.ARN == "":
		return ref.Name == r.Secret
	default:
		return ref.Is(r.ARN) || trail.ParseSecret(r.ARN).Is(name)
	}
}

// about returns the secrets that f is about.
func about(f history.Fact) []string {
	switch {
	case f.Act != nil:
		return []string{f.Act.Secret}
	case f.Call != nil:
		return f.Call.Secrets
	case f.Reads != nil:
		return []string{f.Reads.Secret}
	case f.Alert != nil:
		return []string{f.Alert.Secret}
	case f.Change != nil:
		return []string{f.Change.Name}
	case f.SignOff != nil:
		return signedFor(f.SignOff)
	default:
		return nil
	}
}

// signedFor are the secrets about which a sign-off decides: each line begins with one.
func signedFor(s *history.SignOff) []string {
	var out []string
	for _, line := range s.Each {
		name, _, _ := strings.Cut(line, " ")
		out = append(out, name)
	}
	return out
}

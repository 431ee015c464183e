// Package review says who can read each key and who did, and what needs a decision:
// rights that nobody uses, keys that are overdue, and what could not be told.
//
// It calls nothing. Everything known is in an [Input], and the same Input makes the
// same [Review].
package review

import (
	"time"

	"github.com/keyturn/keyturn/shared/iam"
)

// Input is all that a review looks at.
type Input struct {
	Account    string // 12 digits
	Partition  string // "aws", "aws-cn" or "aws-us-gov"
	Region     string
	Now        time.Time
	Since      time.Time     // from when Reads are complete; zero: no reads are known
	Unused     time.Duration // a key, or a right, that nobody used for so long is unused; 0: 90 days
	Principals []Principal
	Secrets    []Secret
	KMS        map[string]Policy // key policies by ARN of the KMS key
	// ServiceControl has a list for each level; ControlKnown is false when they could
	// not be read, which the page then says.
	ServiceControl [][]iam.Policy
	ControlKnown   bool
	Reads          []Read
	OwnRoles       []string // ARNs of Keyturn's roles: their reads are no use of a key
	Missing        []string // sentences about what else is not known
	Unanswered     bool     // some of it only because AWS had no answer: asking again may tell

	Notices    []Notice  // what heads the page
	SignOffs   []SignOff // of the reviews before, the newest first
	Checkpoint string    // of the ledger that the reads are from: a signed note
}

// Notice is an exception that somebody made: what is not told, not rotated or not
// started for a while, or that was taken away.
type Notice struct {
	Kind    string    `json:"kind"` // "suppression", "pause", "freeze", "kill switch", "rule off", or what a change is about
	Text    string    `json:"text"`
	Until   time.Time `json:"until,omitzero"`
	Expired bool      `json:"expired,omitempty"`
}

// SignOff is a person's word about a review, as the ledger has it.
type SignOff struct {
	SHA256   string    `json:"sha256"`           // of the page
	Report   string    `json:"report,omitempty"` // where the page is
	At       time.Time `json:"at"`
	Writer   string    `json:"writer"` // as AWS vouches for it
	By       string    `json:"by"`     // as the signer says
	Decision string    `json:"decision,omitempty"`
	Note     string    `json:"note,omitempty"`
	Each     []string  `json:"each,omitempty"` // decisions about single findings
	Void     string    `json:"void,omitempty"` // why it counts for nothing; empty: it counts
}

// Principal is a user or a role of the account, with the policies that it has by
// itself and by its groups.
type Principal struct {
	ARN      string
	ID       string // the unique one of IAM: "AROA..."
	Role     bool
	Identity []Policy
	Boundary *Policy
	Tags     map[string]string
	Trust    string // of a role: who may take it on, as a policy; empty: not known
	Person   bool   // a human: a user with a password, a role of Identity Center
}

// Policy is a document as text. Text that [iam.Parse] refuses makes the answer
// unknown, never "denied".
type Policy struct {
	Name string
	Text string
}

// Secret is a key: what Secrets Manager, the keys' file and the vendor say of it.
// A zero time is unknown, or never.
type Secret struct {
	ARN, Name, Owner  string
	Tier              int
	Tags              map[string]string
	Policy            string // of the resource; empty: none
	PolicyUnread      bool   // it could not be read
	KMSKey            string // ARN; empty: aws/secretsmanager
	Schedule          string // as [keysfile.ParseSchedule] reads it; empty: none
	Window            time.Duration
	RotationOn        bool
	CannotRotate      bool   // by the vendor's rules: a person has to
	NoRotation        string // why it is not to be rotated at all: "a honey token"; empty: it is
	Paused            bool   // or frozen
	Stopped           []Span // pauses and freezes that are over
	Created           time.Time
	LastRotated       time.Time
	LastRead          time.Time // Secrets Manager's LastAccessedDate: a day, and of anybody
	Pending           string    // version with AWSPENDING that is not current
	PendingSince      time.Time
	Version           string // with AWSCURRENT
	Records           int    // how many keys of it are recorded; 0: it is not known what is
	Recorded          bool   // the key of Version is among them
	Failed            string // type of the error that its last rotation ended in; empty: it did not
	Current, InLedger string // key ids: of AWSCURRENT, and of the last rotation in the ledger
	AtVendor          *Vendor
}

// Span is a time in which a key was not rotated on purpose.
type Span struct{ From, Until time.Time }

// Vendor is what the vendor says of a secret's keys.
type Vendor struct {
	Keys  []string  // ids
	Lost  []string  // those of Keys that are ours by name, and that no version of the secret knows
	Held  []string  // those of Keys that wait for a person
	Limit int       // how many keys there may be; 0: unknown
	Words string    // the limit in words, where it is no number: "100 keys an account"
	Seen  time.Time // when the vendor's list was read last; zero: unknown
}

// Read is a count of reads of one secret by one principal.
type Read struct {
	Secret, Principal string // ARNs; of a role, not of its session
	Count             int64
	Last              time.Time
}

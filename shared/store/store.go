// Package store is what Keyturn asks of AWS Secrets Manager: the words that its
// users and its adapter share. Each user declares the interface it needs.
package store

import (
	"errors"
	"slices"
	"time"

	"github.com/keyturn/keyturn/shared/secret"
)

// The staging labels with a meaning of their own.
const (
	Current  = "AWSCURRENT"
	Pending  = "AWSPENDING"
	Previous = "AWSPREVIOUS"
)

// Secret is what DescribeSecret says; it holds no value.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DescribeSecret.html
type Secret struct {
	ARN, Name       string
	RotationEnabled bool
	RotationLambda  string              // ARN, "" if none
	Stages          map[string][]string // version ID to labels; unlabeled versions are not in it
	Tags            map[string]string
	OwningService   string // set for secrets that another AWS service manages
	Type            string // of a managed external secret, such as DatadogApiKey; "" for ordinary secrets
	External        bool   // Secrets Manager itself rotates it at its vendor: a managed external secret
	Created         time.Time
	LastChanged     time.Time
	LastRotated     time.Time // zero: never
	NextRotation    time.Time // zero: not scheduled
	Deleted         time.Time // zero: not marked for deletion
	Replicas        []Replica
}

// Replica is the secret's copy in another Region.
type Replica struct{ Region, Status string }

// VersionAt returns the ID of the version with this label, "" if none has it.
func (s Secret) VersionAt(label string) string {
	for id, labels := range s.Stages {
		if slices.Contains(labels, label) {
			return id
		}
	}
	return ""
}

// Has reports whether the version carries the label.
func (s Secret) Has(version, label string) bool { return slices.Contains(s.Stages[version], label) }

// Version is one version with its value.
type Version struct {
	ARN, Name, ID string
	Stages        []string
	Created       time.Time
	Value         secret.Value
	Binary        bool // the value was stored as SecretBinary; Value is then empty
}

// Has reports whether the version carries the label.
func (v Version) Has(label string) bool { return slices.Contains(v.Stages, label) }

// VersionInfo is one version without its value, as ListSecretVersionIds tells,
// unlabeled ones included.
type VersionInfo struct {
	ID      string
	Stages  []string
	Created time.Time
}

// Put is one PutSecretValue.
type Put struct {
	SecretID      string
	Token         string // becomes the version's ID
	Value         secret.Value
	Stages        []string     // never empty: without, an untested value would be current at once
	RotationToken secret.Value // empty unless Secrets Manager gave one
}

// Kind says what a caller may conclude from an error.
type Kind uint8

// The kinds, from the one that promises least.
const (
	KindUnknown   Kind = iota // may have taken effect
	KindThrottled             // refused for now
	KindNotFound              // no such secret, version or value
	KindExists                // the token's version has another value
	KindDenied                // no right to
	KindInvalid               // refused: the request does not fit the secret's state
)

func (k Kind) String() string {
	return [...]string{"outcome unknown", "throttled", "not found", "exists already", "access denied", "refused"}[k]
}

// Error is an error from Secrets Manager without AWS's message, which may
// repeat what it was sent.
type Error struct {
	Op   string // "PutSecretValue"
	Kind Kind
	Code string // AWS's error code, "" if there was no answer
}

func (e *Error) Error() string {
	s := e.Op + ": " + e.Kind.String()
	if e.Code != "" {
		s += " (" + e.Code + ")"
	}
	return s
}

// KindOf returns the Kind of err, however wrapped; a foreign error is unknown.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return KindUnknown
}

// Definite reports whether err says that the request had no effect.
func Definite(err error) bool { return err != nil && KindOf(err) != KindUnknown }

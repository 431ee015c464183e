package ledger

import (
	"context"
	"errors"
	"fmt"
)

// What a store answers.
var (
	ErrExists   = errors.New("object exists")
	ErrNotFound = errors.New("not found")
	ErrConflict = errors.New("head has changed")
)

// MaxObject is more bytes than any object of a ledger has: those of a full batch. Stores
// read no further; what is larger is a *TamperError.
const MaxObject = 2 * MaxBatch * MaxEntry

// TooLarge is what a store answers about an object of more than MaxObject bytes.
func TooLarge(path string) error {
	return &TamperError{Path: path, Index: -1, Why: fmt.Sprintf("has more than %d bytes, which no object of a ledger has", MaxObject)}
}

// Objects keeps what is written once. It must be consistent: what was created is
// seen by every Read that begins afterwards, as in S3
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel).
// It is used by several goroutines at once.
type Objects interface {
	// Create stores data at path, or returns an error that is ErrExists if there
	// is something at path already (If-None-Match: *). After any other error it
	// may have stored data.
	Create(ctx context.Context, path string, data []byte) error
	// Read returns what is at path, or an error that is ErrNotFound.
	Read(ctx context.Context, path string) ([]byte, error)
}

// Head keeps the size and the root of the log, in one place that is changed by
// comparing it.
type Head interface {
	// Load returns the head, or an error that is ErrNotFound. An old head does no
	// harm, for Swap refuses what was built on it.
	Load(ctx context.Context) ([]byte, error)
	// Swap replaces old by next, or returns an error that is ErrConflict if the
	// head is not old. old is nil if there is no head yet. After any other error
	// it may have replaced it.
	Swap(ctx context.Context, old, next []byte) error
}

// Archive is what Verify reads.
type Archive interface {
	// Read returns what is at path, or an error that is ErrNotFound.
	Read(ctx context.Context, path string) ([]byte, error)
	// Walk calls f for each path, in any order, with the number of versions and
	// deletions that are kept of it: more than one if it was written again or
	// deleted. It ends with the first error of f.
	Walk(ctx context.Context, f func(path string, versions int) error) error
}

// Signer makes Ed25519 signatures with the log's key (RFC 8032, not prehashed: in
// KMS ED25519_SHA_512 with MessageType RAW,
// https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html).
type Signer interface {
	// Sign returns the 64 bytes of the signature of message.
	Sign(ctx context.Context, message []byte) ([]byte, error)
}

// TamperError says that a stored object is not what the log wrote.
type TamperError struct {
	Path  string // of the object, or of the one whose content is not as signed
	Index int64  // of the first entry that it concerns; -1 if none
	Why   string
}

// Error names the object and what is wrong with it.
func (e *TamperError) Error() string { return e.Path + ": " + e.Why }

package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Version is that of the entries which Encode writes.
const Version = 1

// Limits of one entry and one batch.
const (
	MaxEntry = 8 << 10 // bytes of an encoded entry; tlog-tiles could hold 65,535
	MaxName  = 512     // bytes of an id, and of a writer
	MaxBatch = 1000    // entries in one Append
)

// Entry is one thing that happened.
type Entry struct {
	Version int             `json:"v"`      // zero is Version, when encoded
	ID      string          `json:"id"`     // unique for its writer: an intent and its outcome have different ones
	Time    time.Time       `json:"time"`   // when it happened, says the writer
	Writer  string          `json:"writer"` // who wrote it, from the queue's SenderId, never from the message
	Act     json.RawMessage `json:"act"`    // what happened: a JSON object, with ids and fingerprints, never a value
}

// Encode returns e as one line of JSON without a line end: the leaf of the tree.
func (e Entry) Encode() ([]byte, error) {
	if e.Version == 0 {
		e.Version = Version
	}
	e.Time = e.Time.UTC()
	if err := e.check(); err != nil {
		return nil, err
	}
	line, err := json.Marshal(e)
	if err != nil {
		return nil, errors.New("act or time is not JSON") // an error of json may quote the act
	}
	if len(line) > MaxEntry {
		return nil, fmt.Errorf("%d bytes, limit %d", len(line), MaxEntry)
	}
	return line, nil
}

// Decode reads an entry of this version or a newer one. Fields that this version
// does not know are ignored.
func Decode(line []byte) (Entry, error) {
	var e Entry
	if err := json.Unmarshal(line, &e); err != nil {
		return Entry{}, errors.New("not an entry in JSON")
	}
	return e, e.check()
}

func (e Entry) check() error {
	switch act := bytes.TrimLeft(e.Act, " \t\r\n"); {
	case e.Version < 1:
		return errors.New("no schema version")
	case e.ID == "" || len(e.ID) > MaxName:
		return fmt.Errorf("id of %d bytes, want 1 to %d", len(e.ID), MaxName)
	case e.Writer == "" || len(e.Writer) > MaxName:
		return fmt.Errorf("writer of %d bytes, want 1 to %d", len(e.Writer), MaxName)
	case e.Time.IsZero():
		return errors.New("no time")
	case len(act) == 0 || act[0] != '{':
		return errors.New("act is not an object")
	}
	return nil
}

// idPath is where the index of an entry is found by its writer and id. The writer
// is part of it, so that nobody can take an id that another writer needs.
func (e Entry) idPath() string {
	sum := sha256.Sum256([]byte(e.Writer + "\x00" + e.ID))
	return "id/" + hex.EncodeToString(sum[:])
}

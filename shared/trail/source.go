package trail

import (
	"encoding/json"
	"fmt"
	"time"
)

// Position is how far a source of records was read. A new one has only Through.
type Position struct {
	Through time.Time       `json:"through"`        // all until then is done
	Rest    json.RawMessage `json:"rest,omitempty"` // what the source goes on with
}

// Step is some records of a source, something that is wrong with it, or neither: it is
// further now.
type Step struct {
	Name    string // of the file
	Data    []byte // for [ReadData]
	Problem string // a sentence
	Next    Position
}

// ReadData is ReadFile for what is decompressed in memory already, which it keeps using.
func ReadData(data []byte) (File, error) {
	var f File
	var err error
	if len(data) > MaxFile {
		data, err = data[:MaxFile], fmt.Errorf("read file: %w", ErrTooLarge)
	}
	s := newSplitter(data, dialect{wrapped: true}, &f)
	s.run()
	return f, err
}

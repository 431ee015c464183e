package trail

import (
	"encoding/json"
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
	Data    []byte // for [ReadFile]
	Problem string // a sentence
	Next    Position
}

package ledger

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// head is what the compare-and-swap is about: a tree, and the one that it grew from.
type head struct {
	Version  int       `json:"v"`
	Size     int64     `json:"size"`
	Root     tlog.Hash `json:"root"`
	PrevSize int64     `json:"prev_size"`
	PrevRoot tlog.Hash `json:"prev_root"`
	Before   int64     `json:"before"` // the size that the previous tree grew from: next/<before> is its head
}

// grown returns the head of a tree that grew from that of h.
func (h head) grown(to tlog.Tree) head {
	return head{Version: 1, Size: to.N, Root: to.Hash, PrevSize: h.Size, PrevRoot: h.Root, Before: h.PrevSize}
}

func (h head) tree() tlog.Tree { return tlog.Tree{N: h.Size, Hash: h.Root} }
func (h head) prev() tlog.Tree { return tlog.Tree{N: h.PrevSize, Hash: h.PrevRoot} }

func (h head) encode() []byte {
	b, _ := json.Marshal(h) //nolint:errchkjson // numbers and hashes
	return b
}

func parseHead(b []byte) (head, error) {
	var h head
	if err := json.Unmarshal(b, &h); err != nil {
		return head{}, fmt.Errorf("parse head: %w", err)
	}
	if h.Version != 1 || h.Size < 0 || h.PrevSize < 0 || h.PrevSize > h.Size || h.PrevSize == h.Size && h.Size != 0 || h.Before < 0 || h.Before > h.PrevSize {
		return head{}, errors.New("parse head: not a head of this version")
	}
	return h, nil
}

// Paths beside those of tlog-tiles.
const (
	checkpointDir = "checkpoint/" // <size>: the signed note, written last
	nextDir       = "next/"       // <size>: the head that followed a tree of this size
	idDir         = "id/"         // <hash of writer and id>: the entry's index
	stagingDir    = "staging/"    // <size>-<root>: a batch's entries before they are in tiles
)

func checkpointPath(size int64) string { return fmt.Sprint(checkpointDir, size) }
func nextPath(size int64) string       { return fmt.Sprint(nextDir, size) }

// stagingPath is settled by its content, for the root of the tree is.
func stagingPath(h head) string {
	return fmt.Sprint(stagingDir, h.PrevSize, "-", hex.EncodeToString(h.Root[:]))
}

// PassingDir is where stores that cannot tell by an object's name put what is Passing.
const PassingDir = "passing/"

// Passing reports whether the object at path may be deleted when it has aged: a
// partial tile, which a wider one replaces. All other objects are to be locked; the
// entries of a partial tile are in a staged batch too, which is: from it the newest
// partial tiles are computed if they are gone.
func Passing(path string) bool {
	return strings.HasPrefix(path, "tile/") && strings.Contains(path, ".p/")
}

package detect

import (
	"math"
	"strconv"
	"strings"
)

// folded begins the value of a mark that stands for all of a bucket: their number
// follows. No value that a caller chooses begins so.
const folded = "\x00"

// tally is a bucket: its first mark, and how many values there were.
type tally struct {
	Mark
	n float64
}

// counts returns how many values there were in each bucket. Where only the limit
// smallest hashes are kept, the largest of them says how dense they are.
//
// Bar-Yossef and others, Counting Distinct Elements in a Data Stream, 2002
func counts(marks []Mark, limit int) []tally {
	var out []tally
	for len(marks) > 0 {
		end, kept, n := 0, 0, 0.0
		for end < len(marks) && marks[end].Minute == marks[0].Minute {
			if number, ok := strings.CutPrefix(marks[end].Value, folded); ok {
				f, _ := strconv.ParseFloat(number, 64) // ours
				n += f
			} else {
				kept++
			}
			end++
		}
		if kept < limit {
			n += float64(kept)
		} else {
			n += math.Round(float64(limit-1) / (float64(largest(marks[:end])) / math.MaxUint64))
		}
		out = append(out, tally{marks[0], n})
		marks = marks[end:]
	}
	return out
}

// largest returns the largest hash of the values.
func largest(marks []Mark) (out uint64) {
	for _, m := range marks {
		if !strings.HasPrefix(m.Value, folded) {
			out = max(out, hash(m.Value))
		}
	}
	return out
}

// fold puts one mark in the place of each settled bucket.
func fold(p *Pattern, marks []Mark, settled uint32) []Mark {
	old := History{Settled: settled, Marks: marks}.Old()
	out := make([]Mark, 0, len(marks))
	for _, b := range counts(old, p.Cap) {
		out = append(out, Mark{Minute: b.Minute, Value: folded + strconv.FormatFloat(b.n, 'f', 0, 64)})
	}
	return append(out, marks[len(old):]...)
}

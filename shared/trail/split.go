package trail

import (
	"bytes"
	"errors"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// usual is the size of a record in bytes, as a guess of how many there are.
const usual = 2000

// splitter finds the records in a file. It steps into arrays and into
// {"Records":[ instead of reading them whole, so that one broken record does
// not cost the others, and each record is decoded once.
type splitter struct {
	data    []byte
	at      int
	open    int // brackets stepped into
	line    int // before counted
	counted int // bytes, whose lines are counted
	budget  int // bytes that may be read in vain: keeps hostile input linear
	dialect dialect
	file    *File
	decoder *jsontext.Decoder
}

func newSplitter(data []byte, d dialect, f *File) *splitter {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	f.Events = make([]Event, 0, len(data)/usual)
	return &splitter{
		data: data, dialect: d, file: f, budget: 16*len(data) + MaxRecord,
		decoder: jsontext.NewDecoder(bytes.NewBuffer(nil), options),
	}
}

func (s *splitter) run() {
	for s.skip() {
		switch {
		case s.data[s.at] == '[':
			s.open++
			s.at++
		case s.member():
		case !s.enterRecords():
			s.value()
		}
	}
}

// skip passes over what stands between values. False means the end.
func (s *splitter) skip() bool {
	for ; s.at < len(s.data); s.at++ {
		switch s.data[s.at] {
		case ' ', '\t', '\r', '\n', ',':
		case ']', '}':
			if s.open == 0 {
				return true
			}
			s.open--
		default:
			return true
		}
	}
	return false
}

func (s *splitter) enterRecords() bool {
	rest := s.data[s.at:]
	for _, tokens := range [...][]string{{"{"}, {`"Records"`, `"Events"`}, {":"}, {"["}} {
		rest = bytes.TrimLeft(rest, " \t\r\n")
		i := slices.IndexFunc(tokens, func(t string) bool { return bytes.HasPrefix(rest, []byte(t)) })
		if i < 0 {
			return false
		}
		rest = rest[len(tokens[i]):]
	}
	s.at = len(s.data) - len(rest)
	s.open += 2
	return true
}

// member passes over a member of an object that was stepped into, such as NextToken
// after the records.
func (s *splitter) member() bool {
	if s.open == 0 || s.data[s.at] != '"' || s.budget <= 0 {
		return false
	}
	rest := s.data[s.at:]
	s.decoder.Reset(bytes.NewBuffer(rest), options)
	if _, err := s.decoder.ReadValue(); err != nil {
		return false
	}
	after := bytes.TrimLeft(rest[s.decoder.InputOffset():], " \t\r\n")
	if !bytes.HasPrefix(after, []byte(":")) {
		return false
	}
	after = after[1:]
	s.decoder.Reset(bytes.NewBuffer(after), options)
	if _, err := s.decoder.ReadValue(); err != nil {
		s.budget -= vain(err, len(after))
		return false
	}
	s.at += len(rest) - len(after) + int(s.decoder.InputOffset())
	return true
}

// value reads the value at the current offset.
func (s *splitter) value() {
	start, rest := s.at, s.data[s.at:]
	s.decoder.Reset(bytes.NewBuffer(rest), options)
	var w wire
	if err := json.UnmarshalDecode(s.decoder, &w); err == nil {
		raw := rest[:s.decoder.InputOffset()]
		s.at += len(raw)
		s.record(&w, start, raw)
		return
	}
	s.decoder.Reset(bytes.NewBuffer(rest), options)
	_, err := s.decoder.ReadValue()
	if err == nil {
		raw := rest[:s.decoder.InputOffset()]
		s.at += len(raw)
		s.refuse(start, raw, errors.New("read record: a field has another type"))
		return
	}
	s.resync(start, err)
}

func (s *splitter) record(w *wire, start int, raw []byte) {
	if w.Records != nil || w.Events != nil {
		for _, r := range slices.Concat(w.Records, w.Events) {
			e, err := parse(r, s.dialect)
			s.add(e, err, start, r)
		}
		return
	}
	if len(raw) > MaxRecord {
		s.add(Event{}, ErrTooLarge, start, raw)
		return
	}
	e, err := w.event(raw, s.dialect)
	s.add(e, err, start, raw)
}

func (s *splitter) add(e Event, err error, start int, raw []byte) {
	if err != nil {
		s.refuse(start, raw, err)
		return
	}
	s.file.Events = append(s.file.Events, e)
}

func (s *splitter) refuse(offset int, raw []byte, err error) {
	f := s.file
	if f.Refused++; len(f.Unreadable) < maxKept {
		s.line += bytes.Count(s.data[s.counted:max(s.counted, offset)], []byte("\n"))
		s.counted = max(s.counted, offset)
		f.Unreadable = append(f.Unreadable, Unreadable{Offset: offset, Line: 1 + s.line, Size: len(raw), Raw: raw[:min(len(raw), MaxRecord)], Err: err})
	}
}

// resync goes on after broken JSON. The bytes up to there are one unreadable record.
func (s *splitter) resync(start int, cause error) {
	s.budget -= vain(cause, len(s.data)-start)
	s.at = len(s.data)
	if s.budget > 0 {
		s.at = start + 1 + next(s.data[start+1:])
	}
	s.open = max(s.open, 2) // Brackets of the broken record may be left over.
	s.refuse(start, s.data[start:s.at], errors.New("read record: broken JSON"))
}

// vain returns how many of the bytes that there were had been read before err.
func vain(err error, there int) int {
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return min(there, int(e.ByteOffset)+1)
	}
	return there
}

// next finds a brace that begins a line, or the usual begin of a record. It
// reads no further than that.
func next(data []byte) int {
	for i := 0; i < len(data); i++ {
		n := bytes.IndexByte(data[i:], '{')
		if n < 0 {
			break
		}
		before := bytes.TrimRight(data[i:i+n], " \t")
		i += n
		if bytes.HasSuffix(before, []byte("\n")) || bytes.HasPrefix(data[i:], []byte(`{"eventVersion"`)) {
			return i
		}
	}
	return len(data)
}

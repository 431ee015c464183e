package trail

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxFile is how many bytes of a file are read, after decompression.
const MaxFile = 128 << 20

// maxKept bounds File.Unreadable.
const maxKept = 10000

// File is what one file held.
type File struct {
	Events []Event
	// Refused counts the records that could not be read.
	Refused int
	// Unreadable holds the first 10,000 of them.
	Unreadable []Unreadable
}

// Unreadable is a record that Parse refuses, or bytes that are no JSON.
type Unreadable struct {
	// Offset is where it begins in the decompressed file, Line in which line, from 1, and
	// Size its length in bytes.
	Offset, Line, Size int
	// Raw is unchanged, but cut at MaxRecord. It may hold anything: do not log it.
	Raw json.RawMessage
	// Err says why. It does not quote Raw.
	Err error
}

// ReadFile reads {"Records":[...]}, arrays, single records, EventBridge envelopes, or
// any of them one after another (JSON lines), plain or gzip, in UTF-8, or in UTF-16 with
// its mark, as PowerShell writes, what "aws cloudtrail lookup-events" prints, and objects
// that hold a record as "event". After broken JSON it goes on at the next line or
// record that begins with a brace. The error is the reader's or gzip's, or
// ErrTooLarge after MaxFile bytes; what was read before it is returned too.
// Events and Unreadable share the memory of the file.
func ReadFile(r io.Reader) (File, error) { return readFile(r, dialect{wrapped: true}, MaxFile) }

// ReadFixtures is ReadFile for the records that rule authors write as tests.
// They may have other formats of time, and no id, version or time: the id is
// then made of the content, and the time is base.
func ReadFixtures(r io.Reader, base time.Time) (File, error) {
	return readFile(r, dialect{wrapped: true, fixture: true, base: base}, MaxFile)
}

func readFile(r io.Reader, d dialect, limit int64) (File, error) {
	var f File
	buffered := bufio.NewReader(r)
	r = buffered
	if magic, _ := buffered.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(buffered)
		if err != nil {
			return f, fmt.Errorf("open gzip: %w", err)
		}
		r = z
	}
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if int64(len(data)) > limit {
		data, err = data[:limit], ErrTooLarge
	}
	s := newSplitter(fromUTF16(data), d, &f)
	s.run()
	if err != nil {
		return f, fmt.Errorf("read file: %w", err)
	}
	return f, nil
}

// fromUTF16 returns data in UTF-8, if it begins with the mark of UTF-16.
func fromUTF16(data []byte) []byte {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}):
		order = binary.LittleEndian
	case bytes.HasPrefix(data, []byte{0xfe, 0xff}):
		order = binary.BigEndian
	default:
		return data
	}
	out := make([]byte, 0, len(data)/2)
	for data = data[2:]; len(data) >= 2; data = data[2:] {
		r := rune(order.Uint16(data))
		if len(data) >= 4 && utf16.IsSurrogate(r) {
			if both := utf16.DecodeRune(r, rune(order.Uint16(data[2:]))); both != utf8.RuneError {
				r, data = both, data[2:]
			}
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}

package trail

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"time"
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
	// Offset is where it begins in the decompressed file, Size its length in bytes.
	Offset, Size int
	// Raw is unchanged, but cut at MaxRecord. It may hold anything: do not log it.
	Raw json.RawMessage
	// Err says why. It does not quote Raw.
	Err error
}

// ReadFile reads {"Records":[...]}, arrays, single records, EventBridge envelopes, or
// any of them one after another (JSON lines), plain or gzip, and objects that
// hold a record as "event". After broken JSON it goes on at the next line or
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
	s := newSplitter(data, d, &f)
	s.run()
	if err != nil {
		return f, fmt.Errorf("read file: %w", err)
	}
	return f, nil
}

func (f *File) refuse(offset int, raw []byte, err error) {
	f.Refused++
	if len(f.Unreadable) < maxKept {
		f.Unreadable = append(f.Unreadable, Unreadable{Offset: offset, Size: len(raw), Raw: raw[:min(len(raw), MaxRecord)], Err: err})
	}
}

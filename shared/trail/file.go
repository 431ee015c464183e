package trail

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
)

// File is what one file held.
type File struct {
	Events []Event
	// Unreadable holds, unchanged, every record that Parse refuses.
	Unreadable []json.RawMessage
}

// ReadFile reads {"Records":[...]}, arrays, single records, EventBridge envelopes, or
// any of them one after another (JSON lines), plain or gzip. Where the JSON
// itself breaks off, the rest counts as one unreadable record. The error is
// the reader's or gzip's; what was read before it is returned too. The whole
// file is held in memory: the caller bounds r.
func ReadFile(r io.Reader) (File, error) {
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
	data, err := io.ReadAll(r)
	f.read(data)
	if err != nil {
		return f, fmt.Errorf("read file: %w", err)
	}
	return f, nil
}

func (f *File) read(data []byte) {
	d := json.NewDecoder(bytes.NewReader(data))
	for {
		start := d.InputOffset()
		var raw json.RawMessage
		err := d.Decode(&raw)
		if err == io.EOF {
			return
		}
		if err != nil {
			f.Unreadable = append(f.Unreadable, data[start:])
			return
		}
		var file struct{ Records []json.RawMessage }
		if raw[0] == '[' {
			_ = json.Unmarshal(raw, &file.Records) // Decode has checked it.
		} else if json.Unmarshal(raw, &file) != nil || file.Records == nil {
			file.Records = []json.RawMessage{raw}
		}
		for _, record := range file.Records {
			if e, err := Parse(record); err == nil {
				f.Events = append(f.Events, e)
			} else {
				f.Unreadable = append(f.Unreadable, record)
			}
		}
	}
}

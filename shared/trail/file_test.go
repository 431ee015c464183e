package trail

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

func zipped(t testing.TB, s string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func quoted(s string) string { return strconv.Quote(s) }

// wide returns s in UTF-16 with its mark.
func wide(order binary.ByteOrder, s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune("\ufeff" + strings.Replace(s, `"new":1`, `"new":"🔑"`, 1))) {
		b = append(b, 0, 0)
		order.PutUint16(b[len(b)-2:], u)
	}
	return string(b)
}

func TestReadFile(t *testing.T) {
	t.Parallel()
	one := fmt.Sprintf(record, "10.0.0.1")
	envelope := `{"detail-type":"AWS API Call via CloudTrail","source":"aws.secretsmanager","detail":` + one + `}`
	for name, c := range map[string]struct {
		in           string
		events, bad  int
		offsetOfLast int
	}{
		"records with bad ones":     {`{"Records":[` + one + `,{"eventVersion":"9.0"},7]}`, 1, 2, 12 + len(one) + 23 + 1},
		"records not first":         {`{"x":1,"Records":[` + one + `,7]}`, 1, 1, 0},
		"lines":                     {one + "\n" + one + "\n", 2, 0, 0},
		"lines with a mark":         {"\xef\xbb\xbf" + one + "\r\n" + one, 2, 0, 0},
		"truncated":                 {one + "\n" + one[:50], 1, 1, len(one) + 1},
		"a broken line between":     {one + "\n" + one[:50] + "\n" + one, 2, 1, len(one) + 1},
		"broken after a value":      {one[:len(one)-1] + "\n" + one, 1, 1, 0},
		"text between":              {one + "\nERROR: x\n" + one, 2, 1, len(one) + 1},
		"broken in records":         {`{"Records":[{"eventVersion":"1.0",,"a":{}},` + one + `]}`, 1, 1, 12},
		"broken in an indented one": {"[\n  {\n \"a\": [1,\n  },\n  " + one + "\n]\n", 1, 1, 4},
		"gzip":                      {string(zipped(t, `{"Records":[`+one+`,`+one+`]}`)), 2, 0, 0},
		"empty records":             {`{"Records":[]}`, 0, 0, 0},
		"array":                     {"[" + one + ",null]", 1, 1, len(one) + 2},
		"envelopes":                 {envelope + "\n[" + envelope + "]", 2, 0, 0},
		"wrapped":                   {`{"rule":"r","expected":true,"event":` + one + `}`, 1, 0, 0},
		"another type":              {`{"eventName":7}` + one, 1, 1, 0},
		"looked up":                 {"{\n \"Events\": [ {\"EventId\":\"e1\",\"EventTime\":1.5,\"CloudTrailEvent\":" + quoted(one) + "} ], \"NextToken\": \"x\\u003d\" }", 1, 0, 0},
		"looked up, token first":    {`{"NextToken":"x","Events":[{"CloudTrailEvent":` + quoted(one) + `},{"CloudTrailEvent":"x"}]}`, 1, 1, 0},
		"members after records":     {`{"Records":[` + one + `],"x":{"y":[1]},"z":2}` + one, 2, 0, 0},
		"UTF-16":                    {wide(binary.LittleEndian, `{"Records":[`+one+`]}`), 1, 0, 0},
		"UTF-16, the other way":     {wide(binary.BigEndian, one+"\n"+one) + "\x00", 2, 0, 0},
		"a time of no clock":        {strings.Replace(one, "2026-", "9999-", 1) + strings.Replace(one, "2026-", "1970-", 1), 0, 2, len(one)},
		"closing brackets only":     {"]]]", 0, 1, 0},
		"empty":                     {"", 0, 0, 0},
	} {
		f, err := ReadFile(strings.NewReader(c.in))
		if err != nil || len(f.Events) != c.events || f.Refused != c.bad || len(f.Unreadable) != c.bad {
			t.Errorf("%s: %d events, %d unreadable %v, %v", name, len(f.Events), f.Refused, f.Unreadable, err)
			continue
		}
		if c.bad > 0 && f.Unreadable[c.bad-1].Offset != c.offsetOfLast {
			t.Errorf("%s: the last unreadable is at %d, want %d", name, f.Unreadable[c.bad-1].Offset, c.offsetOfLast)
		}
	}
	if f, err := ReadFile(strings.NewReader("{\"Records\":[\n" + one + ",\n7,\n\n8]}")); err != nil || len(f.Unreadable) != 2 || f.Unreadable[0].Line != 3 || f.Unreadable[1].Line != 5 {
		t.Errorf("lines of the unreadable: %+v, %v", f.Unreadable, err)
	}
	z := zipped(t, one)
	if f, err := ReadFile(bytes.NewReader(z[:len(z)-6])); err == nil {
		t.Errorf("a truncated gzip gave no error, %d events", len(f.Events))
	}
}

func TestReadFileLimits(t *testing.T) {
	t.Parallel()
	one := fmt.Sprintf(record, "10.0.0.1")
	bomb := zipped(t, one+"\n"+strings.Repeat(" ", 3<<20))
	f, err := readFile(bytes.NewReader(bomb), dialect{}, 1<<20)
	if !errors.Is(err, ErrTooLarge) || len(f.Events) != 1 {
		t.Errorf("bomb: %d events, %v", len(f.Events), err)
	}
	large := func(n int) string {
		return strings.Replace(one, `"new":1`, `"requestParameters":{"x":"`+strings.Repeat("x", n)+`"}`, 1)
	}
	f, err = ReadFile(strings.NewReader(large(256<<10) + "\n" + large(MaxRecord) + "\n" + one))
	if err != nil || len(f.Events) != 2 || f.Refused != 1 || len(f.Unreadable[0].Raw) != MaxRecord {
		t.Errorf("large records: %d events, %d refused, %v", len(f.Events), f.Refused, err)
	}
	if _, err := Parse([]byte(large(MaxRecord))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a large record: %v", err)
	}
	f, err = ReadFile(strings.NewReader("[" + strings.Repeat("1,", maxKept+5)))
	if err != nil || f.Refused != maxKept+5 || len(f.Unreadable) != maxKept {
		t.Errorf("many numbers: %d refused, %d kept, %v", f.Refused, len(f.Unreadable), err)
	}
}

// TestReadFileHostile is about time: each of these would take minutes if
// every broken value were searched to the end of the file.
func TestReadFileHostile(t *testing.T) {
	t.Parallel()
	size := 1 << 20
	if testing.Short() {
		size = 1 << 16
	}
	for _, unit := range []string{"{\"a\":\n", "[", "{\"a\n", "{", "x{\"eventVersion\"", "\n \t ", "\n{},\"b\":{\"c\":"} {
		begin := time.Now()
		f, err := ReadFile(strings.NewReader(strings.Repeat(unit, size/len(unit))))
		if err != nil || len(f.Events) != 0 {
			t.Errorf("%q: %d events, %v", unit, len(f.Events), err)
		}
		if d := time.Since(begin); d > time.Minute {
			t.Errorf("%q: %v for %d bytes", unit, d, size)
		}
	}
}

func TestReadFixtures(t *testing.T) {
	t.Parallel()
	base := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	in := `{"event":{"eventName":"BatchGetSecretValue"}} {"event":{"eventID":"e","eventTime":"2024-10-17 21:48:45.000000000"}} {"event":{"eventTime":"soon"}}`
	f, err := ReadFixtures(strings.NewReader(in), base)
	if err != nil || len(f.Events) != 2 || f.Refused != 1 {
		t.Fatalf("%d events, %d refused, %v", len(f.Events), f.Refused, err)
	}
	if a := f.Events[0]; !strings.HasPrefix(a.ID, "fixture-") || !a.Time.Equal(base) || a.Name != "BatchGetSecretValue" {
		t.Errorf("got %s at %v", a.ID, a.Time)
	}
	if b := f.Events[1]; b.ID != "e" || b.Time.Format(time.RFC3339) != "2024-10-17T21:48:45Z" {
		t.Errorf("got %s at %v", b.ID, b.Time)
	}
	if f, _ := ReadFile(strings.NewReader(in)); len(f.Events) != 0 {
		t.Errorf("ReadFile took %d fixtures", len(f.Events))
	}
}

func FuzzReadFile(f *testing.F) {
	one := fmt.Sprintf(record, "10.0.0.1")
	f.Add([]byte(`{"Records":[` + one + `,{"eventVersion":"1.0",,` + one + `]}`))
	f.Add([]byte(one + "\n" + one[:50] + "\n[" + one))
	f.Add(zipped(f, one))
	f.Add([]byte(wide(binary.LittleEndian, one)))
	f.Add([]byte(`{"Events":[{"CloudTrailEvent":` + quoted(one) + `}],"NextToken":"x"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, _ := readFile(bytes.NewReader(data), dialect{wrapped: true, fixture: true}, MaxRecord)
		if len(file.Unreadable) > file.Refused {
			t.Errorf("kept %d of %d", len(file.Unreadable), file.Refused)
		}
		for _, e := range file.Events {
			use(t, e)
		}
	})
}

// use calls what a detection calls.
func use(t testing.TB, e Event) {
	t.Helper()
	if e.ID == "" || e.Identity.Principal() == "" {
		t.Errorf("an event without id or principal: %q", e.Raw)
	}
	for _, r := range e.Secrets() {
		r.Is("arn:aws:secretsmanager:us-east-1:1:secret:a-abcdef")
	}
	e.AddressClass()
	e.MFA()
	e.Outcome()
	e.Refusal()
	e.ResourceList()
	e.Label()
	e.Identity.SessionName()
}

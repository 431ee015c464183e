package trail

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"testing"
)

func TestReadFile(t *testing.T) {
	t.Parallel()
	one := fmt.Sprintf(record, "10.0.0.1")
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	fmt.Fprintf(z, `{"Records":[%s,%s]}`, one, one)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		in          string
		events, bad int
	}{
		{`{"Records":[` + one + `,{"eventVersion":"9.0"},7]}`, 1, 2},
		{one + "\n" + one + "\n", 2, 0},
		{one + "\n" + one[:50], 1, 1},
		{zipped.String(), 2, 0},
		{`{"Records":[]}`, 0, 0},
		{"[" + one + ",null]", 1, 1},
		{"", 0, 0},
	} {
		f, err := ReadFile(bytes.NewReader([]byte(c.in)))
		if err != nil || len(f.Events) != c.events || len(f.Unreadable) != c.bad {
			t.Errorf("%.40q: %d events, %d unreadable, %v", c.in, len(f.Events), len(f.Unreadable), err)
		}
	}
	if f, err := ReadFile(bytes.NewReader(zipped.Bytes()[:zipped.Len()-6])); err == nil {
		t.Errorf("a truncated gzip gave no error, %d events", len(f.Events))
	}
}

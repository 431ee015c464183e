package providertest

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	// marker is in every body and header that a fault makes up; an error that
	// shows it shows what the vendor sent.
	marker    = "zqmarkerqz"
	elsewhere = "/" + marker + "/elsewhere"
	html      = "<!doctype html><html><body>" + marker + "</body></html>"
	// fields that the errors of many vendors have
	said = `{"message":"` + marker + `","errors":[{"message":"` + marker + `"}],"error":"` + marker + `","errorCode":"` + marker + `"}`
)

// A Fault is one way in which a request can go wrong.
type Fault struct {
	Name    string
	Applied bool // the server carries the request out; res is its answer
	Benign  bool // met once, it can be overcome: the life must succeed
	Vendor  bool // the answer looks like the vendor's own
	Reply   func(r *http.Request, res *http.Response) (*http.Response, error)
}

type reply = func(*http.Request, *http.Response) (*http.Response, error)

// Faults returns every fault of the suite.
func Faults() []Fault { return faults() }

func faults() []Fault {
	out := []Fault{
		{Name: "connection refused", Benign: true, Reply: fails(&net.OpError{Op: "dial", Err: errors.New("connection refused by " + marker)})},
		{Name: "request lost", Reply: fails(io.ErrUnexpectedEOF)},
		{Name: "reply lost", Applied: true, Reply: fails(io.ErrUnexpectedEOF)},
		{Name: "hang", Applied: true, Reply: hang},
		{Name: "slow body", Applied: true, Benign: true, Reply: body(func(r *http.Request, b []byte) io.Reader { return &slow{r: r, b: b, wait: 5 * time.Second} })},
		{Name: "body that never ends", Applied: true, Reply: body(func(r *http.Request, b []byte) io.Reader { return &slow{r: r, b: b, wait: time.Hour} })},
		{Name: "cut body", Applied: true, Reply: body(func(_ *http.Request, b []byte) io.Reader { return bytes.NewReader(b[:len(b)/2]) })},
		{Name: "broken body", Applied: true, Reply: body(func(_ *http.Request, b []byte) io.Reader {
			return io.MultiReader(bytes.NewReader(b[:len(b)/2]), broken{})
		})},
		{Name: "junk after the body", Applied: true, Reply: body(func(_ *http.Request, b []byte) io.Reader {
			return io.MultiReader(bytes.NewReader(b), strings.NewReader("}<!-- "+marker+" -->"))
		})},
		{Name: "huge body", Applied: true, Reply: body(func(_ *http.Request, b []byte) io.Reader {
			return io.MultiReader(bytes.NewReader(b), strings.NewReader(strings.Repeat(" ", 2<<20)))
		})},
		{Name: "every member twice", Applied: true, Reply: body(func(_ *http.Request, b []byte) io.Reader { return bytes.NewReader(edit(b, twice)) })},
		{Name: "more members than documented", Applied: true, Benign: true, Reply: body(func(_ *http.Request, b []byte) io.Reader { return bytes.NewReader(edit(b, more)) })},
		{Name: "wrong content type", Applied: true, Benign: true, Reply: func(_ *http.Request, res *http.Response) (*http.Response, error) {
			res.Header.Set("Content-Type", "text/plain")
			return res, nil
		}},
		{Name: "429 for 3 s", Benign: true, Reply: canned(429, said, "Retry-After", "3")},
		{Name: "429 for a day", Reply: canned(429, said, "Retry-After", "86400")},
		{Name: "429 until a date", Benign: true, Reply: func(r *http.Request, _ *http.Response) (*http.Response, error) {
			return canned(429, said, "Retry-After", time.Now().UTC().Add(2*time.Second).Format(http.TimeFormat))(r, nil)
		}},
		{Name: "429 for a negative time", Benign: true, Reply: canned(429, said, "Retry-After", "-7")},
		{Name: "429 for ages", Reply: canned(429, said, "Retry-After", "99999999999999999")},
		{Name: "429 for garbage", Benign: true, Reply: canned(429, html, "Retry-After", marker)},
		{Name: "500 not applied", Reply: canned(500, said)},
		{Name: "500 applied", Applied: true, Reply: canned(500, said)},
		{Name: "503 with a page", Reply: canned(503, html, "Retry-After", "1")},
		{Name: "401 of the vendor", Vendor: true, Reply: canned(401, said)},
		{Name: "403 of the vendor", Vendor: true, Reply: canned(403, said)},
		{Name: "404 of the vendor", Vendor: true, Reply: canned(404, said)},
		{Name: "401 echoing the request", Vendor: true, Reply: echo(401)},
		{Name: "400 echoing the request", Reply: echo(400)},
		{Name: "500 echoing the request", Reply: echo(500)},
		{Name: "packed", Applied: true, Reply: packed},
		{Name: "204 not applied", Vendor: true, Reply: canned(204, "")},
	}
	for _, status := range []string{"401", "403", "404", "410"} {
		out = append(out, Fault{Name: status + " of a proxy", Reply: canned(number(status), html)})
	}
	for name, text := range map[string]string{"{}": "{}", "an error": said, "null": "null", "[]": "[]", "a page": html, "nothing": "", "a string": `"` + marker + `"`} {
		out = append(out, Fault{Name: "200 with " + name + ", applied", Applied: true, Reply: canned(200, text)},
			Fault{Name: "200 with " + name + ", not applied", Reply: canned(200, text)})
	}
	for _, status := range []string{"301", "302", "303", "307", "308"} {
		out = append(
			out,
			Fault{Name: status + " to another host", Reply: canned(number(status), html, "Location", "https://evil.test"+elsewhere+"?q="+marker)},
			Fault{Name: status + " to another path", Reply: canned(number(status), html, "Location", elsewhere)},
		)
	}
	return out
}

// packed is an answer in gzip that nobody asked for and nobody undoes.
func packed(_ *http.Request, res *http.Response) (*http.Response, error) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.Copy(w, res.Body)
	res.Header.Set("Content-Encoding", "gzip")
	res.Body = io.NopCloser(&b)
	return res, errors.Join(err, w.Close())
}

func number(status string) int {
	n := 0
	for _, d := range status {
		n = 10*n + int(d-'0')
	}
	return n
}

func fails(err error) reply {
	return func(*http.Request, *http.Response) (*http.Response, error) { return nil, err }
}

func hang(r *http.Request, _ *http.Response) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func canned(status int, text string, header ...string) reply {
	return func(r *http.Request, _ *http.Response) (*http.Response, error) {
		h := http.Header{"X-Marker": {marker}, "Content-Type": {"application/json"}}
		if strings.HasPrefix(text, "<") {
			h.Set("Content-Type", "text/html")
		}
		for i := 0; i+1 < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
	}
}

// echo answers with the credential it was shown, as debug pages do.
func echo(status int) reply {
	return func(r *http.Request, _ *http.Response) (*http.Response, error) {
		b, _ := json.Marshal(map[string]any{"message": r.Header, "errors": []any{r.Header}}) // strings only
		return canned(status, string(b))(r, nil)
	}
}

// body replaces what the server sent.
func body(edit func(*http.Request, []byte) io.Reader) reply {
	return func(r *http.Request, res *http.Response) (*http.Response, error) {
		b, err := io.ReadAll(res.Body)
		if err != nil {
			return nil, err
		}
		if len(b) > 0 {
			res.Body = io.NopCloser(edit(r, b))
		}
		return res, nil
	}
}

// edit applies f to the members of the outermost objects of b.
func edit(b []byte, f func(name string, v json.RawMessage, out *bytes.Buffer)) []byte {
	var list []json.RawMessage
	if json.Unmarshal(b, &list) == nil && len(list) > 0 {
		var parts [][]byte
		for _, e := range list {
			parts = append(parts, edit(e, f))
		}
		return array(parts)
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(b, &fields) != nil || len(fields) == 0 {
		return b
	}
	var out bytes.Buffer
	for name, v := range fields {
		f(name, v, &out)
	}
	return []byte("{" + strings.TrimSuffix(out.String(), ",") + "}")
}

func array(parts [][]byte) []byte {
	return append(append([]byte("["), bytes.Join(parts, []byte(","))...), ']')
}

func twice(name string, v json.RawMessage, out *bytes.Buffer) {
	out.WriteString(`"` + name + `":` + string(v) + `,"` + name + `":"` + marker + `",`)
}

func more(name string, v json.RawMessage, out *bytes.Buffer) {
	out.WriteString(`"` + name + `":` + string(v) + `,"x_` + name + `":{"` + marker + `":[1,null]},`)
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// slow gives its bytes after a while, or the request's error if that comes
// first.
type slow struct {
	r    *http.Request
	b    []byte
	wait time.Duration
}

func (s *slow) Read(p []byte) (int, error) {
	if s.wait > 0 {
		t := time.NewTimer(s.wait)
		defer t.Stop()
		select {
		case <-t.C:
			s.wait = 0
		case <-s.r.Context().Done():
			return 0, s.r.Context().Err()
		}
	}
	if len(s.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.b)
	s.b = s.b[n:]
	return n, nil
}

package payload

import (
	"bytes"
	"encoding/json"
	"slices"
	"unicode/utf8"

	"github.com/keyturn/keyturn/shared/secret"
)

// member is one name and value of a JSON object, with the bytes they came in:
// what we do not understand must go out as it came.
type member struct {
	name         string
	rawName, raw json.RawMessage
}

func (m member) isObject() bool { return len(m.raw) > 0 && m.raw[0] == '{' }

func find(ms []member, name string) int {
	return slices.IndexFunc(ms, func(m member) bool { return m.name == name })
}

func parse(v secret.Value) ([]member, error) {
	data := []byte(v.Reveal())
	if !utf8.Valid(data) || !json.Valid(data) {
		return nil, problem("", "the value is not JSON", `store a JSON object, or set value.plain in the configuration if the whole value is the key`)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, problem("", "the value is JSON, but not an object", `store {"name": "key", ...}, or set value.plain in the configuration if the whole value is the key`)
	}
	var ms []member
	for dec.More() {
		from := dec.InputOffset()
		t, err := dec.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, problem("", "the value is not JSON", "store a JSON object")
		}
		m := member{name: name, rawName: bytes.TrimLeft(data[from:dec.InputOffset()], ", \t\r\n")}
		if err := dec.Decode(&m.raw); err != nil {
			return nil, problem("", "the value is not JSON", "store a JSON object")
		}
		ms = append(ms, m)
	}
	return ms, nil
}

func render(ms []member) string {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range ms {
		if i > 0 {
			b.WriteByte(',')
		}
		if m.rawName == nil {
			m.rawName = text(m.name)
		}
		b.Write(m.rawName)
		b.WriteByte(':')
		b.Write(m.raw)
	}
	b.WriteByte('}')
	return b.String()
}

// text encodes a string without the escapes that only HTML needs.
func text(s string) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return json.RawMessage(`""`) // cannot be: every string can be encoded
	}
	return bytes.TrimSpace(b.Bytes())
}

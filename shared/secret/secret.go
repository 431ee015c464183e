// Package secret holds credential values in a type that cannot be printed,
// logged or encoded by accident.
package secret

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"log/slog"
)

const mask = "[secret]"

// Value is a credential. The zero Value is empty. It is immutable and safe for
// concurrent use.
//
// The text sits behind a pointer on purpose: fmt calls no methods on
// unexported fields, so it would print a plain string held in one.
type Value struct{ text *string }

// New wraps text.
func New(text string) Value { return Value{&text} }

// Reveal returns the text. Grep for it to see every use.
func (v Value) Reveal() string {
	if v.text == nil {
		return ""
	}
	return *v.text
}

// Empty reports whether there is no text.
func (v Value) Empty() bool { return v.text == nil || *v.text == "" }

// Equal reports whether v and w hold the same text, in constant time for texts
// of one length.
func (v Value) Equal(w Value) bool {
	return subtle.ConstantTimeCompare([]byte(v.Reveal()), []byte(w.Reveal())) == 1
}

// Fingerprint returns 16 hex digits that name the value to whoever holds key,
// and say nothing about it to anybody else. It is "" for an empty Value.
func (v Value) Fingerprint(key Value) string {
	if v.Empty() {
		return ""
	}
	m := hmac.New(sha256.New, []byte(key.Reveal()))
	m.Write([]byte(v.Reveal()))
	return hex.EncodeToString(m.Sum(nil)[:8])
}

// String returns a mask.
func (v Value) String() string { return mask }

// GoString returns a mask.
func (v Value) GoString() string { return mask }

// LogValue returns a mask.
func (v Value) LogValue() slog.Value { return slog.StringValue(mask) }

// MarshalText returns a mask.
func (v Value) MarshalText() ([]byte, error) { return []byte(mask), nil }

// UnmarshalText lets a response decode straight into a Value.
func (v *Value) UnmarshalText(b []byte) error { *v = New(string(b)); return nil }

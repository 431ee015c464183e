// Package upgrade holds what older versions of Keyturn have stored and sent, and
// what must be understood of it for as long as there is an upgrade from them.
//
// testdata/v0 was written once, with -update, and is never written again: what
// changes a file there breaks somebody's installation.
package upgrade

import (
	"time"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/payload"
)

// Value is a secret's value, and what it means. The keys in it are no real ones.
type Value struct {
	Name  string
	Shape config.Value
	Text  string // the SecretString
	Key   string
	Meta  *payload.Meta // nil: the value says nothing
}

const (
	secret  = "prod/mailer/sendgrid"
	account = "sendgrid-main"
	// The rotation that is caught half-way.
	oldToken = "0d4f2b9e-7a53-4c1e-8f10-6b7c5d2e9a01"
	newToken = "5f0c8a52-1d0b-4c5e-9a57-3b1f6f6f2c11"
)

func at(hour int) time.Time { return time.Date(2026, 11, 24, hour, 0, 0, 0, time.UTC) }

func meta() *payload.Meta {
	return &payload.Meta{Provider: "sendgrid", KeyID: "id-1", KeyName: "keyturn-0123456789-0123456789abcdef-0lfls2o00001", CreatedAt: at(9)}
}

// before are values that a secret may have had before us, of every shape.
func before() []Value {
	return []Value{
		{Name: "usual", Shape: config.Value{Field: "apiKey"}, Meta: meta()},
		{Name: "beside", Shape: config.Value{Field: "token"}, Text: `{"url":"https://example.com","token":"x","n":1.50}`, Meta: meta()},
		{Name: "strict", Shape: config.Value{Field: "apiKey", Strict: true}, Text: `{"region":"eu","apiKey":"x"}`},
		{Name: "plain", Shape: config.Value{Plain: true}},
		{Name: "parts", Shape: config.Value{Fields: []string{"accessKeyId", "secretAccessKey"}}, Meta: meta()},
	}
}

// book is one record of every kind and state.
func book() keyrecord.Book {
	key := func(id string, s keyrecord.State, more func(*keyrecord.Record)) keyrecord.Record {
		r := keyrecord.Record{
			Secret: secret, KeyID: id, KeyName: "keyturn-" + id, Vendor: "sendgrid", VendorAccount: account, Origin: keyrecord.Minted,
			Version: "v-" + id, State: s, Promoted: at(1), LastSeen: at(9), Revision: 1,
		}
		if s != keyrecord.Current {
			r.Replaced = at(2)
		}
		if more != nil {
			more(&r)
		}
		return r
	}
	return keyrecord.Book{
		Keys: []keyrecord.Record{ // by id, as the table gives them
			key("1-current", keyrecord.Current, nil),
			key("2-grace", keyrecord.Grace, func(r *keyrecord.Record) { r.LastUsed, r.Next, r.Hurried = at(3), at(12), at(4) }),
			key("3-held", keyrecord.Held, func(r *keyrecord.Record) { r.Why, r.Told, r.Attempts = "in use", []string{"held_in_use"}, 2 }),
			key("4-disabled", keyrecord.Disabled, func(r *keyrecord.Record) { r.Disabled, r.Wanted = at(5), at(6) }),
			key("5-revoked", keyrecord.Revoked, func(r *keyrecord.Record) {
				r.Revoked, r.Ending, r.Missing, r.Stuck, r.LastErr = at(5), at(5), at(6), at(6), "429"
			}),
			key("6-dead", keyrecord.Dead, func(r *keyrecord.Record) { r.Ended, r.Proof = at(7), "refused, while the current key is accepted" }),
			key("7-gone", keyrecord.Gone, func(r *keyrecord.Record) { r.Ended, r.Origin = at(7), keyrecord.Adopted }),
			key("8-lost", keyrecord.Lost, func(r *keyrecord.Record) { r.Seen, r.Version, r.Promoted = 1, "", time.Time{} }),
		},
		Requests: []keyrecord.Request{{Secret: secret, Rotation: "0123456789abcdef", Mode: keyrecord.Emergency, Reason: "leaked", Requester: "eve", At: at(8)}},
		Failure:  &keyrecord.Failure{Secret: secret, Version: newToken, Step: "createSecret", ErrorType: "VendorDown", Text: "503", At: at(8), Count: 1},
		Pause: &keyrecord.Pause{
			Secret: secret, ID: "pause-1", Until: at(20), Reason: "freeze", Owner: "mailer@example.com", By: "eve", At: at(8), Ended: at(9), EndedBy: "eve", Revision: 1,
		},
	}
}

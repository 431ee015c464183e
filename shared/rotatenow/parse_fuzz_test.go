package rotatenow_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/keyturn/keyturn/shared/rotatenow"
	"github.com/keyturn/keyturn/shared/rotation"
)

// A request that is taken is whole and says why; one that is refused is told
// everything that is wrong with it, in words of our own.
func FuzzParse(f *testing.F) {
	const mark = "hunter2-hunter2"
	for _, s := range []string{
		`{"version":1,"mode":"rotate","secret":"prod/mailer","reason":"laptop lost","requester":"me"}`, `{"version":1,"mode":"plan","secret":"s"}`,
		`{"version":1,"mode":"pause","secret":"s","reason":"freeze","until":"72h","owner":"o","replace":true}`, `{"version":1,"mode":"pause","secret":"s","reason":"@"}`,
		`{"version":1,"mode":"resume","secret":"s"}`, `{"version":1,"mode":"ack","secret":"s","reason":"why","alert":"failed-x"}`, `{"version":1,"mode":"rotate","secret":"s","reason":"a\u0000b"}`, `{"version":1,"mode":"rotate","secret":"@"}`,
		`{"@":1}`, `{"version":"@"}`, `{"mode":"@"}`, `null`, ``, `[]`, `{}{}`, `{"version":1,"mode":"plan","secret":"s"} @`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		raw = []byte(strings.ReplaceAll(string(raw), "@", mark))
		q, err := rotatenow.Parse(raw)
		if err != nil {
			e, ok := errors.AsType[*rotation.Error](err)
			if !ok || e.Type != rotation.BadEvent || len(e.Next) == 0 || strings.Contains(err.Error(), "hunter2") || len(err.Error()) > 500 {
				t.Errorf("Parse(%s): %v", raw, err)
			}
			return
		}
		if q.Version != 1 || q.Secret == "" || !slices.Contains([]rotatenow.Mode{rotatenow.Rotate, rotatenow.Plan, rotatenow.Pause, rotatenow.Resume, rotatenow.Ack, rotatenow.Emergency}, q.Mode) {
			t.Errorf("Parse(%s) = %+v", raw, q)
		}
		if acts := q.Mode == rotatenow.Rotate || q.Mode == rotatenow.Pause; acts && strings.TrimSpace(q.Reason) == "" {
			t.Errorf("Parse(%s) acts without a reason", raw)
		}
		if (q.Mode == rotatenow.Pause) != (q.Until != "") || q.Mode != rotatenow.Pause && (q.Owner != "" || q.Replace) {
			t.Errorf("Parse(%s) = %+v: a pause has an end, and nothing else has", raw, q)
		}
		for _, s := range []string{q.Reason, q.Requester, q.Owner} {
			if len([]rune(s)) > 500 || strings.ContainsFunc(s, unicode.IsControl) {
				t.Errorf("Parse(%s) takes the text %q", raw, s)
			}
		}
	})
}

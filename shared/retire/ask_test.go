package retire_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/retire"
	"github.com/keyturn/keyturn/shared/store"
)

func (w *world) handle(raw string) (retire.Response, error) {
	h := &retire.Handler{Engine: w.engine(), Keys: []config.Key{key()}, Log: slog.New(slog.DiscardHandler)}
	return h.Handle(w.t.Context(), json.RawMessage(raw))
}

// What a person sends, and gets, byte by byte.
func TestHandle_asked(t *testing.T) {
	t.Parallel()
	for what, tt := range map[string]struct {
		disabled  bool
		raw, want string
	}{
		"rollback": {
			false, `{"version":1,"mode":"rollback","secret":"prod/mailer","reason":" it broke the mailer ","requester":"eve"}`,
			`{"answer":{"version":1,"mode":"rollback","secret":"prod/mailer","status":"rolled_back","versionId":"` + token(1) + `","keyId":"id2"}}`,
		},
		"restore": {
			true, `{"version":1,"mode":"restore","secret":"prod/mailer","reason":"why"}`,
			`{"answer":{"version":1,"mode":"restore","secret":"prod/mailer","status":"restored","keyId":"id2"}}`,
		},
		"restore one": {
			true, `{"version":1,"mode":"restore","secret":"prod/mailer","keyId":"id2","reason":"` + strings.Repeat("é", 500) + `"}`,
			`{"answer":{"version":1,"mode":"restore","secret":"prod/mailer","status":"restored","keyId":"id2"}}`,
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				prepare := apart
				if tt.disabled {
					prepare = unplugged
				}
				w, _, _ := prepare(t)
				got, err := w.handle(tt.raw)
				if err != nil || len(got.Reports) != 1 {
					t.Fatalf("%d reports, %v", len(got.Reports), err)
				}
				if b, err := json.Marshal(got); err != nil || string(b) != tt.want {
					t.Errorf("%s, %v, want %s", b, err, tt.want)
				}
				w.check()
			})
		})
	}
}

// A request that is not one is refused before anything is looked at.
func TestHandle_askedWrongly(t *testing.T) {
	t.Parallel()
	type typed interface {
		error
		ErrorType() string
	}
	for what, tt := range map[string]struct{ raw, kind string }{
		"another mode":          {`{"version":1,"mode":"revoke","secret":"prod/mailer","reason":"why"}`, ""},
		"no version":            {`{"mode":"rollback","secret":"prod/mailer","reason":"why"}`, ""},
		"a version to come":     {`{"version":2,"mode":"rollback","secret":"prod/mailer","reason":"why"}`, ""},
		"a version in words":    {`{"version":"1","mode":"rollback","secret":"prod/mailer","reason":"why"}`, ""},
		"no secret":             {`{"version":1,"mode":"rollback","reason":"why"}`, ""},
		"no reason":             {`{"version":1,"mode":"rollback","secret":"prod/mailer"}`, ""},
		"a blank reason":        {`{"version":1,"mode":"rollback","secret":"prod/mailer","reason":" \t"}`, ""},
		"a long reason":         {`{"version":1,"mode":"rollback","secret":"prod/mailer","reason":"` + strings.Repeat("é", 501) + `"}`, ""},
		"a reason in two lines": {`{"version":1,"mode":"rollback","secret":"prod/mailer","reason":"a\nb"}`, ""},
		"a long id":             {`{"version":1,"mode":"restore","secret":"prod/mailer","reason":"why","keyId":"` + strings.Repeat("a", 501) + `"}`, ""},
		"a requester with a tab": {
			`{"version":1,"mode":"restore","secret":"prod/mailer","reason":"why","requester":"eve\tadam"}`, "",
		},
		"another secret": {`{"version":1,"mode":"rollback","secret":"prod/other","reason":"why"}`, "NotOurs"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, _, _ := apart(t)
				w.calls = nil
				_, err := w.handle(tt.raw)
				kind := ""
				if e, ok := errors.AsType[typed](err); ok {
					kind = e.ErrorType()
				}
				if kind != tt.kind || kind == "" && !errors.Is(err, retire.ErrEvent) || len(w.calls) > 0 {
					t.Errorf("%v (%s) after %v, want %s", err, kind, w.calls, tt.kind)
				}
			})
		})
	}
}

// Whoever may write to the queue of label events may not go back.
func TestHandle_askedInQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, _, _ := apart(t)
		got, err := w.handle(batch(t, `{"version":1,"mode":"rollback","secret":"prod/mailer","reason":"why"}`))
		if err != nil || len(got.Failures) != 1 || w.secret.VersionAt(store.Current) != token(2) || w.told(notify.RolledBack) != 0 {
			t.Errorf("%+v, %v, labels %v", got, err, w.secret.Stages)
		}
	})
}

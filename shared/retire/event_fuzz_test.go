package retire_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/retire"
	"github.com/keyturn/keyturn/shared/store"
)

// looked is a store of which only the names of the secrets matter that somebody
// looked at: everything is unreadable.
type looked struct {
	retire.Store

	mu    sync.Mutex // a sweep looks at several at once
	names []string
}

// blank is a table without records.
type blank struct{ retire.Records }

func (blank) Load(context.Context, string) (keyrecord.Book, error) { return keyrecord.Book{}, nil }

var errLooked = &store.Error{Op: "DescribeSecret", Kind: store.KindDenied}

func (l *looked) Describe(_ context.Context, secretID string) (store.Secret, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.names = append(l.names, secretID)
	return store.Secret{}, errLooked
}

// Whatever an event says, only secrets of the configuration are looked at; an
// event is known or refused as unknown; of a batch exactly the messages come
// again whose secret could not be looked at, or that nobody knows; and no log
// line or error repeats what is not a secret's name.
// Promise: configured-only
func FuzzHandle(f *testing.F) {
	for _, s := range []string{
		labelEvent, noName, otherLabel, otherSecret, wakeup, `{"version":1,"sweep":true}`, `{"version":2,"sweep":true}`, `{"Records":[]}`, `{"Records":null}`, `{"Records":[null,{}]}`,
		`{"Records":[{"messageId":"a","body":"{\"version\":1,\"secret\":\"prod/mailer\"}"},{"messageId":"b","body":"` + mark + `"},{"messageId":"a","body":"{}"}]}`,
		`{"Records":[{"messageId":"a","body":"{\"Records\":[{\"messageId\":\"b\"}]}"}]}`, `{"version":1,"secret":"PROD/MAILER"}`, `{"version":1.0,"secret":"prod/mailer"}`,
		`{"detail-type":"Secret Label Updated","source":"aws.secretsmanager","resources":[":secret:-AbCdEf"],"detail":{"labelUpdated":"AWSCURRENT"}}`, `[]`, `{"version":"` + mark,
		`{"version":1,"secret":"prod/mailer","mode":"rollback","reason":"why"}`, `{"version":1,"secret":"prod/mailer","mode":"restore"}`,
	} {
		f.Add([]byte(s))
	}
	f.Add([]byte(rotationEvent("RotationFailed", "SecretId", arn, token(1))))
	f.Add([]byte(rotationEvent("RotationAbandoned", "aRN", arn, mark)))
	keys := []config.Key{{Secret: "prod/mailer", Vendor: "acme"}, {Secret: "prod/second", Vendor: "acme"}}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var log bytes.Buffer
		seen := &looked{}
		logger := slog.New(slog.NewJSONHandler(&log, nil))
		h := &retire.Handler{Engine: &retire.Engine{Store: seen, Records: blank{}, Now: time.Now, Log: logger}, Keys: keys, Log: logger}
		out, err := h.Handle(t.Context(), raw)
		for _, name := range seen.names {
			if name != "prod/mailer" && name != "prod/second" {
				t.Errorf("%s: looked at %q", raw, name)
			}
		}
		switch {
		case err == nil && len(seen.names) > 0 && len(out.Failures) == 0:
			t.Errorf("%s: %q could not be looked at, and nothing comes again", raw, seen.names)
		case err != nil && !errors.Is(err, retire.ErrEvent) && len(seen.names) == 0 && errorTypeOf(err) == "":
			t.Errorf("%s: %v", raw, err)
		case !json.Valid(raw) && !errors.Is(err, retire.ErrEvent):
			t.Errorf("%q: %v, want an unknown event", raw, err)
		}
		ids := messageIDs(raw)
		for _, f := range out.Failures {
			if !ids[f.ID] {
				t.Errorf("%s: message %q comes again, and never came", raw, f.ID)
			}
		}
		if err != nil && strings.Contains(err.Error(), mark) {
			t.Errorf("%s: the error says %v", raw, err)
		}
		if strings.Contains(log.String(), mark) && !strings.Contains(log.String(), `"message_id"`) && !strings.Contains(log.String(), `"secret"`) {
			t.Errorf("%s: the log says %s", raw, log.String())
		}
	})
}

const mark = "hunter2-hunter2"

// errorTypeOf returns the type that a refusal of ours has, "" for none.
func errorTypeOf(err error) string {
	if e, ok := errors.AsType[*retire.Error](err); ok {
		return e.ErrorType()
	}
	return ""
}

func messageIDs(raw []byte) map[string]bool {
	var ev struct {
		Records []struct {
			ID string `json:"messageId"`
		} `json:"Records"`
	}
	out := map[string]bool{}
	if json.Unmarshal(raw, &ev) == nil {
		for _, r := range ev.Records {
			out[r.ID] = true
		}
	}
	return out
}

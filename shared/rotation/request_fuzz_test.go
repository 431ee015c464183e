package rotation_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/shared/rotation"
)

// An event is a step or a request, never both and never half of one; what is
// refused is refused as BadEvent, in words of our own; a RotationToken is never
// printed.
func FuzzParseRequest(f *testing.F) {
	const mark = "hunter2-hunter2"
	for _, s := range []string{
		`{"Step":"createSecret","SecretId":"arn:aws:secretsmanager:us-east-1:123456789012:secret:a-AbCdEf","ClientRequestToken":"0123456789abcdef0123456789abcdef","RotationToken":"@"}`,
		`{"RotationToken":{"@":1}}`, `{"RotationToken":["@"]}`, `{"step":"createSecret","mode":"plan"}`, `null`, `[]`, `"@"`, `{"mode":"@"}`,
		`{"version":1,"mode":"init","secret":"prod/mailer","token":"@"}`, `{"version":2,"mode":"init","secret":"@"}`, `{"version":1,"mode":"plan","secret":""}`,
		`{"version":1,"mode":"adopt","secret":"a","key_id":"@","observe":true}`, `{"version":1,"mode":"adopt","secret":"a","reason":"@\u0007"}`,
		`{"version":"@"}`, `{"Step":7,"@":0}`, `{"@`, "{\"Step\":\"\xff@\"}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		raw = []byte(strings.ReplaceAll(string(raw), "@", mark))
		q, err := rotation.ParseRequest(raw)
		if err != nil {
			if errorType(err) != "BadEvent" || strings.Contains(err.Error(), "hunter2") || len(err.Error()) > 200 {
				t.Errorf("ParseRequest(%s): %v", raw, err)
			}
			return
		}
		if printed, err := json.Marshal(q.RotationToken); err != nil || strings.Contains(string(printed), "hunter2") || strings.Contains(q.RotationToken.String(), "hunter2") {
			t.Errorf("the RotationToken prints as %s, %v", printed, err)
		}
		if !json.Valid(raw) {
			t.Errorf("ParseRequest(%s) takes what is not JSON", raw)
		}
		if q.Mode == "" {
			if q.Version != 0 || q.Secret != "" || q.KeyID != "" || q.Observe || q.Reason != "" || q.Requester != "" {
				t.Errorf("a step that is half a request: %+v", q)
			}
			return
		}
		if q.Version != 1 || q.Secret == "" || q.Step != "" || q.SecretID != "" || !q.RotationToken.Empty() {
			t.Errorf("a request that is half a step: %+v", q)
		}
		if q.Mode != rotation.ModeInit && q.Mode != rotation.ModePlan && q.Mode != rotation.ModeAdopt {
			t.Errorf("a request for %q", q.Mode)
		}
	})
}

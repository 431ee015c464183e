package trail

import (
	"fmt"
	"testing"
)

const record = `{"eventVersion":"1.11","eventID":"e1","eventTime":"2026-04-01T10:00:00Z","sourceIPAddress":%q,"new":1}`

func TestAddresses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"81.2.69.142, 192.168.10.10":   "[81.2.69.142 192.168.10.10]",
		"::ffff:10.1.2.3":              "[10.1.2.3]",
		"secretsmanager.amazonaws.com": "[]",
		"AWS Internal/3":               "[]",
		"225.01.00.16":                 "[]",
	} {
		e, err := Parse(fmt.Appendf(nil, record, in))
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(e.Addresses()); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	good := fmt.Sprintf(record, "10.0.0.1")
	for in, ok := range map[string]bool{
		good: true,
		`{"detail-type":"AWS API Call via CloudTrail","detail":` + good + `}`:     true,
		`{"detail-type":"AWS API Call via CloudTrail"}`:                           false,
		`{"eventVersion":"2.0","eventID":"e","eventTime":"2026-04-01T10:00:00Z"}`: false,
		`{}`: false, `[]`: false, ``: false, good[:40]: false,
	} {
		if _, err := Parse([]byte(in)); (err == nil) != ok {
			t.Errorf("%s: error %v, want ok %t", in, err, ok)
		}
	}
}

func TestPrincipal(t *testing.T) {
	t.Parallel()
	role := Identity{Type: "AssumedRole", ARN: "session"}
	role.SessionContext.SessionIssuer.ARN = "role"
	for want, i := range map[string]Identity{
		"role": role, "root:1": {Type: "Root", ARN: "r", AccountID: "1"}, "svc": {InvokedBy: "svc"}, "1:p": {AccountID: "1", PrincipalID: "p"},
	} {
		if got := i.Principal(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(fmt.Appendf(nil, record, "10.0.0.1"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		if e, err := Parse(data); err == nil {
			e.Addresses()
			e.Identity.Principal()
		}
	})
}

package keysfile_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/shared/keysfile"
)

func TestExample(t *testing.T) {
	t.Parallel()
	if _, err := load("keyturn.yaml", keysfile.Example()); err != nil {
		t.Error(err)
	}
}

// What is commented out is right too, once it is not.
func TestExample_commentedOut(t *testing.T) {
	t.Parallel()
	field := regexp.MustCompile(`^( *)# ((?:- \{|[a-zA-Z]+:(?: |$)| +(?:- |[a-zA-Z]+:)).*)$`)
	twice := regexp.MustCompile(`^ *(?:prod|value|existing|honeytoken):`) // said already, or not with tags or readers
	var lines []string
	for line := range strings.SplitSeq(keysfile.Example(), "\n") {
		if m := field.FindStringSubmatch(line); m != nil && !strings.Contains(line, "yaml-language-server") {
			if line = m[1] + m[2]; twice.MatchString(line) {
				continue
			}
		}
		lines = append(lines, line)
	}
	text := strings.Join(lines, "\n")
	f, err := load("keyturn.yaml", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	k := f.Keys[0]
	if len(f.Freeze) != 1 || f.Policy.MaxGrace == 0 || f.Notifications.Escalation == nil || len(f.Notifications.Subscriptions) != 3 || !f.Access.RequireMFA ||
		f.Functions.PermissionsBoundary == "" || f.Audit.Trail == nil || f.Detect.Respond == nil || f.Detect.Hours == nil || f.Detect.Countries == nil || len(f.Detect.Suppressions) != 1 || !f.Detect.Rules["D-15"] || f.Detect.Installed.IsZero() || !k.Allow.RequireMFA || k.Exception == nil || f.VendorAccounts["sendgrid-main"].Network == nil {
		t.Errorf("not all of it was read: %+v", f)
	}
}

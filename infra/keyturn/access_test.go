package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/infra/access"
	"github.com/keyturn/keyturn/shared/iam"
)

// TestPrintProof_wrong names the statement to blame. No file makes a wrong cell,
// so it is a made one.
func TestPrintProof_wrong(t *testing.T) {
	t.Parallel()
	proof := access.Proof{Cells: 7, Shapes: 1, Wrong: []access.Cell{{
		Actor: "stranger", Network: "wrong address", Action: "secretsmanager:GetSecretValue", Resource: "prod/a",
		Got: iam.Decision{Effect: iam.Allowed, Policy: "the resource policy", Sid: "Readers", Why: "it is allowed"},
	}}}
	for _, tt := range []struct {
		json bool
		says []string
	}{
		{false, []string{"7 cells, of 1 key in 1 shape", "wrong: stranger from wrong address: secretsmanager:GetSecretValue of prod/a must be denied", "Readers of the resource policy"}},
		{true, []string{`"expected": "denied"`, `"got": "allowed"`, `"sid": "Readers"`, `"policy": "the resource policy"`}},
	} {
		var out, errs bytes.Buffer
		a := &app{out: &out, err: &errs, getenv: func(string) string { return "" }, flags: flags{json: tt.json}}
		a.printProof(proof, 1)
		for _, want := range tt.says {
			if !strings.Contains(out.String(), want) {
				t.Errorf("it does not say %q:\n%s", want, out.String())
			}
		}
		if strings.Contains(out.String(), "None is other") {
			t.Error("it says that all is well")
		}
	}
}

package main

import (
	"testing"

	"github.com/keyturn/keyturn/infra/keyturn/internal/doctor"
	"github.com/keyturn/keyturn/shared/rotation"
)

// TestDiagnosis holds that a credential is called accepted only if the plan says
// nothing that could mean otherwise.
func TestDiagnosis(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		lists    bool
		problems []rotation.Type
		want     doctor.State
		wrong    int
	}{
		{"nothing", true, nil, doctor.Accepted, 0},
		{"nothing, and nothing to list", false, nil, doctor.Stored, 0},
		{"of the key only", true, []rotation.Type{rotation.NoCurrent, rotation.Held, rotation.Paused, rotation.KeyRejected}, doctor.Accepted, 0},
		{"no room", true, []rotation.Type{rotation.VendorFull}, doctor.Accepted, 1},
		{"missing", true, []rotation.Type{rotation.NoCurrent, rotation.AdminMissing}, doctor.Missing, 1},
		{"refused", true, []rotation.Type{rotation.AdminRefused}, doctor.Refused, 1},
		{"refused, where nothing can be listed", false, []rotation.Type{rotation.HostNotAllowed}, doctor.Refused, 1},
		{"the vendor is away", true, []rotation.Type{rotation.VendorUnavailable}, doctor.Unknown, 1},
		{"the secret could not be read", true, []rotation.Type{rotation.StoreDenied}, doctor.Unknown, 1},
		{"refused, and more", true, []rotation.Type{rotation.AdminRefused, rotation.StoreUnavailable}, doctor.Refused, 2},
		{"something of a later version", true, []rotation.Type{"SomethingNew"}, doctor.Unknown, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			plan := rotation.Plan{Keys: 3, Limit: 10}
			for _, p := range tt.problems {
				plan.Problems = append(plan.Problems, rotation.PlanProblem{Type: p, What: string(p)})
			}
			var f doctor.Finding
			patient{lists: tt.lists}.read(&f, plan)
			if f.State != tt.want || len(f.Wrong) != tt.wrong || (f.Keys != nil) != (tt.want == doctor.Accepted) {
				t.Errorf("%+v, want %s", f, tt.want)
			}
		})
	}
}

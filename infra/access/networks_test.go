package access

import (
	"testing"

	"github.com/keyturn/keyturn/shared/keysfile"
)

// TestProve_networks proves what CloudFormation may do with each kind of network.
func TestProve_networks(t *testing.T) {
	t.Parallel()
	exists := keysfile.Network{VPC: "vpc-1", Subnets: []string{"subnet-1"}, SecurityGroups: []string{"sg-1"}}
	open, ends := exists, exists
	open.SecurityGroups = nil
	ends.Endpoints, ends.RouteTables = true, []string{"rtb-1"}
	for _, tt := range []struct {
		name       string
		network    *keysfile.Network
		statements int
	}{
		{"none", nil, 0},
		{"all of it exists", &exists, 1},
		{"its security group is made", &open, 5},
		{"its endpoints are made", &ends, 6},
		{"fixed addresses", &keysfile.Network{FixedAddresses: true}, 6},
		{"fixed addresses and endpoints", &keysfile.Network{FixedAddresses: true, Endpoints: true}, 7},
	} {
		f := &keysfile.File{Name: "keyturn", VendorAccounts: map[string]keysfile.VendorAccount{"main": {Provider: "sendgrid", Admin: "keyturn/admin", Network: tt.network}}}
		s, err := New(f, home)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(s.executesNetworks()); got != tt.statements {
			t.Errorf("%s: %d statements", tt.name, got)
		}
		if _, err := Prove(f, home); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

package install_test

import (
	"testing"
	"testing/fstest"

	"github.com/keyturn/keyturn/infra/access"
	"github.com/keyturn/keyturn/shared/catalog"
	"github.com/keyturn/keyturn/shared/keysfile"
	"github.com/keyturn/keyturn/test/aws/install"
)

// TestFile loads the file as every command does, and proves its policies.
func TestFile(t *testing.T) {
	t.Parallel()
	p := install.Props{
		Name: "kt-test-0123abcd", AccountID: "123456789012", Region: "eu-west-1",
		Caller: "arn:aws:iam::123456789012:role/tester", Reader: "arn:aws:iam::123456789012:role/kt-test-0123abcd-reader",
	}
	b, err := p.File()
	if err != nil {
		t.Fatal(err)
	}
	f, err := keysfile.Load(fstest.MapFS{"keyturn.yaml": {Data: b}}, keysfile.Options{Vendors: catalog.All()}, "keyturn.yaml")
	if err != nil {
		t.Fatal(err)
	}
	k := f.Keys[0]
	if len(f.Keys) != 1 || k.Name != p.Key() || k.Settings["userName"] != p.User() || k.Readers[0] != p.Reader || f.VendorAccounts[install.Account].Admin != p.Admin() {
		t.Errorf("keys %+v", f.Keys)
	}
	env := f.Environments[install.Environment]
	if env.Account != p.AccountID || env.Region != p.Region || f.Access.BreakGlass[0] != p.Caller {
		t.Errorf("environment %+v, access %+v", env, f.Access)
	}
	if _, err := access.Prove(f, access.Environment{Account: env.Account, Region: env.Region}); err != nil {
		t.Error(err)
	}
}

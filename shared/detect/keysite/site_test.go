package keysite

import (
	"reflect"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/keyturn/keyturn/shared/catalog"
	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// TestSite: every key of the example is known with its rotators, and so is every
// admin credential.
func TestSite(t *testing.T) {
	t.Parallel()
	f, err := keysfile.Load(fstest.MapFS{"keyturn.yaml": {Data: []byte(keysfile.Example())}}, keysfile.Options{Vendors: catalog.All()}, "keyturn.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s := Site(f, "123456789012", "eu-west-1")
	known := map[string]detect.Secret{}
	for _, one := range s.Secrets {
		known[one.Name] = one
	}
	if len(f.Keys) == 0 || len(known) != len(s.Secrets) {
		t.Fatalf("%d keys; %d secrets, of which %d have names of their own", len(f.Keys), len(s.Secrets), len(known))
	}
	for _, k := range f.Keys {
		one := known[k.Name]
		rotator := "arn:aws:iam::123456789012:role/" + f.Name + "-rotate-" + k.VendorAccount
		if !slices.Contains(one.Rotators, rotator) || !slices.Contains(s.Roles, rotator) || one.Tier != k.Tier || one.Admin {
			t.Errorf("%s is known as %+v", k.Name, one)
		}
		if deployed, err := keysfile.ParseSchedule(f.Expression(k)); err != nil || deployed.Longest() > one.Interval {
			t.Errorf("%s is known with an interval of %s, and deployed as %s", k.Name, one.Interval, f.Expression(k))
		}
		if !slices.Contains(s.Functions, one.Function) {
			t.Errorf("%s is rotated by %q, which is no function", k.Name, one.Function)
		}
		if admin := known[f.VendorAccounts[k.VendorAccount].Admin]; !admin.Admin || !slices.Contains(admin.Rotators, rotator) {
			t.Errorf("the admin credential of %s is known as %+v", k.VendorAccount, admin)
		}
	}
}

// TestSite_detect: what the file tunes comes to the detections.
func TestSite_detect(t *testing.T) {
	t.Parallel()
	day := keysfile.Date{Time: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)}
	end := day.AddDate(0, 0, 1)
	f := &keysfile.File{Name: "keyturn", Access: keysfile.Access{Operators: []string{"arn:o"}, Viewers: []string{"arn:v"}}, Detect: keysfile.Detect{
		Hours:        &keysfile.WorkingHours{From: 7, To: 19, Weekends: true},
		Respond:      &keysfile.Respond{Rules: []string{"D-01"}, Cooldown: keysfile.Duration(time.Hour), Hourly: 3, Off: true, Until: day},
		Suppressions: []keysfile.Suppression{{Rule: "D-05", Principal: "arn:p", Secret: "a", Until: day, Reason: "r", Owner: "o"}},
	}}
	s := Site(f, "123456789012", "eu-west-1")
	want := &detect.Site{
		Operators: []string{"arn:v", "arn:o"}, Hours: &detect.Hours{From: 7, To: 19, Weekends: true},
		Respond:      &detect.Respond{Rules: []string{"D-01"}, Cooldown: time.Hour, Hourly: 3, Off: true, Until: end},
		Suppressions: []detect.Suppression{{Rule: "D-05", Principal: "arn:p", Secret: "a", Until: end, Reason: "r", Owner: "o"}},
	}
	got := &detect.Site{Operators: s.Operators, Hours: s.Hours, Respond: s.Respond, Suppressions: s.Suppressions}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

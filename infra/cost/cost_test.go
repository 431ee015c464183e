package cost_test

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyturn/keyturn/infra/cost"
	"github.com/keyturn/keyturn/shared/keysfile"
)

func file(keys int) *keysfile.File {
	f := &keysfile.File{
		Version: 1, Name: "keyturn",
		VendorAccounts: map[string]keysfile.VendorAccount{"main": {Provider: "sendgrid", Admin: "keyturn/admin/sendgrid"}},
		Functions:      keysfile.Functions{LogRetentionDays: 365},
		Notifications:  keysfile.Notifications{Subscriptions: []keysfile.Subscription{{Email: "ops@example.com"}}},
	}
	for i := range keys {
		f.Keys = append(f.Keys, keysfile.Key{
			Name: "prod/" + string(rune('a'+i%26)), VendorAccount: "main", Schedule: "rate(30 days)", Window: keysfile.Duration(3 * time.Hour),
		})
	}
	return f
}

func item(e cost.Estimate, service, what string) cost.Item {
	i := slices.IndexFunc(e.Items, func(i cost.Item) bool { return i.Service == service && i.What == what })
	if i < 0 {
		return cost.Item{}
	}
	return e.Items[i]
}

func near(got, want float64) bool { return math.Abs(got-want) <= 0.005*math.Abs(want) }

// TestOf computes a bill by hand.
func TestOf(t *testing.T) {
	t.Parallel()
	e := cost.Of(file(10), cost.Use{})
	const beats = 4 * 730.0 // of the canary
	const turns = 10.0      // rate(30 days) is deployed as a day of every month
	for _, tt := range []struct {
		service, what string
		dollars       float64
	}{
		{"Secrets Manager", "keys", 4},
		{"Secrets Manager", "admin credentials", 0.40},
		{"KMS", "keys", 4},
		{"Secrets Manager", "calls of rotations and sweeps", (turns*(9+24) + 7300*3 + beats + 10*2*730.0/168) * 0.05 / 10000},
		{"S3", "the ledger's objects written", (2*730*7 + 4*730.0/168 + turns*(4*6+10)) * 0.005 / 1000},
		{"S3", "the ledger's and the trail's objects read", (2*730*6 + 730*30 + turns*(4*5+10)) * 0.0004 / 1000},
		{"KMS", "requests", (turns*(7+8) + 7300 + beats) * 0.03 / 10000},
		{"CloudWatch", "alarms", 2.80},
		{"SNS", "e-mails", turns * 2 * 0.00002},
		{"SQS", "requests", (3*657000 + turns*12) * 0.0000004},
		{"Secrets Manager", "replicas", 0},
		{"VPC", "NAT gateways", 0},
	} {
		if got := item(e, tt.service, tt.what).Dollars; !near(got, tt.dollars) {
			t.Errorf("%s, %s: $%v, want $%v", tt.service, tt.what, got, tt.dollars)
		}
	}
	sum := 0.0
	for _, i := range e.Items {
		sum += i.Dollars
	}
	if !near(e.Dollars, sum) || !near(e.PerKey*10, sum) || e.Keys != 10 {
		t.Errorf("%v a month, %v a key, of %v in all for %d keys", e.Dollars, e.PerKey, sum, e.Keys)
	}
}

func TestUse(t *testing.T) {
	t.Parallel()
	f := file(1)
	f.VendorAccounts["main"] = keysfile.VendorAccount{Provider: "sendgrid", Admin: "prod/a", Network: &keysfile.Network{FixedAddresses: true}}
	f.Functions.Tracing = true
	e := cost.Of(f, cost.Use{Replicas: 2, Reads: 20_000, Alarms: 3})
	for what, want := range map[[2]string]float64{
		{"Secrets Manager", "replicas"}:               0.80,
		{"Secrets Manager", "reads by your programs"}: 0.10,
		{"Secrets Manager", "admin credentials"}:      0, // it is one of the keys
		{"CloudWatch", "alarms"}:                      0.30,
		{"VPC", "NAT gateways"}:                       65.70,
	} {
		if got := item(e, what[0], what[1]).Dollars; !near(got, want) {
			t.Errorf("%v: $%v, want $%v", what, got, want)
		}
	}
	if keys := item(e, "KMS", "keys of replicas"); keys.Dollars != 2 {
		t.Errorf("the CMKs of the replicas cost $%v", keys.Dollars)
	}
	if item(e, "X-Ray", "traces").Dollars == 0 {
		t.Error("traces are free")
	}
}

// TestOfKey holds the parts to the whole.
func TestOfKey(t *testing.T) {
	t.Parallel()
	f := file(10)
	all := cost.Of(f, cost.Use{})
	sum := 0.0
	for _, k := range f.Keys {
		e, err := cost.OfKey(f, k.Name, cost.Use{})
		if err != nil {
			t.Fatal(err)
		}
		sum += e.PerKey
	}
	if !near(sum, all.Dollars) {
		t.Errorf("the keys cost $%v, and all of it $%v", sum, all.Dollars)
	}
	if _, err := cost.OfKey(f, "prod/zz", cost.Use{}); err == nil {
		t.Error("a key that is not there has a price")
	}
}

// TestOf_turns counts rotations of what is deployed.
func TestOf_turns(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		schedule string
		want     float64 // a month
	}{
		{"rate(4 hours)", 730.0 / 4},
		{"rate(20 days)", 365.0 / 12 / 20}, // of a 15th less, which is 19, or as it is
		{"cron(0 4 ? * MON *)", 365.0 / 12 / 7},
		{"cron(0 4 ? * MON,TUE *)", 2 * 365.0 / 12 / 7},
		{"cron(0 4 1 * ? *)", 1},
		{"cron(0 4 1 1,7 ? *)", 1.0 / 6},
		{"rate(30 days)", 1}, // on some day of every month
		{"weekly", 0},
	} {
		f := file(1)
		f.Keys[0].Schedule = tt.schedule
		got := item(cost.Of(f, cost.Use{}), "SNS", "notifications").Quantity / 2
		if tt.schedule == "rate(20 days)" && f.Expression(f.Keys[0]) == "rate(19 days)" {
			tt.want *= 20.0 / 19
		}
		if math.Abs(got-tt.want) > 0.005*tt.want {
			t.Errorf("%s: %v rotations a month, want %v", tt.schedule, got, tt.want)
		}
	}
}

// TestPrices wants for every price where it is from, and for one that was
// compared, when.
func TestPrices(t *testing.T) {
	t.Parallel()
	f := file(1)
	f.VendorAccounts["main"] = keysfile.VendorAccount{Provider: "sendgrid", Admin: "keyturn/admin", Network: &keysfile.Network{FixedAddresses: true, Endpoints: true}}
	f.Functions.Tracing = true
	f.Notifications.Subscriptions = append(f.Notifications.Subscriptions, keysfile.Subscription{HTTPS: "https://example.com"})
	e := cost.Of(f, cost.Use{Replicas: 1, Reads: 1})
	if len(e.Items) != 28 {
		t.Errorf("%d items", len(e.Items))
	}
	read, assumed := regexp.MustCompile(`, read 20\d\d-\d\d-\d\d$`), 0.0
	for _, i := range e.Items {
		p := i.Price
		if p.Dollars <= 0 || !strings.HasPrefix(p.Page, "https://aws.amazon.com/") || p.Compared != "" && !read.MatchString(p.Compared) {
			t.Errorf("%s, %s: %+v", i.Service, i.What, p)
		}
		if i.Assumed != "" {
			assumed += i.Dollars
		}
	}
	if !near(e.Assumed, assumed) || e.Assumed >= e.Dollars {
		t.Errorf("$%v of $%v is assumed, want $%v", e.Assumed, e.Dollars, assumed)
	}
}

func TestOf_endpoints(t *testing.T) {
	t.Parallel()
	const each = 0.01 * 730 * 4 // services, in each zone
	for name, tt := range map[string]struct {
		network keysfile.Network
		zones   float64
	}{
		"made":                     {keysfile.Network{FixedAddresses: true, Endpoints: true}, 2},
		"in a VPC that exists":     {keysfile.Network{VPC: "vpc-1", Subnets: []string{"a", "b", "c"}, Endpoints: true}, 3},
		"none":                     {keysfile.Network{VPC: "vpc-1", Subnets: []string{"a"}}, 0},
		"none in one that is made": {keysfile.Network{FixedAddresses: true}, 0},
	} {
		f := file(1)
		a := f.VendorAccounts["main"]
		a.Network = &tt.network
		f.VendorAccounts["main"] = a
		got := 0.0
		for _, i := range cost.Of(f, cost.Use{}).Items {
			if i.What == "interface endpoints" {
				got += i.Dollars
			}
		}
		if !near(got, tt.zones*each) {
			t.Errorf("%s: $%v", name, got)
		}
	}
}

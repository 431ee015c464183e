// Package cost estimates what a configuration costs a month on AWS.
//
// It is arithmetic on list prices, on counts that tests and the code give, and
// on assumptions, each of which says so.
package cost

import (
	"errors"
	"fmt"

	"github.com/keyturn/keyturn/shared/keysfile"
)

// Use is what the configuration does not say. The zero value is usable.
type Use struct {
	Replicas int     // Regions besides the first
	Reads    float64 // by the operator's own programs, for each key and month
	Alarms   int     // counted in the templates; 0: as many as are assumed
}

// Item is a line of the bill.
type Item struct {
	Service  string  `json:"service"`
	What     string  `json:"what"`
	Quantity float64 `json:"quantity"`
	Unit     string  `json:"unit"`
	Price    float64 `json:"price"`             // dollars for a unit
	Dollars  float64 `json:"dollars"`           // a month
	Assumed  string  `json:"assumed,omitempty"` // what of the quantity is assumed
}

// Estimate is a month's bill.
type Estimate struct {
	Region  string  `json:"prices_of_region"`
	AsOf    string  `json:"prices_as_of"`
	Keys    int     `json:"keys"`
	Items   []Item  `json:"items"` // those that are not zero
	Dollars float64 `json:"dollars_per_month"`
	PerKey  float64 `json:"dollars_per_key_month"` // everything, by the number of keys; 0 without keys
	Shared  float64 `json:"dollars_shared"`        // of Dollars, what there is without any key
}

// Of estimates a whole configuration, with every default filled.
func Of(f *keysfile.File, use Use) Estimate {
	shared := ofAll(f, use)
	all := shared
	for _, k := range f.Keys {
		all.add(ofKey(f, k, use.Replicas, use))
	}
	e := estimate(all)
	e.Keys = len(f.Keys)
	e.Shared = estimate(shared).Dollars
	if e.Keys > 0 {
		e.PerKey = e.Dollars / float64(e.Keys)
	}
	return e
}

// OfKey estimates what one key adds to the bill. Shared is its part of what
// there is without any key; it is not in Dollars.
func OfKey(f *keysfile.File, name string, use Use) (Estimate, error) {
	if len(f.Keys) == 0 {
		return Estimate{}, errors.New("there are no keys")
	}
	for _, k := range f.Keys {
		if k.Name != name {
			continue
		}
		e := estimate(ofKey(f, k, use.Replicas, use))
		e.Keys = 1
		e.Shared = estimate(ofAll(f, use)).Dollars / float64(len(f.Keys))
		e.PerKey = e.Dollars + e.Shared
		return e, nil
	}
	return Estimate{}, fmt.Errorf("there is no key %q", name)
}

func estimate(l load) Estimate {
	e := Estimate{Region: Region, AsOf: AsOf, Items: []Item{}}
	for m, i := range tariff() {
		if l[m] == 0 {
			continue
		}
		i.Quantity = l[m]
		i.Dollars = i.Quantity * i.Price
		e.Items = append(e.Items, i)
		e.Dollars += i.Dollars
	}
	return e
}

// tariff says what a unit of each meter costs.
func tariff() [meters]Item {
	const (
		looks  = "8 looks at each replaced key"
		memory = "256 MB; 2 s a step, 1 s a look, 0.25 s a key in the hourly sweep"
	)
	i := func(service, what, unit string, price float64, assumed string) Item {
		return Item{Service: service, What: what, Unit: unit, Price: price, Assumed: assumed}
	}
	return [meters]Item{
		secrets:       i("Secrets Manager", "keys", "secrets", priceSecret, ""),
		replicas:      i("Secrets Manager", "replicas", "secrets", priceSecret, ""),
		adminSecrets:  i("Secrets Manager", "admin credentials", "secrets", priceSecret, ""),
		secretCalls:   i("Secrets Manager", "calls of rotations and sweeps", "calls", priceSecretCall, looks),
		consumerReads: i("Secrets Manager", "reads by your programs", "calls", priceSecretCall, "as you say with --reads"),
		kmsKeys:       i("KMS", "keys", "keys", priceKMSKey, "first year: a yearly rotation adds $1 a key, twice"),
		kmsRequests:   i("KMS", "requests", "requests", priceKMSRequest, looks),
		invocations:   i("Lambda", "invocations", "requests", priceInvocation, looks),
		gbSeconds:     i("Lambda", "compute", "GB-s", priceGBSecond, memory),
		tableReads:    i("DynamoDB", "reads", "units", priceTableRead, looks),
		tableWrites:   i("DynamoDB", "writes", "units", priceTableWrite, looks+", each with 2 writes"),
		queueRequests: i("SQS", "requests", "requests", priceQueueRequest, "5 pollers of an idle queue"),
		published:     i("SNS", "notifications", "requests", pricePublish, "2 for each rotation"),
		emails:        i("SNS", "e-mails", "e-mails", priceEmail, "2 for each rotation"),
		webhooks:      i("SNS", "HTTPS deliveries", "deliveries", priceHTTPS, "2 for each rotation"),
		scheduled:     i("EventBridge", "scheduled invocations", "invocations", priceScheduled, looks),
		alarms:        i("CloudWatch", "alarms", "alarms", priceAlarm, "10, and 4 for each vendor account"),
		metrics:       i("CloudWatch", "metrics of hourly sweeps", "metrics", priceMetric, "4 for each vendor, written every hour"),
		dashboards:    i("CloudWatch", "dashboard", "dashboards", priceDashboard, "the first three of an account are free"),
		logWritten:    i("CloudWatch", "logs written", "GB", priceLogGB, "4 kB an invocation, 0.5 kB a key in a sweep"),
		logKept:       i("CloudWatch", "logs kept", "GB-months", priceLogStored, "15% of what was written"),
		traces:        i("X-Ray", "traces", "traces", priceTrace, "every invocation"),
		natHours:      i("VPC", "NAT gateways", "hours", priceNATHour, "2 zones; $0.045 a GB besides"),
		addressHours:  i("VPC", "fixed addresses", "hours", priceAddressHour, "2 zones"),
	}
}

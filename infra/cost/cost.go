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
	Alarms   int     // metrics that alarms look at; 0: as many as the templates have
}

// Item is a line of the bill.
type Item struct {
	Service  string  `json:"service"`
	What     string  `json:"what"`
	Quantity float64 `json:"quantity"`
	Unit     string  `json:"unit"`
	Price    Price   `json:"price"`             // of a unit
	Dollars  float64 `json:"dollars"`           // a month
	Assumed  string  `json:"assumed,omitempty"` // what of the quantity is assumed; empty: it is counted
	Note     string  `json:"note,omitempty"`    // what the line leaves out
}

// Estimate is a month's bill.
type Estimate struct {
	Region  string  `json:"prices_of_region"`
	Keys    int     `json:"keys"`
	Items   []Item  `json:"items"` // those that are not zero
	Dollars float64 `json:"dollars_per_month"`
	PerKey  float64 `json:"dollars_per_key_month"` // everything, by the number of keys; 0 without keys
	Shared  float64 `json:"dollars_shared"`        // of Dollars, what there is without any key
	Assumed float64 `json:"dollars_assumed"`       // of Dollars, for quantities of which something is assumed
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
	e := Estimate{Region: Region, Items: []Item{}}
	for m, i := range tariff() {
		if l[m] == 0 {
			continue
		}
		i.Price = priceOf(meter(m))
		i.Quantity = l[m]
		i.Dollars = i.Quantity * i.Price.Dollars
		e.Items = append(e.Items, i)
		e.Dollars += i.Dollars
		if i.Assumed != "" {
			e.Assumed += i.Dollars
		}
	}
	return e
}

// tariff says what each meter counts.
func tariff() [meters]Item {
	const (
		looks  = "8 looks at each replaced key"
		memory = "256 MB; 2 s a step, 1 s a look, 0.25 s a key in the hourly sweep; 10 s a comparison, 60 s a review"
	)
	i := func(service, what, unit, assumed string) Item {
		return Item{Service: service, What: what, Unit: unit, Assumed: assumed}
	}
	noted := func(note string, i Item) Item {
		i.Note = note
		return i
	}
	return [meters]Item{
		secrets:       i("Secrets Manager", "keys", "secrets", ""),
		replicas:      i("Secrets Manager", "replicas", "secrets", ""),
		adminSecrets:  i("Secrets Manager", "admin credentials", "secrets", ""),
		secretCalls:   i("Secrets Manager", "calls of rotations and sweeps", "calls", looks),
		consumerReads: noted("as you say with --reads", i("Secrets Manager", "reads by your programs", "calls", "")),
		kmsKeys:       noted("first year: a yearly rotation adds $1 a key, twice", i("KMS", "keys", "keys", "")),
		replicaKeys:   noted("first year: a yearly rotation adds $1 a key, twice", i("KMS", "keys of replicas", "keys", "")),
		kmsRequests:   i("KMS", "requests", "requests", looks),
		invocations:   i("Lambda", "invocations", "requests", looks),
		gbSeconds:     i("Lambda", "compute", "GB-s", memory),
		tableReads:    i("DynamoDB", "reads", "units", looks),
		tableWrites:   i("DynamoDB", "writes", "units", looks+", each with 2 writes"),
		queueRequests: i("SQS", "requests", "requests", "5 pollers of an idle queue"),
		published:     i("SNS", "notifications", "requests", "2 for each rotation"),
		emails:        i("SNS", "e-mails", "e-mails", "2 for each rotation"),
		webhooks:      i("SNS", "HTTPS deliveries", "deliveries", "2 for each rotation"),
		scheduled:     i("EventBridge", "scheduled invocations", "invocations", looks),
		alarms:        noted("13 alarms, and 4 for each vendor account, by the metrics they look at", i("CloudWatch", "alarms", "metrics", "")),
		metrics:       noted("5 for alarms, and 4 for each vendor, written every hour", i("CloudWatch", "metrics of hourly sweeps", "metrics", "")),
		dashboards:    noted("the first three of an account are free", i("CloudWatch", "dashboard", "dashboards", "")),
		logWritten:    i("CloudWatch", "logs written", "GB", "4 kB an invocation, 0.5 kB a key in a sweep"),
		logKept:       i("CloudWatch", "logs kept", "GB-months", "15% of what was written"),
		traces:        i("X-Ray", "traces", "traces", "every invocation"),
		natHours:      noted("$0.045 a GB besides", i("VPC", "NAT gateways", "hours", "2 zones")),
		addressHours:  i("VPC", "fixed addresses", "hours", "2 zones"),
		endpointHours: noted("$0.01 a GB besides", i("VPC", "interface endpoints", "hours", "2 zones of a VPC that is made")),
		objectPuts:    noted("storage and signatures cost less than a cent", i("S3", "the ledger's objects written", "requests", "10 entries in 4 batches a rotation, 2 batches an hour")),
		objectGets:    i("S3", "the ledger's and the trail's objects read", "requests", "30 of the trail an hour"),
	}
}

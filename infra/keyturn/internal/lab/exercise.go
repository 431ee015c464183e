package lab

import (
	"context"
	"time"
)

// Limit is how long an exercise takes. Each minute more costs a point.
const Limit = 20 * time.Minute

// quiet is how long all was well before.
const quiet = 6 * time.Hour

// What things cost. The goals of an exercise are worth 100 points.
const (
	costHint    = 5
	costMinute  = 1
	mostMinutes = 20
	costLive    = 40 // a key in use was revoked
	costCut     = 15 // a program was cut off that had worked
	costShown   = 20 // a value was read by a person, or lies in a file
	costWaste   = 10 // a key was rotated for no reason
	costLost    = 20 // a key is looked after no more
)

// Exercise is one of the training.
type Exercise struct {
	Name     string `json:"name"`
	Title    string `json:"title"`
	Scenario string `json:"-"` // what the trainee is told

	keys  string // the keys' file, see build
	goals []goal
	begin func(ctx context.Context, w *world) error // brings about what is wrong
	since time.Duration                             // that it happened
	spare []string                                  // keys that nobody has a reason to rotate
}

// goal is worth points once what it asks for is so.
type goal struct {
	id, text string
	points   int
	hints    []string
	missing  func(ctx context.Context, w *world) string // "": nothing is
}

// All returns the exercises, in the order in which they are best done.
func All() []*Exercise { return []*Exercise{leak(), stuck(), badDeploy()} }

// Find returns an exercise; nil: there is none of that name.
func Find(name string) *Exercise {
	for _, e := range All() {
		if e.Name == name {
			return e
		}
	}
	return nil
}

// fleet is the keys' file of the exercises: three keys of one vendor account.
const fleet = `version: 1
environments:
  lab: {account: "123456789012", region: us-east-1}
defaults: {owner: platform@example.com, schedule: rate(30 days)}
vendorAccounts:
  sendgrid-main: {provider: sendgrid, admin: keyturn/admin/sendgrid-main, hosts: ["HOST"], allowPrivate: true}
keys:
  - name: prod/mailer
    vendorAccount: sendgrid-main
    owner: mailer@example.com
    tier: 1
    settings: {baseURL: "http://HOST", scopes: [mail.send]}
    readers: [arn:aws:iam::123456789012:role/mailer]
    grace: {min: 1h, max: 24h, noUsage: revoke}
  - name: prod/billing
    vendorAccount: sendgrid-main
    owner: billing@example.com
    tier: 1
    settings: {baseURL: "http://HOST", scopes: [mail.send]}
    readers: [arn:aws:iam::123456789012:role/billing]
    grace: {min: 1h, max: 24h, noUsage: revoke}
  - name: prod/newsletter
    vendorAccount: sendgrid-main
    owner: newsletter@example.com
    tier: 1
    settings: {baseURL: "http://HOST", scopes: [mail.send]}
    readers: [arn:aws:iam::123456789012:role/newsletter]
    grace: {min: 1h, max: 24h, noUsage: revoke}
`

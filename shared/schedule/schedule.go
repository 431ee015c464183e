// Package schedule is what Keyturn asks of a scheduler: to be started once, at
// a time.
package schedule

import "time"

// Once starts a function one time.
type Once struct {
	Name    string    // at most 64 of A-Z a-z 0-9 . _ -; one Name is one schedule
	At      time.Time // to the second, rounded up
	Payload []byte    // JSON; a hint, for whoever is started looks for itself
}

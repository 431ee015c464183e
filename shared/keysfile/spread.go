package keysfile

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// Shard returns the stack, from 0, that the key called name is in. It never
// changes: a key that moved would be deleted and made again.
func Shard(name string, shards int) int {
	return int(digest("", name) % uint64(max(shards, 1))) //nolint:gosec // less than shards
}

// digest returns the first 8 bytes of SHA-256 over a name, for a purpose.
func digest(purpose, name string) uint64 {
	sum := sha256.Sum256([]byte(purpose + name))
	return binary.BigEndian.Uint64(sum[:])
}

// Expression returns the schedule to deploy for the key. A cron is deployed as
// it is. A rate would rotate all the keys that were deployed together on one
// day, so a hash of the name spreads them:
//
//   - rate(1 day) is a cron at some hour, and rate(7 days) on some weekday too;
//   - rate(30 days) and rate(31 days) are a cron on some day of the month, so 28
//     to 31 days apart, unless the policy does not admit 31;
//   - another rate of 15 days or more is shortened by up to a fifteenth, so the
//     keys drift apart; it is never lengthened.
//
// Anything else is deployed as it is.
func (f *File) Expression(k Key) string {
	s, err := ParseSchedule(k.Schedule)
	if err != nil || s.Rate() == 0 || s.Rate()%day != 0 {
		return k.Schedule
	}
	// Windows open on the hour and end before midnight.
	hours := max(25-int(time.Duration(k.Window)/time.Hour), 1)
	hour := digest("hour ", k.Name) % uint64(hours)
	pick := digest("day ", k.Name)
	days := uint64(s.Rate() / day) //nolint:gosec // 999 at most
	switch {
	case days == 1:
		return fmt.Sprintf("cron(0 %d * * ? *)", hour)
	case days == 7:
		return fmt.Sprintf("cron(0 %d ? * %s *)", hour, strings.ToUpper(time.Weekday(pick % 7).String()[:3]))
	case (days == 30 || days == 31) && f.admits(k, 31*day):
		return fmt.Sprintf("cron(0 %d %d * ? *)", hour, 1+pick%28)
	}
	if less := pick % (days/15 + 1); less > 0 {
		return fmt.Sprintf("rate(%d days)", days-less)
	}
	return k.Schedule
}

// admits reports whether the policy lets the key be as old as age.
func (f *File) admits(k Key, age time.Duration) bool {
	bound, ok := f.Policy.MaxAge[k.Tier]
	return !ok || age <= time.Duration(bound)
}

package keysfile

import (
	"fmt"
	"time"

	"github.com/keyturn/keyturn/shared/cadence"
)

// Schedule is an expression that Secrets Manager accepts.
type Schedule = cadence.Schedule

// ParseSchedule reads an expression: see [cadence.Parse].
func ParseSchedule(expression string) (Schedule, error) { return cadence.Parse(expression) }

// checkWindow returns what is wrong with a window, "" if nothing is.
func checkWindow(s Schedule, window time.Duration) (what, hint string) {
	room, until := s.Room()
	switch {
	case window <= 0 || window%time.Hour != 0:
		return fmt.Sprintf("a window of %s is not in whole hours", Duration(window)), "write 1h or more"
	case window <= room:
		return "", ""
	}
	return fmt.Sprintf("a window of %s runs %s", Duration(window), until), fmt.Sprintf("write %s at most", Duration(room))
}

// Interval returns the longest time between two scheduled rotations of the key;
// 0 if its schedule cannot be read.
func (k Key) Interval() time.Duration {
	s, err := ParseSchedule(k.Schedule)
	if err != nil {
		return 0
	}
	return s.Longest()
}

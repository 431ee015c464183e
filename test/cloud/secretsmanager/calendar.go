package secretsmanager

import (
	"hash/fnv"
	"strconv"
	"time"
)

// reschedule sets the alarm for the next window. A new current version counts
// as a rotation when the next date is computed. s.mu is held.
func (s *Service) reschedule(sec *secret) {
	s.unschedule(sec)
	r := &sec.rotation
	if !r.scheduled || r.enabled == nil || !*r.enabled {
		return
	}
	last := r.rotated
	if v := sec.holder(current); v != nil && v.created.After(last) {
		last = v.created
	}
	start, end := r.schedule.Next(last)
	moment := s.moment(sec, start, end)
	if !start.IsZero() && !moment.After(s.now()) {
		start, end = r.schedule.Next(s.now())
		moment = s.moment(sec, start, end)
	}
	if start.IsZero() {
		return
	}
	r.next = end
	seq := sec.alarmSeq
	sec.alarm = s.opt.Clock.At(moment, func() { s.fire(sec, seq) })
}

func (s *Service) unschedule(sec *secret) {
	sec.alarmSeq++ // for an alarm that is already on its way
	if sec.alarm != nil {
		sec.alarm()
		sec.alarm = nil
	}
}

// moment picks when in the window the rotation happens. AWS promises no more
// than "any time in the window"; here the seed decides.
func (s *Service) moment(sec *secret, start, end time.Time) time.Time {
	h := fnv.New64a()
	_, _ = h.Write([]byte(sec.name + "|" + strconv.FormatInt(s.opt.WindowSeed, 10) + "|" + start.Format(time.RFC3339)))
	seconds := int64(end.Sub(start) / time.Second)
	if seconds <= 0 {
		return start
	}
	return start.Add(time.Duration(h.Sum64()%uint64(seconds)) * time.Second)
}

// fire starts a scheduled rotation. One that failed before and left AWSPENDING
// behind is attempted again with its own token, as RotateSecret's refusal says.
func (s *Service) fire(sec *secret, seq int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seq != sec.alarmSeq || s.secrets[sec.name] != sec || s.life.Err() != nil {
		return
	}
	if sec.job != nil && !sec.job.ended {
		s.reschedule(sec)
		return
	}
	token := s.newUUID()
	if p := sec.holder(pending); p != nil && !p.has(current) {
		token = p.id
	}
	s.write(sec)
	s.start(sec, token, false)
}

// everyDays is how many days lie between windows, rounded up.
func (s *Service) everyDays(sec *secret) int64 {
	const day = 24 * time.Hour
	first, _ := sec.rotation.schedule.Next(s.now())
	second, _ := sec.rotation.schedule.Next(first)
	if !sec.rotation.scheduled || second.IsZero() {
		return 0
	}
	return int64((second.Sub(first) + day - 1) / day)
}

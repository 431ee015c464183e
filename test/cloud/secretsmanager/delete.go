package secretsmanager

import (
	"context"
	"strings"
	"time"
)

type deleteInput struct {
	SecretID                   string `json:"SecretId"`
	RecoveryWindowInDays       *int
	ForceDeleteWithoutRecovery bool
}

type deleteOutput struct {
	ARN, Name    string
	DeletionDate *float64
}

const defaultWindow = 30 // days

func deleteSecret(_ context.Context, s *Service, in *deleteInput) (any, error) {
	if in.ForceDeleteWithoutRecovery && in.RecoveryWindowInDays != nil {
		return nil, invalidParameter("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.")
	}
	days := defaultWindow
	if in.RecoveryWindowInDays != nil {
		days = *in.RecoveryWindowInDays
	}
	if days < 7 || days > 30 {
		return nil, invalidParameter("RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")
	}
	if err := checkID(in.SecretID); err != nil {
		return nil, err
	}
	sec := s.find(in.SecretID)
	switch {
	case sec == nil && in.ForceDeleteWithoutRecovery:
		return deleteOutput{arnPrefix + in.SecretID + "-" + s.pick(6, letters), in.SecretID, stamp(s.now())}, nil
	case sec == nil:
		return nil, unknownSecret()
	case !sec.deleted.IsZero() && !in.ForceDeleteWithoutRecovery:
		return nil, marked()
	case len(sec.replicas) > 0:
		return nil, invalidParameter("You can't delete secret %s that still has replica regions [%s].", sec.arn, strings.Join(sec.replicaRegions(), ", "))
	}
	s.write(sec)
	s.unschedule(sec)
	if sec.job != nil {
		sec.job.end()
	}
	sec.deleted = s.now()
	if in.ForceDeleteWithoutRecovery {
		s.erase(sec, "Forced")
		return deleteOutput{sec.arn, sec.name, stamp(sec.deleted)}, nil
	}
	until := sec.deleted.Add(time.Duration(days) * 24 * time.Hour)
	sec.purge = s.opt.Clock.At(until, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.secrets[sec.name] == sec && !sec.deleted.IsZero() {
			s.erase(sec, "Scheduled")
		}
	})
	return deleteOutput{sec.arn, sec.name, stamp(until)}, nil
}

// erase removes a secret for good. s.mu is held.
func (s *Service) erase(sec *secret, how string) {
	if sec.purge != nil {
		sec.purge()
	}
	delete(s.secrets, sec.name)
	request := "SecretDeleteMessage:" + sec.arn + ":" + sec.deleted.Format(time.RFC3339) + ":" + how
	for _, name := range []string{"StartSecretVersionDelete", "EndSecretVersionDelete"} {
		s.opt.Sink.ServiceEvent(ServiceEvent{Name: name, ARN: sec.arn, SecretName: sec.name, RequestID: request})
	}
}

func restore(_ context.Context, s *Service, in *idInput) (any, error) {
	sec, err := s.getAny(in.SecretID)
	if err != nil {
		return nil, err
	}
	if !sec.deleted.IsZero() {
		s.write(sec)
		sec.purge()
		sec.deleted, sec.purge = time.Time{}, nil
		s.reschedule(sec)
	}
	return identity{ARN: sec.arn, Name: sec.name}, nil
}

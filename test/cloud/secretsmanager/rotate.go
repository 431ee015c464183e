package secretsmanager

import (
	"context"
	"strings"

	"github.com/keyturn/keyturn/test/cloud/schedule"
)

type rotationRules struct {
	AutomaticallyAfterDays *int64 `json:",omitempty"`
	Duration               string `json:",omitempty"`
	ScheduleExpression     string `json:",omitempty"`
}

type externalMetadata struct{ Key, Value string }

type rotateInput struct {
	SecretID                       string `json:"SecretId"`
	ClientRequestToken             string
	RotationLambdaARN              string
	RotationRules                  *rotationRules
	RotateImmediately              *bool
	ExternalSecretRotationMetadata []externalMetadata
	ExternalSecretRotationRoleArn  string
}

// rotate is RotateSecret: it configures the rotation and starts one, or a test
// of one, that goes on after the answer.
func rotate(_ context.Context, s *Service, in *rotateInput) (any, error) {
	if err := checkID(in.SecretID); err != nil {
		return nil, err
	}
	if err := checkToken(in.ClientRequestToken, "InvalidParameterException"); err != nil {
		return nil, err
	}
	sec, err := s.get(in.SecretID)
	if err != nil {
		return nil, err
	}
	out := identity{ARN: sec.arn, Name: sec.name, VersionID: in.ClientRequestToken}
	if sec.version(in.ClientRequestToken) != nil {
		return s.rotateAgain(sec, in, out)
	}
	cfg, err := s.configure(sec, in)
	if err != nil {
		return nil, err
	}
	if p := sec.holder(pending); p != nil && !p.has(current) {
		return nil, invalidRequest("A previous rotation isn't complete. That rotation will be reattempted.")
	}
	s.write(sec)
	s.unschedule(sec)
	sec.rotation = *cfg
	s.reschedule(sec)
	test := in.RotateImmediately != nil && !*in.RotateImmediately
	s.start(sec, in.ClientRequestToken, test)
	return out, nil
}

// rotateAgain answers a RotateSecret whose token is a version already, as a
// client's own retry is.
func (s *Service) rotateAgain(sec *secret, in *rotateInput, out identity) (any, error) {
	v := sec.version(in.ClientRequestToken)
	if v.has(current) || sec.job != nil && sec.job.token == v.id {
		return out, nil
	}
	if v.has(pending) {
		return nil, invalidRequest("A previous rotation isn't complete. That rotation will be reattempted.")
	}
	return nil, tokenInUse(v, sec)
}

// configure returns the secret's rotation as it would be after in.
func (s *Service) configure(sec *secret, in *rotateInput) (*rotationConfig, error) {
	cfg := sec.rotation
	cfg.enabled = new(true)
	set(&cfg.externalAs, &in.ExternalSecretRotationRoleArn)
	if in.ExternalSecretRotationMetadata != nil {
		cfg.external = in.ExternalSecretRotationMetadata
	}
	if in.RotationLambdaARN != "" {
		cfg.function = in.RotationLambdaARN
	}
	if cfg.function == "" {
		return nil, invalidRequest("No Lambda rotation function ARN is associated with this secret.")
	}
	if in.RotationRules != nil {
		sched, err := in.RotationRules.parse()
		if err != nil {
			return nil, err
		}
		cfg.rules, cfg.schedule, cfg.scheduled, cfg.days = in.RotationRules, sched, true, 0
	}
	if !s.invocable(cfg.function, sec.arn) {
		return nil, fail("AccessDeniedException", "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to the principal secretsmanager.amazonaws.com.")
	}
	return &cfg, nil
}

func (s *Service) invocable(function, secret string) bool {
	if s.opt.Invocable != nil {
		return s.opt.Invocable(function, secret)
	}
	return s.opt.Invoker != nil
}

func (r *rotationRules) parse() (schedule.Schedule, error) {
	var out schedule.Schedule
	var err error
	switch {
	case r.AutomaticallyAfterDays != nil && r.ScheduleExpression != "":
		return out, invalidParameter("You cannot specify both rotation frequency and schedule expression together.")
	case r.ScheduleExpression != "":
		out, err = schedule.Parse(r.ScheduleExpression, r.Duration)
	case r.AutomaticallyAfterDays != nil && (*r.AutomaticallyAfterDays < 1 || *r.AutomaticallyAfterDays > 1000):
		return out, invalidParameter("RotationRules.AutomaticallyAfterDays must be within 1-1000.")
	case r.AutomaticallyAfterDays != nil:
		out, err = schedule.Days(*r.AutomaticallyAfterDays, r.Duration)
	default:
		return out, invalidParameter("RotationRules must have AutomaticallyAfterDays or ScheduleExpression.")
	}
	if err != nil {
		return out, invalidParameter("Invalid RotationRules: %s.", strings.TrimSuffix(err.Error(), "."))
	}
	return out, nil
}

// described returns the rules as DescribeSecret shows them: for a schedule
// expression the days are computed after each rotation.
func (r *rotationConfig) described() *rotationRules {
	if r.rules == nil || r.days == 0 || r.rules.AutomaticallyAfterDays != nil {
		return r.rules
	}
	out := *r.rules
	out.AutomaticallyAfterDays = new(r.days)
	return &out
}

func cancelRotate(_ context.Context, s *Service, in *idInput) (any, error) {
	sec, err := s.get(in.SecretID)
	if err != nil {
		return nil, err
	}
	s.write(sec)
	s.unschedule(sec)
	if sec.rotation.enabled != nil {
		sec.rotation.enabled = new(false)
	}
	out := identity{ARN: sec.arn, Name: sec.name}
	if sec.job != nil && sec.job.end() {
		out.VersionID = sec.job.token
	}
	return out, nil
}

package secretsmanager

import "context"

type stageInput struct {
	SecretID            string `json:"SecretId"`
	VersionStage        string
	MoveToVersionID     string `json:"MoveToVersionId"`
	RemoveFromVersionID string `json:"RemoveFromVersionId"`
}

// updateStage moves one label, by the rules of
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html.
func updateStage(_ context.Context, s *Service, in *stageInput) (any, error) {
	if err := checkID(in.SecretID); err != nil {
		return nil, err
	}
	sec, err := s.get(in.SecretID)
	if err != nil {
		return nil, err
	}
	to, from, err := stageVersions(sec, in)
	if err != nil {
		return nil, err
	}
	holder := sec.holder(in.VersionStage)
	if err := checkMove(in, holder, to, from); err != nil {
		return nil, err
	}
	if to != holder {
		if to != nil && holder == nil && s.tooManyLabels(sec, []string{in.VersionStage}) {
			return nil, fail("LimitExceededException", "You've exceeded the limit of %d staging labels for a secret.", maxLabels)
		}
		s.write(sec)
		if to == nil {
			from.drop(in.VersionStage)
		} else {
			s.attach(sec, to, in.VersionStage)
		}
		s.prune(sec)
	}
	return identity{ARN: sec.arn, Name: sec.name}, nil
}

func stageVersions(sec *secret, in *stageInput) (to, from *version, err error) {
	if in.MoveToVersionID == "" && in.RemoveFromVersionID == "" {
		return nil, nil, invalidParameter("You must specify MoveToVersionId, RemoveFromVersionId, or both.")
	}
	if in.MoveToVersionID != "" {
		if to = sec.version(in.MoveToVersionID); to == nil {
			return nil, nil, unknownVersion(in.MoveToVersionID)
		}
	}
	if in.RemoveFromVersionID != "" {
		if from = sec.version(in.RemoveFromVersionID); from == nil {
			return nil, nil, unknownVersion(in.RemoveFromVersionID)
		}
	}
	return to, from, nil
}

func unknownVersion(id string) error {
	return notFound("Secrets Manager can't find the specified secret value for VersionId: %s", id)
}

// checkMove refuses a move whose idea of where the label is now is missing or
// wrong, and the removal of AWSCURRENT. The wording is second-hand.
func checkMove(in *stageInput, holder, to, from *version) error {
	label := in.VersionStage
	switch {
	case to == nil && label == current:
		return invalidParameter("You can only move staging label %s to a different secret version. It can't be completely removed.", label)
	case from != nil && from != holder:
		return invalidParameter("When you move staging label %s, if you specify RemoveFromVersionId, it must be set to the version that currently has the staging label %s.", label, label)
	case from == nil && holder != nil && holder != to:
		return invalidParameter("The parameter RemoveFromVersionId can't be empty. Staging label %s is currently attached to version %s, so you must explicitly reference that version in RemoveFromVersionId.", label, holder.id)
	}
	return nil
}

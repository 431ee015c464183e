package kms

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

const (
	symmetric  = "SYMMETRIC_DEFAULT"
	encryption = "ENCRYPT_DECRYPT"
	pending    = "PendingDeletion"

	// https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
	defaultPolicy = `{"Version":"2012-10-17","Id":"key-default-1","Statement":[{"Sid":"Enable IAM User Permissions","Effect":"Allow",` +
		`"Principal":{"AWS":"arn:aws:iam::` + wire.Account + `:root"},"Action":"kms:*","Resource":"*"}]}`
)

type listInput struct {
	KeyId, Marker string //nolint:revive // AWS's names
	Limit         int
}

type aliasEntry struct {
	AliasName, AliasArn, TargetKeyId string //nolint:revive // AWS's names
}

type listAliasesOutput struct {
	Aliases    []aliasEntry
	NextMarker string `json:",omitempty"`
	Truncated  bool
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_ListAliases.html
func (s *Service) listAliases(_ context.Context, _ *wire.Call, in *listInput) (*listAliasesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := ""
	if in.KeyId != "" {
		id, _, err := s.find(in.KeyId)
		if err != nil {
			return nil, err
		}
		of = id
	}
	limit := 50
	if in.Limit != 0 {
		limit = in.Limit
	}
	if limit < 1 || limit > 100 {
		return nil, invalid("a page has 1 to 100 aliases")
	}
	out := &listAliasesOutput{Aliases: []aliasEntry{}}
	for _, name := range slices.Sorted(maps.Keys(s.aliases)) {
		if name <= in.Marker || of != "" && s.aliases[name] != of {
			continue
		}
		if len(out.Aliases) == limit {
			out.Truncated, out.NextMarker = true, out.Aliases[limit-1].AliasName
			break
		}
		out.Aliases = append(out.Aliases, aliasEntry{name, aliasPrefix + name, s.aliases[name]})
	}
	return out, nil
}

type policyInput struct {
	KeyId, PolicyName, Policy string //nolint:revive // AWS's names
}

type policyOutput struct{ Policy, PolicyName string }

// https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyPolicy.html
func (s *Service) getPolicy(_ context.Context, _ *wire.Call, in *policyInput) (*policyOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, k, err := s.find(in.KeyId)
	if err != nil {
		return nil, err
	}
	if in.PolicyName != "" && in.PolicyName != "default" {
		return nil, &wire.Error{Code: "NotFoundException", Message: "No such policy exists"}
	}
	return &policyOutput{k.policy, "default"}, nil
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html
func (s *Service) putPolicy(_ context.Context, _ *wire.Call, in *policyInput) (*empty, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, k, err := s.find(in.KeyId)
	if err != nil {
		return nil, err
	}
	if !json.Valid([]byte(in.Policy)) {
		return nil, &wire.Error{Code: "MalformedPolicyDocumentException", Message: "Invalid JSON"}
	}
	k.policy = in.Policy
	return &empty{}, nil
}

type deletionInput struct {
	KeyId               string //nolint:revive // AWS's name
	PendingWindowInDays int
}

type deletionOutput struct {
	KeyId               string  //nolint:revive // AWS's name
	DeletionDate        float64 `json:",omitempty"`
	KeyState            string  `json:",omitempty"`
	PendingWindowInDays int     `json:",omitempty"`
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html
func (s *Service) scheduleDeletion(_ context.Context, c *wire.Call, in *deletionInput) (*deletionOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, k, err := s.find(in.KeyId)
	if err != nil {
		return nil, err
	}
	days := 30
	if in.PendingWindowInDays != 0 {
		days = in.PendingWindowInDays
	}
	switch {
	case !k.deletion.IsZero():
		return nil, beingDeleted(id)
	case days < 7 || days > 30:
		return nil, invalid("a key waits 7 to 30 days for its deletion")
	}
	k.deletion = c.Now.Add(time.Duration(days) * 24 * time.Hour)
	return &deletionOutput{arnPrefix + id, float64(k.deletion.Unix()), pending, days}, nil
}

// https://docs.aws.amazon.com/kms/latest/APIReference/API_CancelKeyDeletion.html
func (s *Service) cancelDeletion(_ context.Context, _ *wire.Call, in *deletionInput) (*deletionOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, k, err := s.find(in.KeyId)
	if err != nil {
		return nil, err
	}
	if k.deletion.IsZero() {
		return nil, &wire.Error{Code: "KMSInvalidStateException", Message: arnPrefix + id + " is not pending deletion."}
	}
	k.deletion, k.disabled = time.Time{}, true
	return &deletionOutput{KeyId: arnPrefix + id}, nil
}

func beingDeleted(id string) error {
	return &wire.Error{Code: "KMSInvalidStateException", Message: arnPrefix + id + " is pending deletion."}
}

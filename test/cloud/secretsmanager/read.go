package secretsmanager

import (
	"context"
	"slices"
	"time"
)

type idInput struct {
	SecretID string `json:"SecretId"`
}

type description struct {
	ARN, Name                      string
	Type                           string              `json:",omitempty"`
	Description                    string              `json:",omitempty"`
	KmsKeyID                       string              `json:"KmsKeyId,omitempty"`
	RotationEnabled                *bool               `json:",omitempty"`
	RotationLambdaARN              string              `json:",omitempty"`
	RotationRules                  *rotationRules      `json:",omitempty"`
	ExternalSecretRotationMetadata []externalMetadata  `json:",omitempty"`
	ExternalSecretRotationRoleArn  string              `json:",omitempty"`
	LastRotatedDate                *float64            `json:",omitempty"`
	LastChangedDate                *float64            `json:",omitempty"`
	LastAccessedDate               *float64            `json:",omitempty"`
	DeletedDate                    *float64            `json:",omitempty"`
	NextRotationDate               *float64            `json:",omitempty"`
	CreatedDate                    *float64            `json:",omitempty"`
	Tags                           *[]tag              `json:",omitempty"`
	VersionIDsToStages             map[string][]string `json:"VersionIdsToStages,omitempty"`
	SecretVersionsToStages         map[string][]string `json:",omitempty"`
	PrimaryRegion                  string              `json:",omitempty"`
	ReplicationStatus              []*replicaStatus    `json:",omitempty"`
}

func (s *secret) describe() *description {
	out := &description{
		ARN: s.arn, Name: s.name, Type: s.kind, Description: s.description, KmsKeyID: s.kmsKey,
		RotationEnabled: s.rotation.enabled, RotationLambdaARN: s.rotation.function,
		RotationRules:                  s.rotation.described(),
		ExternalSecretRotationMetadata: s.rotation.external,
		ExternalSecretRotationRoleArn:  s.rotation.externalAs,
		LastRotatedDate:                stamp(s.rotation.rotated),
		LastChangedDate:                stamp(s.changed), LastAccessedDate: stamp(s.accessed),
		DeletedDate: stamp(s.deleted), CreatedDate: stamp(s.created),
		ReplicationStatus: s.replicaStatus(),
	}
	if s.rotation.enabled != nil && *s.rotation.enabled {
		out.NextRotationDate = stamp(s.rotation.next)
	}
	if s.tags != nil {
		tags := slices.Clone(s.tags)
		out.Tags = &tags
	}
	if len(s.replicas) > 0 {
		out.PrimaryRegion = primaryRegion
	}
	return out
}

func describe(ctx context.Context, s *Service, in *idInput) (any, error) {
	sec, _, err := s.view(ctx, in.SecretID)
	if err != nil {
		return nil, err
	}
	out := sec.describe()
	out.VersionIDsToStages = sec.stages()
	return out, nil
}

type getInput struct {
	SecretID     string `json:"SecretId"`
	VersionID    string `json:"VersionId"`
	VersionStage string
}

type valueOutput struct {
	ARN, Name     string
	VersionID     string   `json:"VersionId"`
	SecretBinary  []byte   `json:",omitempty"`
	SecretString  *string  `json:",omitempty"`
	VersionStages []string `json:",omitempty"`
	CreatedDate   *float64
}

func getValue(ctx context.Context, s *Service, in *getInput) (any, error) {
	sec, live, err := s.view(ctx, in.SecretID)
	if err != nil {
		return nil, err
	}
	if !live.deleted.IsZero() {
		return nil, marked()
	}
	v, err := sec.choose(in.VersionID, in.VersionStage)
	if err != nil {
		return nil, err
	}
	// The date of access has no time, by the API reference.
	day := s.now().Truncate(24 * time.Hour)
	live.accessed = day
	if lv := live.version(v.id); lv != nil {
		lv.accessed = day
	}
	return &valueOutput{
		ARN: sec.arn, Name: sec.name, VersionID: v.id, SecretBinary: v.binary, SecretString: v.text,
		VersionStages: slices.Clone(v.labels), CreatedDate: stamp(v.created),
	}, nil
}

// choose finds a version with a value by its id, its label, or both.
func (s *secret) choose(id, label string) (*version, error) {
	if id == "" {
		if label == "" {
			label = current
		}
		v := s.holder(label)
		if v == nil || v.empty() {
			return nil, notFound("Secrets Manager can't find the specified secret value for staging label: %s", label)
		}
		return v, nil
	}
	v := s.version(id)
	if v == nil {
		return nil, unknownVersion(id)
	}
	if label != "" && !v.has(label) {
		return nil, invalidRequest("You provided a VersionStage that is not associated to the provided VersionId.")
	}
	if v.empty() {
		return nil, unknownVersion(id)
	}
	return v, nil
}

type listVersionsInput struct {
	SecretID          string `json:"SecretId"`
	IncludeDeprecated bool
	MaxResults        int
	NextToken         string
}

type versionEntry struct {
	VersionID        string   `json:"VersionId"`
	VersionStages    []string `json:",omitempty"`
	KmsKeyIDs        []string `json:"KmsKeyIds"`
	CreatedDate      *float64
	LastAccessedDate *float64 `json:",omitempty"`
}

func listVersions(ctx context.Context, s *Service, in *listVersionsInput) (any, error) {
	sec, _, err := s.view(ctx, in.SecretID)
	if err != nil {
		return nil, err
	}
	var all []*versionEntry
	for _, v := range sec.versions {
		if len(v.labels) == 0 && !in.IncludeDeprecated {
			continue
		}
		key := v.kmsKey
		if key == "" {
			key = defaultKey
		}
		all = append(all, &versionEntry{
			VersionID: v.id, VersionStages: slices.Clone(v.labels), KmsKeyIDs: []string{key},
			CreatedDate: stamp(v.created), LastAccessedDate: stamp(v.accessed),
		})
	}
	from, to, next, err := s.paginate(in.NextToken, in.MaxResults, len(all), maxPage)
	if err != nil {
		return nil, err
	}
	return struct {
		ARN, Name string
		Versions  []*versionEntry
		NextToken string `json:",omitempty"`
	}{sec.arn, sec.name, all[from:to], next}, nil
}

// Package secretsmanager is the adapter from package store to AWS Secrets
// Manager.
//
// Every error it returns is a [*store.Error]: AWS's code and a kind, never
// AWS's text, which may repeat what it was sent.
package secretsmanager

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/shared/store"
)

// API is what a Store needs of the SDK's client.
type API interface {
	DescribeSecret(context.Context, *sm.DescribeSecretInput, ...func(*sm.Options)) (*sm.DescribeSecretOutput, error)
	GetSecretValue(context.Context, *sm.GetSecretValueInput, ...func(*sm.Options)) (*sm.GetSecretValueOutput, error)
	ListSecretVersionIds(context.Context, *sm.ListSecretVersionIdsInput, ...func(*sm.Options)) (*sm.ListSecretVersionIdsOutput, error)
	PutSecretValue(context.Context, *sm.PutSecretValueInput, ...func(*sm.Options)) (*sm.PutSecretValueOutput, error)
	RotateSecret(context.Context, *sm.RotateSecretInput, ...func(*sm.Options)) (*sm.RotateSecretOutput, error)
	UpdateSecretVersionStage(context.Context, *sm.UpdateSecretVersionStageInput, ...func(*sm.Options)) (*sm.UpdateSecretVersionStageOutput, error)
}

// Store reads and writes secrets. It is safe for concurrent use.
type Store struct{ api API }

// New returns a Store on client.
func New(client API) *Store { return &Store{client} }

// Open is [New] with a client for cfg.
func Open(cfg aws.Config) *Store { return New(sm.NewFromConfig(cfg)) }

// Describe returns what Secrets Manager knows about a secret, without a value.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DescribeSecret.html
func (s *Store) Describe(ctx context.Context, secretID string) (store.Secret, error) {
	out, err := s.api.DescribeSecret(ctx, &sm.DescribeSecretInput{SecretId: &secretID})
	if err != nil {
		return store.Secret{}, failed("DescribeSecret", err)
	}
	d := store.Secret{
		ARN:             aws.ToString(out.ARN),
		Name:            aws.ToString(out.Name),
		RotationEnabled: aws.ToBool(out.RotationEnabled),
		RotationLambda:  aws.ToString(out.RotationLambdaARN),
		Stages:          out.VersionIdsToStages,
		Tags:            make(map[string]string, len(out.Tags)),
		OwningService:   aws.ToString(out.OwningService),
		Type:            aws.ToString(out.Type),
		External:        len(out.ExternalSecretRotationMetadata) > 0 || aws.ToString(out.ExternalSecretRotationRoleArn) != "",
		Created:         aws.ToTime(out.CreatedDate),
		LastChanged:     aws.ToTime(out.LastChangedDate),
		LastRotated:     aws.ToTime(out.LastRotatedDate),
		NextRotation:    aws.ToTime(out.NextRotationDate),
		Deleted:         aws.ToTime(out.DeletedDate),
	}
	for _, t := range out.Tags {
		d.Tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	for _, r := range out.ReplicationStatus {
		d.Replicas = append(d.Replicas, store.Replica{Region: aws.ToString(r.Region), Status: string(r.Status)})
	}
	return d, nil
}

// Get returns the version with this ID and this label; either may be "", and
// both "" is AWSCURRENT. A version without a value is not found.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
func (s *Store) Get(ctx context.Context, secretID, version, stage string) (store.Version, error) {
	out, err := s.api.GetSecretValue(ctx, &sm.GetSecretValueInput{
		SecretId: &secretID, VersionId: optional(version), VersionStage: optional(stage),
	})
	if err != nil {
		return store.Version{}, failed("GetSecretValue", err)
	}
	v := store.Version{
		ARN:     aws.ToString(out.ARN),
		Name:    aws.ToString(out.Name),
		ID:      aws.ToString(out.VersionId),
		Stages:  out.VersionStages,
		Created: aws.ToTime(out.CreatedDate),
		Binary:  out.SecretString == nil,
	}
	if out.SecretString != nil {
		v.Value = secret.New(*out.SecretString)
	}
	return v, nil
}

// Put stores a version and returns its labels. It sends nothing without a token
// and a label: AWS would invent the one, and make the value current without the
// other. The same token and value twice is the same as once; another value is
// [store.KindExists].
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
func (s *Store) Put(ctx context.Context, p store.Put) ([]string, error) {
	if p.Token == "" || len(p.Stages) == 0 {
		return nil, &store.Error{Op: "PutSecretValue", Kind: store.KindInvalid, Code: "NoTokenOrStage"}
	}
	var w attempts
	out, err := s.api.PutSecretValue(ctx, &sm.PutSecretValueInput{
		SecretId:           &p.SecretID,
		ClientRequestToken: &p.Token,
		SecretString:       aws.String(p.Value.Reveal()),
		VersionStages:      p.Stages,
		RotationToken:      optional(p.RotationToken.Reveal()),
	}, w.watch)
	if err != nil {
		return nil, w.failed("PutSecretValue", err)
	}
	return out.VersionStages, nil
}

// Promote moves AWSCURRENT to version to. from is the version that has it now,
// "" if none has; AWS refuses any other.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html
func (s *Store) Promote(ctx context.Context, secretID, to, from string) error {
	return s.stage(ctx, secretID, store.Current, to, from)
}

// Unstage takes label off version from.
func (s *Store) Unstage(ctx context.Context, secretID, label, from string) error {
	return s.stage(ctx, secretID, label, "", from)
}

func (s *Store) stage(ctx context.Context, secretID, label, to, from string) error {
	var w attempts
	_, err := s.api.UpdateSecretVersionStage(ctx, &sm.UpdateSecretVersionStageInput{
		SecretId: &secretID, VersionStage: &label,
		MoveToVersionId: optional(to), RemoveFromVersionId: optional(from),
	}, w.watch)
	if err != nil {
		return w.failed("UpdateSecretVersionStage", err)
	}
	return nil
}

// Versions returns every version, unlabeled ones included.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecretVersionIds.html
func (s *Store) Versions(ctx context.Context, secretID string) ([]store.VersionInfo, error) {
	in := &sm.ListSecretVersionIdsInput{SecretId: &secretID, IncludeDeprecated: aws.Bool(true), MaxResults: aws.Int32(100)}
	var all []store.VersionInfo
	for {
		out, err := s.api.ListSecretVersionIds(ctx, in)
		if err != nil {
			return nil, failed("ListSecretVersionIds", err)
		}
		for _, v := range out.Versions {
			all = append(all, store.VersionInfo{ID: aws.ToString(v.VersionId), Stages: v.VersionStages, Created: aws.ToTime(v.CreatedDate)})
		}
		if aws.ToString(out.NextToken) == "" {
			return all, nil
		}
		in.NextToken = out.NextToken
	}
}

// Rotate asks Secrets Manager to rotate now, and returns the ID of the version
// that this makes: token, or one that the SDK chose if token is "".
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html
func (s *Store) Rotate(ctx context.Context, secretID, token string) (version string, err error) {
	var w attempts
	out, err := s.api.RotateSecret(ctx, &sm.RotateSecretInput{SecretId: &secretID, ClientRequestToken: optional(token)}, w.watch)
	if err != nil {
		return "", w.failed("RotateSecret", err)
	}
	return aws.ToString(out.VersionId), nil
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

package secretsmanager

import (
	"context"
	"slices"
)

// maxValue is the size limit of a value in bytes.
const maxValue = 65536

// maxLabels is how many staging labels a secret may have.
const maxLabels = 20

const defaultKey = "DefaultEncryptionKey"

// identity is the answer of most writes.
type identity struct {
	ARN, Name         string
	VersionID         string           `json:"VersionId,omitempty"`
	VersionStages     []string         `json:",omitempty"`
	ReplicationStatus []*replicaStatus `json:",omitempty"`
}

type createInput struct {
	Name, Description, ClientRequestToken, KmsKeyID, Type string
	SecretString                                          *string
	SecretBinary                                          []byte
	Tags                                                  []tag
	AddReplicaRegions                                     []replicaRegion
	ForceOverwriteReplicaSecret                           bool
}

func create(_ context.Context, s *Service, in *createInput) (any, error) {
	if !validName(in.Name) {
		return nil, badName()
	}
	if err := checkToken(in.ClientRequestToken, "InvalidRequestException"); err != nil {
		return nil, err
	}
	if err := checkValue(in.SecretString, in.SecretBinary, false); err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	for _, r := range in.AddReplicaRegions {
		if r.Region == primaryRegion {
			return nil, invalidParameter("Invalid replica region.")
		}
	}
	if old := s.secrets[in.Name]; old != nil {
		return recreate(old, in)
	}
	now := s.now()
	sec := &secret{
		name: in.Name, arn: arnPrefix + in.Name + "-" + s.pick(6, letters),
		description: in.Description, kmsKey: in.KmsKeyID, kind: in.Type,
		created: now, changed: now, wrote: now, tags: slices.Clone(in.Tags),
	}
	s.secrets[in.Name] = sec
	out := identity{ARN: sec.arn, Name: sec.name}
	if in.SecretString != nil || in.SecretBinary != nil {
		v := s.addVersion(sec, in.ClientRequestToken)
		v.text, v.binary = in.SecretString, in.SecretBinary
		s.attach(sec, v, current)
		out.VersionID = v.id
	}
	s.addReplicas(sec, in.AddReplicaRegions)
	out.ReplicationStatus = sec.replicaStatus()
	return out, nil
}

// recreate answers a CreateSecret for a name that is taken: with success if it
// is the same request again.
func recreate(old *secret, in *createInput) (any, error) {
	if !old.deleted.IsZero() {
		return nil, invalidRequest("You can't create this secret because a secret with this name is already scheduled for deletion.")
	}
	if v := old.version(in.ClientRequestToken); v != nil {
		if v.sameValue(in.SecretString, in.SecretBinary) {
			return identity{ARN: old.arn, Name: old.name, VersionID: v.id}, nil
		}
		return nil, tokenInUse(v, old)
	}
	return nil, fail("ResourceExistsException", "The operation failed because the secret %s already exists.", old.name)
}

func checkValue(text *string, binary []byte, need bool) error {
	switch {
	case text != nil && binary != nil:
		return invalidParameter("You can't specify both a binary secret value and a string secret value in the same secret.")
	case need && text == nil && binary == nil:
		return invalidRequest("You must provide either SecretString or SecretBinary.")
	}
	return nil
}

func (s *Service) addVersion(sec *secret, id string) *version {
	v := &version{id: id, created: s.now(), kmsKey: sec.kmsKey}
	sec.versions = append(sec.versions, v)
	return v
}

type putInput struct {
	SecretID           string `json:"SecretId"`
	ClientRequestToken string
	RotationToken      string
	SecretString       *string
	SecretBinary       []byte
	VersionStages      []string
}

func putValue(_ context.Context, s *Service, in *putInput) (any, error) {
	if err := checkID(in.SecretID); err != nil {
		return nil, err
	}
	if err := checkToken(in.ClientRequestToken, "InvalidRequestException"); err != nil {
		return nil, err
	}
	if err := checkValue(in.SecretString, in.SecretBinary, true); err != nil {
		return nil, err
	}
	sec, err := s.get(in.SecretID)
	if err != nil {
		return nil, err
	}
	labels := in.VersionStages
	if len(labels) == 0 {
		labels = []string{current}
	}
	v, err := s.store(sec, in.ClientRequestToken, in.SecretString, in.SecretBinary, labels)
	if err != nil {
		return nil, err
	}
	return identity{ARN: sec.arn, Name: sec.name, VersionID: v.id, VersionStages: slices.Clone(v.labels)}, nil
}

func tokenInUse(v *version, sec *secret) error {
	return fail("ResourceExistsException",
		"You can't use ClientRequestToken %s because that value is already in use for a version of secret %s.", v.id, sec.arn)
}

// store puts a value under a token, once: the same again is a success without
// effect, another value is refused.
func (s *Service) store(sec *secret, token string, text *string, binary []byte, labels []string) (*version, error) {
	v := sec.version(token)
	if v != nil && !v.empty() {
		if v.sameValue(text, binary) {
			return v, nil
		}
		return nil, tokenInUse(v, sec)
	}
	if len(sec.versions) == 0 && !slices.Contains(labels, current) {
		labels = append(slices.Clone(labels), current)
	}
	if s.tooManyLabels(sec, labels) {
		return nil, fail("LimitExceededException", "You've exceeded the limit of %d staging labels for a secret.", maxLabels)
	}
	s.write(sec)
	if v == nil {
		v = s.addVersion(sec, token)
	}
	v.text, v.binary = text, binary
	for _, l := range labels {
		s.attach(sec, v, l)
	}
	if slices.Contains(labels, current) {
		s.replacedByHand(sec, v)
	}
	s.prune(sec)
	return v, nil
}

func (s *Service) tooManyLabels(sec *secret, labels []string) bool {
	n := sec.labelCount()
	for _, l := range labels {
		if sec.holder(l) == nil {
			n++
		}
	}
	return n > maxLabels
}

// replacedByHand takes AWSPENDING off when a new version became current by
// itself: a rotation under way is abandoned.
func (s *Service) replacedByHand(sec *secret, v *version) {
	if p := sec.holder(pending); p != nil && p != v {
		p.drop(pending)
	}
	if sec.job != nil && sec.job.token != v.id {
		s.abandon(sec)
	}
	s.reschedule(sec)
}

type updateInput struct {
	SecretID           string `json:"SecretId"`
	ClientRequestToken string
	Description        *string
	KmsKeyID           *string `json:"KmsKeyId"`
	Type               *string
	SecretString       *string
	SecretBinary       []byte
}

func update(_ context.Context, s *Service, in *updateInput) (any, error) {
	if err := checkID(in.SecretID); err != nil {
		return nil, err
	}
	if err := checkToken(in.ClientRequestToken, "InvalidRequestException"); err != nil {
		return nil, err
	}
	if err := checkValue(in.SecretString, in.SecretBinary, false); err != nil {
		return nil, err
	}
	sec, err := s.get(in.SecretID)
	if err != nil {
		return nil, err
	}
	out := identity{ARN: sec.arn, Name: sec.name}
	if in.SecretString != nil || in.SecretBinary != nil {
		v, err := s.store(sec, in.ClientRequestToken, in.SecretString, in.SecretBinary, []string{current})
		if err != nil {
			return nil, err
		}
		out.VersionID = v.id
	}
	if in.Description == nil && in.KmsKeyID == nil && in.Type == nil {
		return out, nil
	}
	if out.VersionID == "" {
		s.write(sec)
	}
	set(&sec.description, in.Description)
	set(&sec.kmsKey, in.KmsKeyID)
	set(&sec.kind, in.Type)
	return out, nil
}

func set(to, from *string) {
	if from != nil {
		*to = *from
	}
}

package secretsmanager

import (
	"context"
	"slices"
	"time"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

const primaryRegion = wire.Region

type replicaRegion struct {
	Region   string
	KmsKeyID string `json:"KmsKeyId"`
}

// replica is a copy of a secret in another Region. Only its status is
// modeled: the local AWS has one Region.
type replica struct {
	region, kmsKey, status, message string
	accessed                        time.Time
}

type replicaStatus struct {
	Region           string
	KmsKeyID         string `json:"KmsKeyId,omitempty"`
	Status           string
	StatusMessage    string   `json:",omitempty"`
	LastAccessedDate *float64 `json:",omitempty"`
}

func (s *secret) replicaStatus() []*replicaStatus {
	var out []*replicaStatus
	for _, r := range s.replicas {
		out = append(out, &replicaStatus{
			Region: r.region, KmsKeyID: r.kmsKey, Status: r.status,
			StatusMessage: r.message, LastAccessedDate: stamp(r.accessed),
		})
	}
	return out
}

func (s *secret) replicaRegions() []string {
	var out []string
	for _, r := range s.replicas {
		out = append(out, r.region)
	}
	return out
}

// addReplicas begins to copy the secret. s.mu is held.
func (s *Service) addReplicas(sec *secret, regions []replicaRegion) {
	for _, to := range regions {
		r := &replica{region: to.Region, kmsKey: to.KmsKeyID, status: "InProgress"}
		if i := slices.IndexFunc(sec.replicas, func(o *replica) bool { return o.region == to.Region }); i >= 0 {
			sec.replicas[i] = r
		} else {
			sec.replicas = append(sec.replicas, r)
		}
		s.opt.Clock.After(s.opt.ReplicaDelay, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			r.status = "InSync"
		})
	}
}

type replicateInput struct {
	SecretID                    string `json:"SecretId"`
	AddReplicaRegions           []replicaRegion
	ForceOverwriteReplicaSecret bool
}

type replicaOutput struct {
	ARN               string
	ReplicationStatus []*replicaStatus
}

func replicate(_ context.Context, s *Service, in *replicateInput) (any, error) {
	sec, err := s.get(in.SecretID)
	if err != nil {
		return nil, err
	}
	for _, r := range in.AddReplicaRegions {
		if r.Region == primaryRegion {
			return nil, invalidParameter("Invalid replica region.")
		}
		taken := slices.ContainsFunc(sec.replicas, func(o *replica) bool { return o.region == r.Region })
		if taken && !in.ForceOverwriteReplicaSecret {
			return nil, fail("ResourceExistsException", "The secret is already replicated to %s.", r.Region)
		}
	}
	s.write(sec)
	s.addReplicas(sec, in.AddReplicaRegions)
	return replicaOutput{sec.arn, sec.replicaStatus()}, nil
}

type removeRegionsInput struct {
	SecretID             string `json:"SecretId"`
	RemoveReplicaRegions []string
}

func removeRegions(_ context.Context, s *Service, in *removeRegionsInput) (any, error) {
	sec, err := s.get(in.SecretID)
	if err != nil {
		return nil, err
	}
	s.write(sec)
	sec.replicas = slices.DeleteFunc(slices.Clone(sec.replicas), func(r *replica) bool {
		return slices.Contains(in.RemoveReplicaRegions, r.region)
	})
	out := replicaOutput{sec.arn, sec.replicaStatus()}
	if out.ReplicationStatus == nil {
		out.ReplicationStatus = []*replicaStatus{}
	}
	return out, nil
}

// stopReplication works in the replica's Region only, and here there is none.
func stopReplication(_ context.Context, s *Service, in *idInput) (any, error) {
	if _, err := s.get(in.SecretID); err != nil {
		return nil, err
	}
	return nil, invalidRequest("The operation is only valid for a replica secret, in the Region of the replica.")
}

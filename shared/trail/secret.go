package trail

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Values of Event.Source that name secrets.
const (
	SecretsManager = "secretsmanager.amazonaws.com"
	KMS            = "kms.amazonaws.com"
)

// SecretRef is a secret as a record names it: by ARN, by part of an ARN, or
// by name. Account and Region are the ARN's, or else the record's.
type SecretRef struct {
	// ARN is empty when only the name is known. It may lack the six characters
	// at its end.
	ARN string
	// Name is the name without the six characters, as far as one can tell.
	Name            string
	Account, Region string
	// Version is the version that was asked for or written, if the record says.
	Version string
	// Stage is the staging label that was asked for or moved, if the record says.
	Stage string
}

// Is says whether r names the secret with this whole ARN.
func (r SecretRef) Is(arn string) bool {
	if r.ARN == arn {
		return arn != ""
	}
	full := ParseSecret(arn)
	if full.ARN == "" || full.Account != r.Account || full.Region != r.Region {
		return false
	}
	if r.ARN != "" {
		return strings.HasPrefix(arn, r.ARN+"-") && suffix(arn[len(r.ARN):])
	}
	return r.Name == full.Name
}

// ParseSecret reads a secret's id: an ARN, part of one, or a name.
func ParseSecret(id string) SecretRef {
	p := strings.SplitN(id, ":", 7)
	if len(p) < 7 || p[0] != "arn" || p[2] != "secretsmanager" || p[5] != "secret" {
		return SecretRef{Name: id}
	}
	name := p[6]
	if n := len(name) - 7; n > 0 && suffix(name[n:]) {
		name = name[:n]
	}
	return SecretRef{ARN: id, Name: name, Region: p[3], Account: p[4]}
}

// suffix says whether s is a dash and the six characters that AWS adds.
func suffix(s string) bool {
	if len(s) != 7 || s[0] != '-' {
		return false
	}
	for _, c := range s[1:] {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

type secretRequest struct {
	SecretID     string         `json:"secretId"`
	Name         string         `json:"name"`
	List         jsontext.Value `json:"secretIdList"`
	VersionID    string         `json:"versionId"`
	VersionStage string         `json:"versionStage"`
	Token        string         `json:"clientRequestToken"`
	MoveTo       string         `json:"moveToVersionId"`
	Context      struct {
		ARN     string `json:"SecretARN"`
		Version string `json:"SecretVersionId"`
	} `json:"encryptionContext"`
}

// Secrets are the secrets that the event is about, each once: of Secrets
// Manager's events, and of KMS calls that carry a secret in their encryption
// context. It looks in the order resources, request, response, additional
// data, service details, message, and stops where it finds any. It decodes
// parts of the record on every call.
func (e Event) Secrets() []SecretRef {
	if e.Source != SecretsManager && e.Source != KMS {
		return nil
	}
	var q secretRequest
	_ = decode(e.Request, &q) // What has another shape names no secret; the next place may.
	if e.Source == KMS {
		if q.Context.ARN == "" {
			return nil
		}
		r := ParseSecret(q.Context.ARN)
		r.Version = q.Context.Version
		return []SecretRef{r}
	}
	var out []SecretRef
	for _, id := range e.secretIDs(&q) {
		r := ParseSecret(id)
		if r.ARN == "" {
			r.Account, r.Region = e.Account, e.Region
		}
		r.Version, r.Stage = e.version(&q)
		if !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	return out
}

func (e Event) secretIDs(q *secretRequest) []string {
	var ids []string
	if e.Resources != nil {
		for _, r := range e.ResourceList() {
			if ParseSecret(r.ARN).ARN != "" {
				ids = append(ids, r.ARN)
			}
		}
	}
	if len(ids) > 0 {
		return ids
	}
	if ids = split(q.SecretID); len(ids) == 0 {
		ids = list(q.List)
	}
	if len(ids) > 0 {
		return ids
	}
	places := []jsontext.Value{jsontext.Value(e.Response), jsontext.Value(e.Additional), jsontext.Value(e.Details)}
	for _, place := range places {
		if id := named(place); id != "" {
			return []string{id}
		}
	}
	if q.Name != "" {
		return []string{q.Name}
	}
	if r, ok := e.Refusal(); ok && r.Resource != "" && r.Resource != "*" {
		return []string{r.Resource}
	}
	return nil
}

// named reads the one secret that a part of a record names, its ARN first.
func named(place jsontext.Value) string {
	if len(place) == 0 {
		return ""
	}
	var p struct {
		Lower  string `json:"arn"`
		Mixed  string `json:"aRN"`
		Upper  string `json:"ARN"`
		ID     string `json:"SecretId"`
		LowID  string `json:"secretId"`
		LowARN string `json:"secretArn"`
		Name   string `json:"Name"`
	}
	if decode([]byte(place), &p) != nil {
		return ""
	}
	for _, id := range [...]string{p.Lower, p.Mixed, p.Upper, p.ID, p.LowARN, p.LowID, p.Name} {
		if id != "" {
			return id
		}
	}
	return ""
}

func (e Event) version(q *secretRequest) (version, stage string) {
	switch e.Name {
	case "PutSecretValue", "CreateSecret", "UpdateSecret":
		return q.Token, ""
	case "UpdateSecretVersionStage":
		return q.MoveTo, q.VersionStage
	case TypeLabel:
		stage, version, _ = e.Label()
		return version, stage
	default:
		return q.VersionID, q.VersionStage
	}
}

// list reads an array of ids, or one string with commas.
func list(v jsontext.Value) []string {
	var ids []string
	if len(v) == 0 || decode([]byte(v), &ids) == nil {
		return ids
	}
	var one string
	_ = decode([]byte(v), &one) // Another shape names nothing.
	return split(one)
}

func split(s string) []string {
	var out []string
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

package watch

import (
	"bytes"
	"slices"

	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/trail"
)

// About returns what reports whether an event is about the installation: one of its
// secrets, or one of the functions, queues, topics, tables, buckets, rules and KMS
// keys that it consists of. A call to Secrets Manager that names no secret may be.
func About(s *detect.Site) func(*trail.Event) bool {
	secrets := make(map[string]bool, len(s.Secrets))
	for _, one := range s.Secrets {
		secrets[one.Name] = true
	}
	var parts [][]byte
	for _, name := range slices.Concat(s.Functions, s.Resources, s.Keys) {
		parts = append(parts, []byte(name))
	}
	return func(e *trail.Event) bool {
		refs := e.Secrets()
		if slices.ContainsFunc(refs, func(r trail.SecretRef) bool { return len(secrets) == 0 || secrets[r.Name] }) {
			return true
		}
		if e.Source == trail.SecretsManager {
			return len(refs) == 0
		}
		return slices.ContainsFunc(parts, func(p []byte) bool { return bytes.Contains(e.Request, p) || bytes.Contains(e.Resources, p) })
	}
}

package secretsmanager

// Peek returns the version of a secret that has a label, and its text, as no API
// does: nothing is recorded of it, and no stale read is seen. Who judges an exercise
// uses it. Both are empty if there is no such version.
func (s *Service) Peek(id, label string) (version, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sec := s.find(id)
	if sec == nil {
		return "", ""
	}
	for _, v := range sec.versions {
		if v.has(label) {
			if v.text != nil {
				text = *v.text
			}
			return v.id, text
		}
	}
	return "", ""
}

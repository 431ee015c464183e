package detect

// All returns every rule, with the site's thresholds, in the order of the ids.
func All(s *Site) []Rule {
	return []Rule{
		honeytoken(),
		bruteForce(s.threshold("D-02", 5)),
		root(),
		bulkRead(s.threshold("D-10", 20)),
	}
}

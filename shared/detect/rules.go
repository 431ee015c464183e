package detect

// All returns every rule, with the site's thresholds, in the order of the ids.
func All(s *Site) []Rule {
	return []Rule{
		honeytoken(),
		bruteForce(s.threshold("D-02", 5)),
		nameGuessing(s.threshold("D-03", 5)),
		grantedAfterDenials(),
		newReader(),
		newNetwork(),
		outside(),
		noMFA(),
		root(),
		bulkRead(s.threshold("D-10", 20)),
		batchRead(),
		manyRegions(s.threshold("D-12", 3)),
		enumerated(s.threshold("D-13", 5)),
		volume(s.threshold("D-14", 10)),
		pendingRead(),
		strangeSession(),
		adminRead(),
		functionChanged(),
		outsideRotation(),
		unusualHour(s.threshold("D-15", 30)),
		policyChange(),
		rotationOff(),
		rotationFailed(),
		deletion(s.threshold("D-19", 3)),
		outOfBand(),
		staleVersion(),
		tampering(),
		silence(s.threshold("D-23", 45)),
		stolenCredentials(s.threshold("D-24", 3)),
		attackTool(),
		otherAccount(),
		endpointDenial(),
	}
}

package probe

// Unprobed is an assumption that no probe asks about.
type Unprobed struct {
	Claim  string // as in [Probe]
	Reason string
}

// NotProbed returns the assumptions that cannot be asked about on AWS within
// minutes and under a dollar, or are none about AWS.
func NotProbed() []Unprobed {
	return []Unprobed{
		{"A stale read answers from the state", "nothing makes AWS answer with an old state: that no read was stale would say nothing"},
		{"Start- and EndSecretVersionDelete at the end", "a scheduled deletion ends after 7 days at the earliest"},
		{"Above 100 versions", "a version has to be 24 hours old"},
		{"A function of CreateFunction can be invoked if its policy", "AWS goes on to use a permission for an unknown time after it was taken away, so a rotation that goes on says nothing"},
		{"A scheduled rotation that finds AWSPENDING", "the shortest schedule is 4 hours"},

		{"sns: a mail address is confirmed at once", "AWS is known to wait for a person to confirm"},
		{"sns: HTTP is tried again", "needs an endpoint that AWS reaches; our topics' endpoints are the operator's"},
		{"sns: signatures in envelopes", "about the local AWS only"},
		{"dynamodb: a table is ACTIVE", "AWS is known to take seconds; the probes wait for it"},
		{"dynamodb: an expired item stays readable", "AWS says within a few days"},
		{"dynamodb: a read that is not consistent", "nothing makes AWS answer with an old state"},
		{"sqs: messages are delivered in the order", "AWS promises none, so an order that was seen says nothing"},
		{"sqs: PurgeQueue and DeleteQueue", "AWS is known to take up to 60 seconds"},
		{"sqs: one worker of a mapping collects", "AWS runs as many as it likes: what was seen would not tell"},
		{"One worker collects at a time", "as for the workers of a mapping"},
		{"A batch ends when it is full", "6 MB of messages are a size that nothing of ours reaches"},
		{"lambda: at most [Options].MaxEnvironments", "about the local AWS only"},
		{"lambda: no freezing between invocations", "about the local AWS only"},
		{"lambda: a process that does not ask for work", "about the local AWS only"},
		{"scheduler: a rate that is late by several periods", "only a clock that is moved makes a rate late"},
		{"scheduler: an update starts a rate anew", "AWS fires within a minute of the time, which is the shortest rate: what was seen would not tell"},
		{"scheduler: retries wait one minute", "four retries take over 15 minutes, and AWS does not say when the last was"},
		{"scheduler: every error of an invocation is retried", "as for the waits"},
		{"scheduler: a deletion does not stop retries", "as for the waits"},
		{"scheduler: groups are deleted at once", "AWS is known to take a while"},
		{"scheduler: a target without Input", "AWS is known to send a notification; our schedules have an input"},
		{"sts: there are no users and no trust policies", "about the local AWS only; make test-aws checks roles with IAM itself"},
		{"sts: a caller is the role", "about the local AWS only"},
		{"cloudtrail: the resources", "the probe trail asks it with the answers"},
		{"A digest an hour", "needs a trail, of which a Region has five, and an hour"},
		{"ListPublicKeys: PKCS #1", "a key is valid longer than a probe may take"},
		{"An empty object", "needs a trail"},
		{"StopLogging, StartLogging and DeleteTrail", "nobody should stop a trail to see what is lost"},
		{"Management events of Lambda", "that a record never comes cannot be seen within minutes"},
		{"KMS: `resources` has the key", "AWS keeps data keys for an unknown time: one call without a record says nothing"},
		{"A denial by IAM", "needs a principal that is denied; a probe has one role"},
		{"DynamoDB's have `apiVersion`", "the records of one's own account show it: keyturn detect reads them"},
		{"ENABLED leaves out calls", "that an event never comes cannot be seen within minutes"},
		{"GetAccountAuthorizationDetails: users", "an account of one's own has too few for a page"},
		{"The default retention applies", "a locked object stays for a day at least, and its bucket with it"},
		{"A message of 1 to 4,096 bytes", "a key stays for 7 days at least, after which a probe would have ended long ago"},
		{"A key is there, disabled or enabled", "nothing makes AWS answer late"},
		{"ssm: others are refused", "about the local AWS only"},
		{"ssm: parameters are of type String", "about the local AWS only"},
	}
}

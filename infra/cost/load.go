package cost

import (
	"time"

	"github.com/keyturn/keyturn/infra/reach"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// meter is something that AWS bills.
type meter int

const (
	secrets meter = iota
	replicas
	adminSecrets
	secretCalls
	consumerReads
	kmsKeys
	replicaKeys
	kmsRequests
	invocations
	gbSeconds
	tableReads
	tableWrites
	queueRequests
	published
	emails
	webhooks
	scheduled
	alarms
	metrics
	dashboards
	logWritten
	logKept
	traces
	natHours
	addressHours
	endpointHours
	objectPuts
	objectGets
	meters // how many there are
)

// load is what is used in a month.
type load [meters]float64

func (l *load) add(m load) {
	for i, v := range m {
		l[i] += v
	}
}

// What is known: the calls of a rotation are counted by a test (ADR 0002), those
// of a look at a secret are in shared/retire.
const (
	rotationCalls   = 9 // to Secrets Manager, the admin secret's included
	rotationValues  = 7 // of them that decrypt or encrypt
	rotationRecords = 1
	rotationAudit   = 3 // messages
	rotationSteps   = 4 // invocations
	lookCalls       = 3 // DescribeSecret, ListSecretVersionIds, the admin secret
	lookValues      = 1
	metricsPerLine  = 4
	metricsOfAlarms = 5 // of the installation
	encryptionKeys  = 4 // and the one that signs the ledger is one of them
	// Interface endpoints of a network that has them: a test of infra/cdk counts
	// them. Gateways cost nothing.
	endpointServices = 4
	// Objects of the ledger, as make bench counts them: for a batch of entries, and
	// for each of them, at any length of the log.
	batchPuts = 6
	batchGets = 5
	entryPuts = 1
	entryGets = 1
	// Alarms are billed by the metrics that they look at: a test of infra/cdk counts
	// them in the templates.
	alarmMetrics     = 20
	alarmMetricsEach = 8 // more for each vendor account
	alarmMetricsChat = 2 // more where there is a chat channel
)

// What is assumed, until somebody's bill says better.
const (
	assumedLooks        = 8   // at a replaced key until it is proven dead
	assumedLookWrites   = 2   // of records and schedules
	assumedStepSeconds  = 2.0 // mostly waiting for the vendor
	assumedLookSeconds  = 1.0
	assumedSweepSeconds = 0.25 // a key, for four are looked at at once
	assumedMemoryGB     = 0.25 // of a function
	assumedLogGB        = 4e-6 // an invocation
	assumedSweepLogGB   = 5e-7 // a key
	assumedLogRatio     = 0.15 // stored size to written
	assumedNews         = 2.0  // notifications of a rotation and its retirement
	assumedZones        = 2.0  // of a network with fixed addresses
	assumedTurnEntries  = 10   // of the ledger about a rotation: our acts, and what CloudTrail tells of them
	assumedTurnBatches  = 4    // that they are written in
	assumedTrailObjects = 30   // of CloudTrail that a comparison reads: a file about every 5 minutes, digests, lists
	assumedCompareSecs  = 10.0 // of a comparison
	assumedReviewSecs   = 60.0
	// Lambda polls a queue with five long polls of 20 seconds at a time, also an
	// empty one, and they are billed.
	// https://aws.amazon.com/premiumsupport/knowledge-center/sqs-high-charges/
	assumedPolls = 5 * 3 * 60 * Hours
)

// reviews of a month.
const reviews = Hours / (24.0 * 7)

// ofKey is what one key uses by itself. Where its schedule cannot be read, it
// does not rotate.
func ofKey(f *keysfile.File, k keysfile.Key, copies int, use Use) load {
	turns := 0.0
	if s, err := keysfile.ParseSchedule(f.Expression(k)); err == nil {
		turns = perMonth(s)
	}
	looks := turns * assumedLooks
	l := load{
		secrets:       1,
		replicas:      float64(copies),
		secretCalls:   turns*rotationCalls + (looks+Hours)*lookCalls + 2*reviews,
		consumerReads: use.Reads,
		kmsRequests:   turns*rotationValues + (looks+Hours)*lookValues + use.Reads,
		invocations:   turns*rotationSteps + looks,
		gbSeconds:     assumedMemoryGB * (turns*rotationSteps*assumedStepSeconds + looks*assumedLookSeconds + Hours*assumedSweepSeconds),
		tableReads:    turns*rotationRecords + looks + Hours + reviews,
		objectPuts:    turns * (assumedTurnBatches*batchPuts + assumedTurnEntries*entryPuts),
		objectGets:    turns * (assumedTurnBatches*batchGets + assumedTurnEntries*entryGets),
		tableWrites:   turns*rotationRecords + looks*assumedLookWrites,
		queueRequests: 3 * turns * (rotationAudit + 1), // sent, received, deleted; and the event of the label
		published:     turns * assumedNews,
		scheduled:     looks,
		logWritten:    (turns*rotationSteps+looks)*assumedLogGB + Hours*assumedSweepLogGB,
	}
	for _, s := range f.Notifications.Subscriptions {
		if !reach.Hears(f, s, k, "info") {
			continue
		}
		if s.Email != "" {
			l[emails] += turns * assumedNews
		}
		if s.HTTPS != "" {
			l[webhooks] += turns * assumedNews
		}
	}
	l.finish(f)
	return l
}

// perMonth returns how many rotations a month has on average.
func perMonth(s keysfile.Schedule) float64 {
	const month = Hours * time.Hour
	if s.Longest() == s.Shortest() {
		return float64(month) / float64(s.Longest())
	}
	// Four years hold every leap day; 500 openings, every day of a week and a month.
	start := s.Next(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC))
	at, n := start, 0
	for n < 500 && at.Sub(start) < 4*365*24*time.Hour {
		at = s.Next(at)
		n++
	}
	return float64(n) * float64(month) / float64(at.Sub(start))
}

// ofWatch is what looking at every access costs where nobody does anything: the
// canary, the seal, the comparison with CloudTrail, the review, and two idle queues.
// What people read comes on top, and is not known; so is the ledger's storage and
// its signatures, which cost less than a cent.
func ofWatch() load {
	const (
		beats, seals, compares = 4 * Hours, Hours, Hours
		runs                   = beats + seals + compares
		batches                = 2 * Hours // of an hour's counts, and of its comparison
	)
	return load{
		secretCalls: beats, kmsRequests: beats, scheduled: runs + reviews, invocations: runs + reviews,
		// The audit function has twice the memory of the others, the review eight times.
		gbSeconds:  2*assumedMemoryGB*((beats+seals)*assumedLookSeconds+compares*assumedCompareSecs) + 8*assumedMemoryGB*reviews*assumedReviewSecs,
		tableReads: 2 * runs, tableWrites: runs,
		queueRequests: 2 * assumedPolls, logWritten: (runs + reviews) * assumedLogGB,
		objectPuts: batches*(batchPuts+entryPuts) + 4*reviews, objectGets: batches*(batchGets+entryGets) + compares*assumedTrailObjects,
	}
}

// ofAll is what is there once, however many keys there are.
func ofAll(f *keysfile.File, use Use) load {
	l := load{kmsKeys: encryptionKeys, replicaKeys: float64(use.Replicas), dashboards: 1, alarms: alarmMetrics}
	if len(f.Notifications.Channels()) > 0 {
		l.add(load{alarms: alarmMetricsChat})
	}
	vendors, admins := map[string]bool{}, map[string]bool{}
	for _, a := range f.VendorAccounts {
		vendors[a.Provider], admins[a.Admin] = true, true
		l.add(load{
			alarms: alarmMetricsEach, invocations: Hours, scheduled: Hours, queueRequests: assumedPolls,
			logWritten: Hours * assumedLogGB,
		})
		if a.Network != nil && a.Network.FixedAddresses {
			l.add(load{natHours: assumedZones * Hours, addressHours: assumedZones * Hours})
		}
		if n := a.Network; n != nil && n.Endpoints {
			zones := float64(len(n.Subnets)) // of a VPC that exists: a subnet of each
			if n.FixedAddresses {
				zones = assumedZones
			}
			l.add(load{endpointHours: zones * endpointServices * Hours})
		}
	}
	for _, k := range f.Keys { // some vendors' keys manage themselves
		delete(admins, k.Name)
	}
	l.add(ofWatch())
	l[adminSecrets] = float64(len(admins))
	l[metrics] = float64(len(vendors))*metricsPerLine + metricsOfAlarms
	if use.Alarms > 0 {
		l[alarms] = float64(use.Alarms)
	}
	l.finish(f)
	return l
}

// finish derives what follows from the rest.
func (l *load) finish(f *keysfile.File) {
	months := float64(f.Functions.LogRetentionDays) * 24 / Hours
	l[logKept] = l[logWritten] * assumedLogRatio * months
	if f.Functions.Tracing {
		l[traces] = l[invocations]
	}
}

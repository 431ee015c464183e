package cost

// Region and AsOf say which prices these are.
const (
	Region = "us-east-1"
	AsOf   = "2026-11-24"
)

// Prices are list prices in dollars, without free tiers, discounts and taxes.
// They were compared on [AsOf] with copies of AWS's pages and with articles of
// 2025 and 2026 that cite them; AWS's price API was not asked. Other Regions
// differ, most by less than a fifth.
const (
	// https://aws.amazon.com/secrets-manager/pricing/: a replica is billed as a
	// secret of its own.
	priceSecret     = 0.40
	priceSecretCall = 0.05 / 10_000
	// https://aws.amazon.com/kms/pricing/: the first and the second yearly
	// rotation of a key add a dollar each, later ones nothing.
	priceKMSKey     = 1.00
	priceKMSRequest = 0.03 / 10_000
	// https://aws.amazon.com/lambda/pricing/, arm64.
	priceInvocation = 0.20 / million
	priceGBSecond   = 0.0000133334
	// https://aws.amazon.com/dynamodb/pricing/on-demand/, since November 2024.
	priceTableRead  = 0.125 / million
	priceTableWrite = 0.625 / million
	// https://aws.amazon.com/sqs/pricing/, standard queues.
	priceQueueRequest = 0.40 / million
	// https://aws.amazon.com/sns/pricing/, standard topics; deliveries to SQS and
	// Lambda are free.
	pricePublish = 0.50 / million
	priceEmail   = 2.00 / 100_000
	priceHTTPS   = 0.60 / million
	// https://aws.amazon.com/eventbridge/pricing/: events of AWS's own services on
	// the default bus are free.
	priceScheduled = 1.00 / million
	// https://aws.amazon.com/cloudwatch/pricing/: metrics are billed for the hours
	// in which they are written.
	priceAlarm     = 0.10
	priceDashboard = 3.00
	priceMetric    = 0.30
	priceLogGB     = 0.50
	priceLogStored = 0.03
	// https://aws.amazon.com/xray/pricing/
	priceTrace = 5.00 / million
	// https://aws.amazon.com/vpc/pricing/
	priceNATHour     = 0.045
	priceAddressHour = 0.005

	million = 1e6
	// Hours is a month of AWS's bills: 365 days in twelve.
	Hours = 730
)

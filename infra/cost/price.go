package cost

// Region says whose prices these are. Other Regions differ, most by less than a
// fifth.
const Region = "us-east-1"

// Price is a list price, without free tiers, discounts and taxes, and where it
// is from. AWS's price API was not asked for any of them.
type Price struct {
	Dollars float64 `json:"dollars"` // for one unit
	Page    string  `json:"page"`    // AWS's own, where it may have changed
	// Compared is what the number was compared with, of when, and on which day.
	// Empty: with nothing.
	Compared string `json:"compared,omitempty"`
}

const (
	million = 1e6
	// Hours is a month of AWS's bills: 365 days in twelve.
	Hours = 730
)

func priceOf(m meter) Price { //nolint:funlen // a table
	at := func(dollars float64, page, compared string) Price {
		return Price{dollars, "https://aws.amazon.com/" + page, compared}
	}
	const read = ", read 2026-11-24"
	switch m {
	case secrets, adminSecrets:
		return at(0.40, "secrets-manager/pricing/", "hivebook.wiki/wiki/aws-secrets-manager-rotated-secrets-dynamic-db-credentials-kms, without a date"+read)
	case replicas:
		// "Each replica secret is billed as a separate secret."
		return at(0.40, "blogs/security/how-to-replicate-secrets-aws-secrets-manager-multiple-regions/", "texts that cite AWS's page, without dates"+read)
	case secretCalls, consumerReads:
		return at(0.05/10_000, "secrets-manager/pricing/", "hivebook.wiki/wiki/aws-secrets-manager-rotated-secrets-dynamic-db-credentials-kms, without a date"+read)
	case kmsKeys, replicaKeys:
		return at(1, "kms/pricing/", "a copy of this page, without a date"+read)
	case kmsRequests:
		return at(0.03/10_000, "kms/pricing/", "factualminds.com/blog/aws-kms-pricing-keys-requests-multi-region, of 2026-06"+read)
	case invocations:
		return at(0.20/million, "lambda/pricing/", "git.mcrn.ar/mariano/lambda_local_runner, lambda-13-cost.md, without a date"+read)
	case gbSeconds: // arm64
		return at(0.0000133334, "lambda/pricing/", "cloudchipr.com/blog/aws-lambda-pricing, of 2024"+read)
	case tableReads:
		return at(0.125/million, "dynamodb/pricing/on-demand/", "airbyte.com/data-engineering-resources/dynamodb-pricing, of 2025-07"+read)
	case tableWrites:
		return at(0.625/million, "dynamodb/pricing/on-demand/", "airbyte.com/data-engineering-resources/dynamodb-pricing, of 2025-07"+read)
	case queueRequests:
		return at(0.40/million, "sqs/pricing/", "")
	case published:
		return at(0.50/million, "sns/pricing/", "factualminds.com/blog/amazon-sns-pricing-publishes-fanout-protocols, of 2026-06"+read)
	case emails:
		return at(2.0/100_000, "sns/pricing/", "factualminds.com/blog/amazon-sns-pricing-publishes-fanout-protocols, of 2026-06"+read)
	case webhooks:
		return at(0.60/million, "sns/pricing/", "factualminds.com/blog/amazon-sns-pricing-publishes-fanout-protocols, of 2026-06"+read)
	case scheduled: // one article of three says that it is free
		return at(1/million, "eventbridge/pricing/", "cloudburn.io/blog/amazon-eventbridge-pricing, of 2026-03"+read)
	case alarms:
		return at(0.10, "cloudwatch/pricing/", "c3x.dev/resources/aws/aws_cloudwatch_metric_alarm, without a date"+read)
	case metrics: // billed for the hours in which they are written
		return at(0.30, "cloudwatch/pricing/", "signoz.io/guides/cloudwatch-pricing, of 2026-02"+read)
	case dashboards:
		return at(3, "cloudwatch/pricing/", "factualminds.com/blog/amazon-cloudwatch-pricing-metrics-logs-alarms-dashboards, of 2026-06"+read)
	case logWritten:
		return at(0.50, "cloudwatch/pricing/", "c3x.dev/blog/cloudwatch-logs-cost-optimization, of 2026-06"+read)
	case logKept:
		return at(0.03, "cloudwatch/pricing/", "c3x.dev/blog/cloudwatch-logs-cost-optimization, of 2026-06"+read)
	case traces:
		return at(5/million, "xray/pricing/", "a copy of this page in German, without a date"+read)
	case natHours:
		return at(0.045, "vpc/pricing/", "cloudburn.io/blog/aws-nat-gateway-pricing, of 2026-02"+read)
	case addressHours:
		return at(0.005, "vpc/pricing/", "cloudburn.io/blog/aws-nat-gateway-pricing, of 2026-02"+read)
	case endpointHours: // each in each zone
		return at(0.01, "privatelink/pricing/", "cloudcostkit.com/calculators/aws-vpc-interface-endpoint-cost-calculator, of 2026-01"+read)
	case objectPuts:
		return at(0.005/1000, "s3/pricing/", "")
	case objectGets:
		return at(0.0004/1000, "s3/pricing/", "")
	case meters:
	}
	return Price{}
}

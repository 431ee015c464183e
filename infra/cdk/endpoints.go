package cdk

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/keyturn/keyturn/shared/iam"
)

// privateServices are what the functions call from a VPC, beside what gateways
// lead to. What a CMK does for these services, and what Lambda does for a
// function (its log, its queue), does not begin in the VPC.
func privateServices() []string { return []string{"scheduler", "secretsmanager", "sns", "sqs"} }

// endpointProps say where endpoints go.
type endpointProps struct {
	at      place
	name    string
	vpc     *string
	subnets []*string     // one of each zone
	from    string        // CIDR
	policy  *iam.Document // nil: AWS's own, which allows everything
}

// newEndpoints makes interface endpoints with private names, so that the
// functions need to know nothing of them.
func newEndpoints(scope constructs.Construct, p endpointProps) {
	scope = constructs.NewConstruct(scope, jsii.String("Endpoints"))
	name := tags(map[string]string{"Name": p.name, TagInstallation: p.at.name})
	group := awsec2.NewCfnSecurityGroup(scope, jsii.String("SecurityGroup"), &awsec2.CfnSecurityGroupProps{
		GroupDescription: jsii.String("Endpoints of AWS for Keyturn: HTTPS in, nothing out"), VpcId: p.vpc, Tags: name,
		SecurityGroupIngress: []any{map[string]any{
			"ipProtocol": "tcp", "fromPort": 443, "toPort": 443, "cidrIp": p.from, "description": "From the VPC",
		}},
		// Without any rule AWS would let everything out.
		SecurityGroupEgress: []any{map[string]any{
			"ipProtocol": "icmp", "fromPort": 252, "toPort": 86, "cidrIp": "255.255.255.255/32", "description": "Nothing",
		}},
	})
	if p.from == anywhere {
		suppress(group, "AwsSolutions-EC23", "Endpoints have no public address. Their private names serve everything in the VPC, whose ranges are not known here; who were left out could not reach these services any more.")
	}
	for _, service := range privateServices() {
		props := &awsec2.CfnVPCEndpointProps{
			VpcId: p.vpc, VpcEndpointType: jsii.String("Interface"), PrivateDnsEnabled: true, SubnetIds: ids(p.subnets),
			SecurityGroupIds: &[]any{group.AttrGroupId()}, ServiceName: jsii.String(endpointService(p.at.region, service)), Tags: name,
		}
		if p.policy != nil {
			props.PolicyDocument = plain(*p.policy)
		}
		awsec2.NewCfnVPCEndpoint(scope, text("Interface-%s", service), props)
	}
}

// endpointService is the name of a service's interface endpoints. In China some
// have another beginning: of ours, as the CDK knows them, SQS.
func endpointService(region, service string) string {
	if iam.Partition(region) == "aws-cn" && service == "sqs" {
		return "cn.com.amazonaws." + region + "." + service
	}
	return "com.amazonaws." + region + "." + service
}

const anywhere = "0.0.0.0/0"

// newGateways lead from route tables to DynamoDB, and to S3, where CloudFormation
// waits for the answer about a first value. They cost nothing.
func newGateways(scope constructs.Construct, region string, vpc *string, routeTables []*string) {
	for _, service := range []string{"s3", "dynamodb"} {
		awsec2.NewCfnVPCEndpoint(scope, text("Endpoint-%s", service), &awsec2.CfnVPCEndpointProps{
			VpcId: vpc, VpcEndpointType: jsii.String("Gateway"), RouteTableIds: ids(routeTables),
			ServiceName: text("com.amazonaws.%s.%s", region, service),
		})
	}
}

// ownOnly lets nobody use an endpoint with the credentials of another account.
func ownOnly(account string) *iam.Document {
	return &iam.Document{Version: iam.Version, Statement: []iam.Statement{{
		Sid: "OwnAccount", Effect: iam.Allow, Principal: &iam.Principals{Everyone: true}, Action: iam.Strings{"*"}, Resource: iam.Strings{"*"},
		Condition: iam.Conditions{"StringEquals": {"aws:PrincipalAccount": {account}}},
	}}}
}

// ids is a list as the CDK takes them there.
func ids(all []*string) *[]any {
	out := make([]any, len(all))
	for i, id := range all {
		out[i] = id
	}
	return &out
}

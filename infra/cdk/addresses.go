package cdk

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/keyturn/keyturn/shared/iam"
)

// vpcRange is of the VPC that is made. It is connected with nothing, so it may be
// the same everywhere.
const vpcRange = "10.97.0.0/24"

// fixedAddresses makes a VPC in two zones, each with a NAT gateway of its own,
// whose addresses are outputs: for vendors that let in listed addresses only.
// They stay while the stack does.
//
// It is made of plain resources: the CDK's own VPC asks AWS for the names of the
// zones while it synthesizes.
func fixedAddresses(scope constructs.Construct, p functionProps, ports []int, endpoints bool) *vpcConfig {
	scope = constructs.NewConstruct(scope, jsii.String("Network"))
	name := tags(map[string]string{"Name": p.name, TagInstallation: p.at.name})
	vpc := awsec2.NewCfnVPC(scope, jsii.String("Vpc"), &awsec2.CfnVPCProps{
		CidrBlock: jsii.String(vpcRange), EnableDnsHostnames: true, EnableDnsSupport: true, Tags: name,
	})
	internet := awsec2.NewCfnInternetGateway(scope, jsii.String("Internet"), &awsec2.CfnInternetGatewayProps{Tags: name})
	attached := awsec2.NewCfnVPCGatewayAttachment(scope, jsii.String("Attachment"), &awsec2.CfnVPCGatewayAttachmentProps{
		VpcId: vpc.Ref(), InternetGatewayId: internet.Ref(),
	})
	out := &vpcConfig{securityGroups: []*string{outOnly(scope, vpc.Ref(), ports)}}
	var tables []*string
	for i, r := range []struct{ public, private string }{
		{"10.97.0.0/27", "10.97.0.64/26"},
		{"10.97.0.32/27", "10.97.0.128/26"},
	} {
		zone := awscdk.Fn_Select(number(i), awscdk.Fn_GetAzs(nil))
		subnet := func(id, block string) (*string, awsec2.CfnRouteTable) {
			s := awsec2.NewCfnSubnet(scope, text("%s%d", id, i+1), &awsec2.CfnSubnetProps{
				VpcId: vpc.Ref(), AvailabilityZone: zone, CidrBlock: &block, MapPublicIpOnLaunch: false, Tags: name,
			})
			t := awsec2.NewCfnRouteTable(scope, text("%sRoutes%d", id, i+1), &awsec2.CfnRouteTableProps{VpcId: vpc.Ref(), Tags: name})
			awsec2.NewCfnSubnetRouteTableAssociation(scope, text("%sAssociation%d", id, i+1), &awsec2.CfnSubnetRouteTableAssociationProps{
				SubnetId: s.Ref(), RouteTableId: t.Ref(),
			})
			return s.Ref(), t
		}
		public, publicRoutes := subnet("Public", r.public)
		awsec2.NewCfnRoute(scope, text("PublicDefault%d", i+1), &awsec2.CfnRouteProps{
			RouteTableId: publicRoutes.Ref(), DestinationCidrBlock: jsii.String("0.0.0.0/0"), GatewayId: internet.Ref(),
		}).AddResourceDependency(attached, nil)
		address := awsec2.NewCfnEIP(scope, text("Address%d", i+1), &awsec2.CfnEIPProps{Domain: jsii.String("vpc"), Tags: name})
		address.AddResourceDependency(attached, nil)
		nat := awsec2.NewCfnNatGateway(scope, text("Nat%d", i+1), &awsec2.CfnNatGatewayProps{
			SubnetId: public, AllocationId: address.AttrAllocationId(), Tags: name,
		})
		private, privateRoutes := subnet("Private", r.private)
		awsec2.NewCfnRoute(scope, text("PrivateDefault%d", i+1), &awsec2.CfnRouteProps{
			RouteTableId: privateRoutes.Ref(), DestinationCidrBlock: jsii.String("0.0.0.0/0"), NatGatewayId: nat.Ref(),
		})
		awscdk.NewCfnOutput(scope, text("Address%dOutput", i+1), &awscdk.CfnOutputProps{
			Value: address.AttrPublicIp(), Description: jsii.String("Requests to the vendor come from this address, for its allow-list"),
		})
		out.subnets, tables = append(out.subnets, private), append(tables, privateRoutes.Ref())
	}
	newGateways(scope, p.at.region, vpc.Ref(), tables)
	if endpoints {
		newEndpoints(scope, endpointProps{at: p.at, name: p.name, vpc: vpc.Ref(), subnets: out.subnets, from: vpcRange, policy: ownOnly(p.at.account)})
	}
	flowLog(scope, p, vpc.Ref())
	return out
}

// flowLog records what the network lets through and refuses.
func flowLog(scope constructs.Construct, p functionProps, vpc *string) {
	logs := awslogs.NewCfnLogGroup(scope, jsii.String("FlowLogs"), &awslogs.CfnLogGroupProps{
		LogGroupName: text("/aws/vpc/%s", p.name), RetentionInDays: number(p.retention()), KmsKeyId: p.dataKey.KeyArn(),
		Tags: tags(map[string]string{TagInstallation: p.at.name}),
	})
	logs.ApplyRemovalPolicy(awscdk.RemovalPolicy_DESTROY, nil)
	arn := p.at.arn("logs", "log-group:/aws/vpc/"+p.name)
	role := newRole(scope, "FlowLogRole", roleProps{
		at: p.at, name: p.name + "-flow", description: "Writes the flow log of " + p.name, settings: p.settings,
		trust: iam.Document{Version: iam.Version, Statement: []iam.Statement{{
			Effect: iam.Allow, Principal: &iam.Principals{Service: iam.Strings{"vpc-flow-logs.amazonaws.com"}}, Action: iam.Strings{"sts:AssumeRole"},
			Condition: iam.Conditions{"StringEquals": {"aws:SourceAccount": {p.at.account}}},
		}}},
		policy: iam.Document{Version: iam.Version, Statement: []iam.Statement{{
			Effect: iam.Allow, Action: iam.Strings{"logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"}, Resource: iam.Strings{arn, arn + ":*"},
		}}},
	})
	suppress(role, nagWildcard, "The streams of one log group, which the flow log names itself.")
	awsec2.NewCfnFlowLog(scope, jsii.String("FlowLog"), &awsec2.CfnFlowLogProps{
		ResourceId: vpc, ResourceType: jsii.String("VPC"), TrafficType: jsii.String("ALL"), LogGroupName: logs.Ref(),
		DeliverLogsPermissionArn: role.AttrArn(), Tags: tags(map[string]string{TagInstallation: p.at.name}),
	})
}

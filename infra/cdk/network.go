package cdk

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/keyturn/keyturn/shared/keysfile"
)

// Network is the VPC in which functions run. From its subnets they must reach
// the vendor, and AWS's own APIs: through NAT or through endpoints for Secrets
// Manager, SNS, SQS, EventBridge Scheduler, DynamoDB and S3 (where
// CloudFormation waits for its answer). A network of the keys' file can have
// these endpoints made.
type Network struct {
	Vpc            awsec2.IVpc
	Subnets        *awsec2.SubnetSelection  // default: private ones with a way out
	SecurityGroups *[]awsec2.ISecurityGroup // default: one that lets out HTTPS alone

	ids *keysfile.Network // of a VPC that is known by its ids
}

// vpcConfig is a network as Lambda is told it.
type vpcConfig struct{ subnets, securityGroups []*string }

// settle returns what a function is given; nil for no VPC.
func (n *Network) settle(scope constructs.Construct, p functionProps) *vpcConfig {
	switch {
	case n == nil:
		return nil
	case n.ids != nil && n.ids.FixedAddresses:
		return fixedAddresses(scope, p, p.dataKey.KeyArn(), n.ids.Endpoints)
	case n.ids != nil:
		c := &vpcConfig{subnets: *jsii.Strings(n.ids.Subnets...), securityGroups: *jsii.Strings(n.ids.SecurityGroups...)}
		if len(c.securityGroups) == 0 {
			c.securityGroups = []*string{httpsOnly(scope, &n.ids.VPC)}
		}
		if n.ids.Endpoints {
			newEndpoints(scope, endpointProps{at: p.at, name: p.name, vpc: &n.ids.VPC, subnets: c.subnets, from: anywhere})
		}
		if len(n.ids.RouteTables) > 0 {
			newGateways(scope, p.at.region, &n.ids.VPC, *jsii.Strings(n.ids.RouteTables...))
		}
		return c
	}
	need("Network", "Vpc", n.Vpc == nil)
	selection := n.Subnets
	if selection == nil {
		selection = &awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PRIVATE_WITH_EGRESS}
	}
	c := &vpcConfig{subnets: *n.Vpc.SelectSubnets(selection).SubnetIds}
	for _, g := range or(n.SecurityGroups, nil) {
		c.securityGroups = append(c.securityGroups, g.SecurityGroupId())
	}
	if len(c.securityGroups) == 0 {
		c.securityGroups = []*string{httpsOnly(scope, n.Vpc.VpcId())}
	}
	return c
}

// httpsOnly makes a security group that lets nothing in, and HTTPS out.
func httpsOnly(scope constructs.Construct, vpc *string) *string {
	g := awsec2.NewCfnSecurityGroup(scope, jsii.String("SecurityGroup"), &awsec2.CfnSecurityGroupProps{
		GroupDescription: jsii.String("Functions of Keyturn: HTTPS out, nothing in"), VpcId: vpc,
		SecurityGroupEgress: []any{map[string]any{
			"ipProtocol": "tcp", "fromPort": 443, "toPort": 443, "cidrIp": "0.0.0.0/0", "description": "Vendors and AWS",
		}},
	})
	return g.AttrGroupId()
}

func networkOf(props *VendorAccountProps, account keysfile.VendorAccount) *Network {
	if props.Network == nil && account.Network != nil {
		return &Network{ids: account.Network}
	}
	return props.Network
}

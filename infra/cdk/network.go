package cdk

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/keyturn/keyturn/shared/catalog"
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
	SecurityGroups *[]awsec2.ISecurityGroup // default: one that lets out to the ports of the account's hosts, and HTTPS

	ids *keysfile.Network // of a VPC that is known by its ids
}

// vpcConfig is a network as Lambda is told it.
type vpcConfig struct{ subnets, securityGroups []*string }

// settle returns what a function is given; nil for no VPC. A security group that
// is made lets out to the ports.
func (n *Network) settle(scope constructs.Construct, p functionProps, ports []int) *vpcConfig {
	switch {
	case n == nil:
		return nil
	case n.ids != nil && n.ids.FixedAddresses:
		return fixedAddresses(scope, p, ports, n.ids.Endpoints)
	case n.ids != nil:
		c := &vpcConfig{subnets: *jsii.Strings(n.ids.Subnets...), securityGroups: *jsii.Strings(n.ids.SecurityGroups...)}
		if len(c.securityGroups) == 0 {
			c.securityGroups = []*string{outOnly(scope, &n.ids.VPC, ports)}
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
		c.securityGroups = []*string{outOnly(scope, n.Vpc.VpcId(), ports)}
	}
	return c
}

// outOnly makes a security group that lets nothing in, and to these ports out.
// Names need none of them: security groups do not hold up Amazon's own DNS.
// https://docs.aws.amazon.com/vpc/latest/userguide/vpc-security-groups.html
func outOnly(scope constructs.Construct, vpc *string, ports []int) *string {
	var out []any
	for _, port := range ports {
		out = append(out, map[string]any{
			"ipProtocol": "tcp", "fromPort": port, "toPort": port, "cidrIp": anywhere, "description": "Vendors and AWS",
		})
	}
	g := awsec2.NewCfnSecurityGroup(scope, jsii.String("SecurityGroup"), &awsec2.CfnSecurityGroupProps{
		GroupDescription: jsii.String("Functions of Keyturn: out to vendors and AWS, nothing in"), VpcId: vpc, SecurityGroupEgress: out,
	})
	return g.AttrGroupId()
}

func networkOf(props *VendorAccountProps, account keysfile.VendorAccount) *Network {
	if props.Network == nil && account.Network != nil {
		return &Network{ids: account.Network}
	}
	return props.Network
}

// portsOf returns where the functions of a vendor account connect to: HTTPS, for
// AWS, the ports of its hosts, and those of its keys' own addresses.
func portsOf(file *keysfile.File, account string) []int {
	ports := []int{443}
	add := func(scheme, host string) {
		u := url.URL{Scheme: scheme, Host: host}
		port, err := strconv.Atoi(u.Port())
		if err != nil && scheme == "http" {
			port = 80
		}
		if port > 0 {
			ports = append(ports, port)
		}
	}
	a := file.VendorAccounts[account]
	for _, host := range a.Hosts {
		add("https", host)
	}
	vendor, _ := catalog.Get(a.Provider)
	for _, k := range file.Keys {
		if k.VendorAccount != account {
			continue
		}
		settings, err := json.Marshal(k.Settings)
		if err != nil {
			continue
		}
		if u, err := url.Parse(vendor.BaseURL(settings)); err == nil {
			add(u.Scheme, u.Host)
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

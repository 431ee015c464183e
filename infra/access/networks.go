package access

import (
	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// networks are those of the vendor accounts, and whether some of them, or parts
// of them, are made.
func (s *Site) networks() (all []keysfile.Network, made bool) {
	for _, account := range s.accounts() {
		if n := s.file.VendorAccounts[account].Network; n != nil {
			all = append(all, *n)
			made = made || n.FixedAddresses || n.Endpoints || len(n.SecurityGroups) == 0
		}
	}
	return all, made
}

// ExecutionNetworks is the second policy of CloudFormation's execution role,
// where the file has networks: to put functions into VPCs, and to make what the
// file asks for there. What it makes has the installation's tag from the
// beginning, and by the tag it may change and remove it. Without networks it has
// no statement.
//
// The first NAT gateway of an account needs its service-linked role besides,
// which AWS asks for by name. No deployment with it has been made yet.
func (s *Site) ExecutionNetworks() (iam.Document, error) {
	return fits("the policy of CloudFormation's execution role for networks", document(s.executesNetworks()...), MaxManagedPolicy,
		"keep administrator rights for it, or name fewer subnets")
}

// executesNetworks are its statements.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_ec2.html
func (s *Site) executesNetworks() []iam.Statement {
	networks, made := s.networks()
	if len(networks) == 0 {
		return nil
	}
	all := []iam.Statement{allow("SeeNetworks", iam.Strings{"ec2:Describe*"}, iam.Strings{"*"}, nil)}
	if !made {
		return all
	}
	anywhere := iam.Strings{s.here("ec2", "*")}
	request := iam.Strings{s.name}
	all = append(all,
		allow("MakeNetworks", iam.Strings{
			"ec2:AllocateAddress", "ec2:CreateFlowLogs", "ec2:CreateInternetGateway", "ec2:CreateNatGateway", "ec2:CreateRouteTable",
			"ec2:CreateSecurityGroup", "ec2:CreateSubnet", "ec2:CreateVpc", "ec2:CreateVpcEndpoint",
		}, anywhere, iam.Conditions{"StringEquals": {"aws:RequestTag/" + TagInstallation: request}}),
		// Only while it is made, or whatever is there could be tagged as ours.
		allow("TagNetworks", iam.Strings{"ec2:CreateTags"}, anywhere, iam.Conditions{
			"StringEquals": {"aws:RequestTag/" + TagInstallation: request},
			"StringLike":   {"ec2:CreateAction": {"AllocateAddress", "Create*"}},
		}),
		allow("Networks", iam.Strings{"ec2:*"}, anywhere, iam.Conditions{"StringEquals": {"aws:ResourceTag/" + TagInstallation: request}}),
	)
	var existing []string
	endpoints, fixed := false, false
	for _, n := range networks {
		existing = append(existing, s.partsOf(n)...)
		endpoints, fixed = endpoints || n.Endpoints, fixed || n.FixedAddresses
	}
	if len(existing) > 0 {
		all = append(all, allow("ExistingNetworks", iam.Strings{"ec2:CreateSecurityGroup", "ec2:CreateVpcEndpoint", "ec2:ModifyVpcEndpoint"}, sorted(existing), nil))
	}
	if endpoints { // https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html
		all = append(all, allow("PrivateNames", iam.Strings{"route53:AssociateVPCWithHostedZone"}, iam.Strings{"*"}, nil))
	}
	if fixed {
		all = append(all,
			allow("FlowLogs", iam.Strings{"logs:*"}, iam.Strings{s.here("logs", "log-group:/aws/vpc/"+s.name+"-*")}, nil),
			allow("FlowLogRole", iam.Strings{"iam:PassRole"}, iam.Strings{s.RoleARN(s.name + "-egress-*-flow")},
				iam.Conditions{"StringEquals": {"iam:PassedToService": {"vpc-flow-logs.amazonaws.com"}}}))
	}
	return all
}

// partsOf are the parts of a network that exist, where something is made in it.
func (s *Site) partsOf(n keysfile.Network) (arns []string) {
	if n.VPC == "" || !n.Endpoints && len(n.SecurityGroups) > 0 {
		return nil
	}
	arns = append(arns, s.here("ec2", "vpc/"+n.VPC))
	if !n.Endpoints {
		return arns
	}
	for _, id := range n.Subnets {
		arns = append(arns, s.here("ec2", "subnet/"+id))
	}
	for _, id := range n.RouteTables {
		arns = append(arns, s.here("ec2", "route-table/"+id))
	}
	return arns
}

// networkDuties are what CloudFormation does with networks, and what it must not.
func (s *Site) networkDuties() []duty {
	networks, made := s.networks()
	tag := func(kind string) map[string]string {
		return map[string]string{"aws:" + kind + "Tag/" + TagInstallation: s.name}
	}
	with := func(more map[string]string) map[string]string {
		more["aws:RequestTag/"+TagInstallation] = s.name
		return more
	}
	fixed, endpoints := false, false
	at := map[string]bool{"vpc/vpc-proof": false, "subnet/subnet-proof": false}
	for _, n := range networks {
		fixed, endpoints = fixed || n.FixedAddresses, endpoints || n.Endpoints
		if n.VPC != "" {
			at["vpc/"+n.VPC] = at["vpc/"+n.VPC] || n.Endpoints || len(n.SecurityGroups) == 0
		}
		for _, id := range n.Subnets {
			at["subnet/"+id] = at["subnet/"+id] || n.Endpoints
		}
		for _, id := range n.RouteTables {
			at["route-table/"+id] = at["route-table/"+id] || n.Endpoints
		}
	}
	vpc, group := s.here("ec2", "vpc/vpc-x"), s.here("ec2", "security-group/sg-x")
	duties := calls("*", nil, len(networks) > 0, "ec2", "DescribeSubnets", "DescribeVpcs", "DescribeSecurityGroups", "DescribeVpcEndpoints")
	duties = append(duties, calls(vpc, tag("Request"), made, "ec2", "AllocateAddress", "CreateFlowLogs", "CreateInternetGateway", "CreateNatGateway",
		"CreateRouteTable", "CreateSecurityGroup", "CreateSubnet", "CreateVpc", "CreateVpcEndpoint")...)
	duties = append(duties, do("ec2:CreateTags", vpc, with(map[string]string{"ec2:CreateAction": "CreateVpc"}), made),
		do("ec2:CreateTags", vpc, with(map[string]string{"ec2:CreateAction": "AllocateAddress"}), made))
	duties = append(duties, calls(vpc, nil, false, "ec2", "DeleteVpc", "CreateTags", "CreateSubnet", "ModifyVpcAttribute")...)
	for _, d := range calls(group, tag("Resource"), made, "ec2", "AuthorizeSecurityGroupIngress", "CreateRoute", "DeleteVpc", "DeleteSecurityGroup") {
		d.whole = true
		duties = append(duties, d)
	}
	for id, want := range at {
		duties = append(duties, calls(s.here("ec2", id), nil, want, "ec2", "CreateSecurityGroup", "CreateVpcEndpoint", "ModifyVpcEndpoint")...)
		duties = append(duties, calls(s.here("ec2", id), nil, false, "ec2", "DeleteVpc", "DeleteSubnet", "RunInstances")...)
	}
	duties = append(duties, do("route53:AssociateVPCWithHostedZone", "*", nil, endpoints), do("route53:DeleteHostedZone", "*", nil, false))
	flow := do("logs:CreateLogGroup", s.here("logs", "log-group:/aws/vpc/"+s.name+"-egress-x"), nil, fixed)
	flow.whole = true
	to := map[string]string{"iam:PassedToService": "vpc-flow-logs.amazonaws.com"}
	return append(duties, flow,
		do("iam:PassRole", s.RoleARN(s.name+"-egress-x-flow"), to, fixed), do("iam:PassRole", s.RoleARN(s.name+"-rotate-x"), to, false))
}

// executes are both policies of the execution role.
func (d *documents) executes() []iam.Policy {
	all := d.identity("execution")
	if _, has := d.roles["execution-networks"]; has {
		all = append(all, d.identity("execution-networks")...)
	}
	return all
}

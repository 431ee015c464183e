//go:build !race

package cdk

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/keysfile"
)

// TestNetwork puts functions into VPCs that exist.
func TestNetwork(t *testing.T) {
	for _, tt := range []struct {
		name    string
		network keysfile.Network
		subnets string
		groups  string
		made    int // security groups
		ends    int // endpoints
	}{
		{
			name: "all by ids", network: keysfile.Network{VPC: "vpc-0123456789abcdef1", Subnets: []string{"subnet-0123456789abcdef1", "subnet-0123456789abcdef2"}, SecurityGroups: []string{"sg-0123456789abcdef1"}},
			subnets: `["subnet-0123456789abcdef1","subnet-0123456789abcdef2"]`, groups: `["sg-0123456789abcdef1"]`,
		},
		{
			name: "no security group", network: keysfile.Network{VPC: "vpc-0123456789abcdef1", Subnets: []string{"subnet-0123456789abcdef1"}},
			subnets: `["subnet-0123456789abcdef1"]`, groups: `[{"Fn::GetAtt":["AccountSecurityGroup`, made: 1,
		},
		{
			name: "endpoints", network: keysfile.Network{
				VPC: "vpc-0123456789abcdef1", Subnets: []string{"subnet-0123456789abcdef1"}, SecurityGroups: []string{"sg-0123456789abcdef1"}, Endpoints: true,
			},
			subnets: `["subnet-0123456789abcdef1"]`, groups: `["sg-0123456789abcdef1"]`, made: 1, ends: 4,
		},
		{
			name: "endpoints and gateways", network: keysfile.Network{
				VPC: "vpc-0123456789abcdef1", Subnets: []string{"subnet-0123456789abcdef1"}, Endpoints: true, RouteTables: []string{"rtb-0123456789abcdef1"},
			},
			subnets: `["subnet-0123456789abcdef1"]`, groups: `[{"Fn::GetAtt":["AccountSecurityGroup`, made: 2, ends: 6,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := fileOf(1)
			delete(f.VendorAccounts, "openai-main")
			a := f.VendorAccounts["sendgrid-main"]
			a.Network = &tt.network
			f.VendorAccounts["sendgrid-main"] = a
			out, err := synth(StacksProps{File: f, Environment: home, Code: stub{}}, false)
			if err != nil {
				t.Fatal(err)
			}
			for id, r := range out.of("AWS::Lambda::Function") {
				c, ok := r.Properties["VpcConfig"].(map[string]any)
				if strings.Contains(id, "RotateNow") || strings.Contains(id, "WatchAudit") || strings.Contains(id, "ReviewFunction") {
					if ok {
						t.Errorf("%s is in the VPC of a vendor account", id)
					}
					continue
				}
				if s, g := written(c["SubnetIds"]), written(c["SecurityGroupIds"]); s != tt.subnets || !strings.HasPrefix(g, tt.groups) {
					t.Errorf("%s: subnets %s, security groups %s", id, s, g)
				}
			}
			groups := out.of("AWS::EC2::SecurityGroup")
			if got := len(out.of("AWS::EC2::VPCEndpoint")); got != tt.ends {
				t.Errorf("%d endpoints", got)
			}
			if len(groups) != tt.made {
				t.Errorf("%d security groups", len(groups))
			}
			for id, r := range groups {
				r.has(t, id, map[string]any{"VpcId": "vpc-0123456789abcdef1"})
			}
			for id, r := range out.of("AWS::IAM::Role") {
				if got, want := strings.Contains(written(r.Properties), "ec2:CreateNetworkInterface"), strings.Contains(id, "/Account"); got != want {
					t.Errorf("%s may make network interfaces: %v", id, got)
				}
			}
		})
	}
}

// TestPortsOf gives vendors the ways out that their hosts and keys name.
func TestPortsOf(t *testing.T) {
	for _, tt := range []struct {
		name     string
		provider string
		hosts    []string
		settings map[string]any
		want     []int
	}{
		{"HTTPS", "sendgrid", []string{"api.sendgrid.com"}, map[string]any{"scopes": []any{"mail.send"}}, []int{443}},
		{"Redis", "redis", []string{"redis.example.com:6380"}, map[string]any{"address": "redis.example.com:6380", "user": "app"}, []int{443, 6380}},
		{"Vault", "vault", []string{"vault.example.com:8200", "spare.example.com:8201"}, map[string]any{"baseURL": "https://vault.example.com:8200", "role": "app", "roleID": "1"}, []int{443, 8200, 8201}},
		{"an address of IPv6", "gitea", []string{"[fd00::1]:3000"}, map[string]any{"baseURL": "http://[fd00::1]:3000", "scopes": []any{"all"}}, []int{443, 3000}},
		{"plain HTTP without a port", "gitea", []string{"git.internal"}, map[string]any{"baseURL": "http://git.internal", "scopes": []any{"all"}}, []int{80, 443}},
		{"settings that are wrong", "gitea", []string{"git.internal:3000"}, nil, []int{443, 3000}},
	} {
		f := fileOf(1)
		f.VendorAccounts["x"] = keysfile.VendorAccount{Provider: tt.provider, Hosts: tt.hosts}
		f.VendorAccounts["other"] = keysfile.VendorAccount{Provider: "gitea", Hosts: []string{"git.example.com:9999"}}
		f.Keys = append(f.Keys,
			keysfile.Key{Name: "x", VendorAccount: "x", Settings: tt.settings},
			keysfile.Key{Name: "y", VendorAccount: "other", Settings: map[string]any{"baseURL": "https://git.example.com:9999", "scopes": []any{"all"}}})
		if d := cmp.Diff(tt.want, portsOf(f, "x")); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

// TestEndpointService compares the names with those that the CDK knows.
func TestEndpointService(t *testing.T) {
	app, err := newApp(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, region := range []string{"eu-west-1", "cn-north-1", "cn-northwest-1", "us-gov-west-1"} {
		stack := awscdk.NewStack(app, text("Endpoints%d", i), &awscdk.StackProps{Env: &awscdk.Environment{Account: &home.Account, Region: &region}})
		for _, name := range privateServices() {
			s := awsec2.NewInterfaceVpcEndpointAwsService(&name, nil, nil, nil)
			if got, want := endpointService(region, name), stack.Resolve(s.Name()); got != want {
				t.Errorf("%s, and the CDK says %v", got, want)
			}
		}
	}
}

// TestEgress looks for these ports in the security groups that are made.
func TestEgress(t *testing.T) {
	for _, tt := range []struct {
		name    string
		network keysfile.Network
	}{
		{"a VPC that exists", keysfile.Network{VPC: "vpc-0123456789abcdef1", Subnets: []string{"subnet-0123456789abcdef1"}}},
		{"fixed addresses", keysfile.Network{FixedAddresses: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := fileOf(0)
			f.VendorAccounts = map[string]keysfile.VendorAccount{"cache": {Provider: "redis", Admin: "keyturn/admin/cache", Hosts: []string{"redis.example.com:6380"}, Network: &tt.network}}
			out, err := synth(StacksProps{File: f, Environment: home, Code: stub{}}, false)
			if err != nil {
				t.Fatal(err)
			}
			groups := out.of("AWS::EC2::SecurityGroup")
			if len(groups) != 1 {
				t.Errorf("%d security groups", len(groups))
			}
			for id, r := range groups {
				var ports []string
				for _, e := range r.Properties["SecurityGroupEgress"].([]any) {
					rule := e.(map[string]any)
					ports = append(ports, fmt.Sprint(rule["IpProtocol"], " ", rule["FromPort"], "-", rule["ToPort"], " ", rule["CidrIp"]))
				}
				if d := cmp.Diff([]string{"tcp 443-443 0.0.0.0/0", "tcp 6380-6380 0.0.0.0/0"}, ports); d != "" || r.Properties["SecurityGroupIngress"] != nil {
					t.Errorf("%s lets in %v, and out (-want +got):\n%s", id, r.Properties["SecurityGroupIngress"], d)
				}
			}
		})
	}
}

// TestConstructs_refuse says what panics say to whoever writes an app.
func TestConstructs_refuse(t *testing.T) {
	app, err := newApp(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	stack := awscdk.NewStack(app, jsii.String("S"), &awscdk.StackProps{Env: &awscdk.Environment{Account: &home.Account, Region: &home.Region}})
	f := fileOf(2)
	f.Keys[1].Existing = true
	foundation := NewFoundation(stack, jsii.String("Foundation"), &FoundationProps{File: f})
	platform := NewPlatform(stack, jsii.String("Platform"), &PlatformProps{File: f, Foundation: foundation, Code: stub{}})
	account := NewVendorAccount(stack, jsii.String("Account"), &VendorAccountProps{
		File: f, Name: jsii.String("sendgrid-main"), Foundation: foundation, Platform: platform, Code: stub{},
		// A network that only the app knows, and the file does not.
		Network: &Network{Vpc: awsec2.NewVpc(stack, jsii.String("Vpc"), &awsec2.VpcProps{AvailabilityZones: jsii.Strings("eu-west-1a"), NatGateways: jsii.Number(1)})},
	})
	for i, tt := range []struct {
		name string
		make func(id *string)
		want string // "": it is made
	}{
		{"a key of the account", func(id *string) {
			NewRotatedKey(stack, id, &RotatedKeyProps{Account: account, SecretName: &f.Keys[0].Name, EncryptionKey: foundation.SecretsKey()})
		}, ""},
		{"one that exists needs no CMK", func(id *string) {
			NewRotatedKey(stack, id, &RotatedKeyProps{Account: account, SecretName: &f.Keys[1].Name})
		}, ""},
		{"no CMK", func(id *string) {
			NewRotatedKey(stack, id, &RotatedKeyProps{Account: account, SecretName: &f.Keys[0].Name})
		}, "RotatedKeyProps.EncryptionKey is required"},
		{"no account", func(id *string) { NewRotatedKey(stack, id, &RotatedKeyProps{SecretName: jsii.String("x")}) }, "RotatedKeyProps.Account is required"},
		{"a key of nobody", func(id *string) {
			NewRotatedKey(stack, id, &RotatedKeyProps{Account: account, SecretName: jsii.String("prod/other")})
		}, `the configuration has no key "prod/other" in the vendor account "sendgrid-main"`},
		{"no table", func(id *string) {
			NewVendorAccount(stack, id, &VendorAccountProps{File: f, Name: jsii.String("sendgrid-main"), Platform: platform})
		}, "VendorAccountProps.Table is required"},
		{"an account of nobody", func(id *string) {
			NewVendorAccount(stack, id, &VendorAccountProps{File: f, Name: jsii.String("other"), Platform: platform, Foundation: foundation})
		}, `the configuration has no vendor account "other"`},
		{"no code", func(id *string) {
			NewPlatform(stack, id, &PlatformProps{File: f, Foundation: foundation, Code: Built{Dir: "nowhere"}})
		}, "run make build"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := func() (said string) {
				defer func() {
					if r := recover(); r != nil {
						said = fmt.Sprint(r)
					}
				}()
				tt.make(text("Try%d", i))
				return ""
			}()
			if !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
				t.Errorf("%q, not %q", got, tt.want)
			}
		})
	}
}

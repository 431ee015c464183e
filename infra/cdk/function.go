package cdk

import (
	"maps"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/keysfile"
	"github.com/keyturn/keyturn/shared/provider"
)

const (
	retireTimeout    = 10 * time.Minute
	rotateNowTimeout = time.Minute
	// A step of a rotation is more than waiting for the vendor: see
	// docs/adr/0002-eight-calls.md.
	rotateMargin = 2 * time.Minute
	maxTimeout   = 15 * time.Minute // Lambda's own
	memoryMB     = 256              // where a function says nothing else
)

// rotateTimeout is long enough for a vendor that takes its time to accept a new
// key: createSecret waits for that.
func rotateTimeout(v provider.Info) time.Duration {
	return min(v.Settle.Within+rotateMargin, maxTimeout)
}

// functionProps configure a function. The zero value of what is not said means
// none.
type functionProps struct {
	at                      place
	name, kind, description string
	code                    Code
	policy, trust           iam.Document
	timeout                 time.Duration
	concurrency             int // reserved
	memory                  int // in MB
	environment             map[string]*string
	layer                   *string // ARN
	dataKey                 awskms.IKey
	settings                keysfile.Functions
	network                 *vpcConfig
	dead                    awssqs.IQueue // of events that failed too often; nil: they are dropped
}

// function is a Lambda function with a role and a log group of its own. It is
// made of plain resources, so that no right is added to its role by the way.
type function struct {
	scope    constructs.Construct
	name     string
	arn      string
	resource awslambda.CfnFunction
	role     awsiam.CfnRole
	logs     awslogs.CfnLogGroup
	handle   awslambda.IFunction
}

func newFunction(scope constructs.Construct, id string, p functionProps) *function {
	f := &function{scope: constructs.NewConstruct(scope, &id), name: p.name, arn: p.at.functionARN(p.name)}
	all := tags(map[string]string{TagInstallation: p.at.name})
	f.logs = awslogs.NewCfnLogGroup(f.scope, jsii.String("Logs"), &awslogs.CfnLogGroupProps{
		LogGroupName: text("/aws/lambda/%s", p.name), RetentionInDays: number(p.retention()), KmsKeyId: p.dataKey.KeyArn(), Tags: all,
	})
	// What must last is in the audit trail. A log group that stayed would be in
	// the way of an account that comes back.
	f.logs.ApplyRemovalPolicy(awscdk.RemovalPolicy_DESTROY, nil)
	f.role = newRole(f.scope, "Role", roleProps{at: p.at, name: p.name, settings: p.settings, policy: p.policy, trust: p.trust, description: "Role of the function " + p.name})
	asset := awss3assets.NewAsset(f.scope, jsii.String("Code"), &awss3assets.AssetProps{Path: codeOf(p.code, p.kind)})
	props := &awslambda.CfnFunctionProps{
		FunctionName: &p.name, Description: &p.description, Tags: all,
		Runtime: jsii.String("provided.al2023"), Architectures: jsii.Strings("arm64"), Handler: jsii.String("bootstrap"),
		Code:       map[string]any{"s3Bucket": asset.S3BucketName(), "s3Key": asset.S3ObjectKey()},
		MemorySize: number(orIf(p.memory, memoryMB)), Timeout: number(p.timeout.Seconds()), Role: f.role.AttrArn(),
		Environment: map[string]any{"variables": p.environment}, KmsKeyArn: p.dataKey.KeyArn(),
		LoggingConfig: map[string]any{
			"logFormat": "JSON", "applicationLogLevel": "INFO", "systemLogLevel": "WARN", "logGroup": f.logs.Ref(),
		},
		RecursiveLoop: jsii.String("Terminate"),
		TracingConfig: map[string]any{"mode": "PassThrough"},
	}
	if p.layer != nil {
		props.Layers = &[]any{p.layer}
	}
	if p.settings.Tracing {
		props.TracingConfig = map[string]any{"mode": "Active"}
	}
	if p.concurrency > 0 {
		props.ReservedConcurrentExecutions = number(p.concurrency)
	}
	if p.dead != nil {
		props.DeadLetterConfig = map[string]any{"targetArn": p.dead.QueueArn()}
	}
	if p.network != nil {
		props.VpcConfig = map[string]any{"subnetIds": p.network.subnets, "securityGroupIds": p.network.securityGroups}
	}
	f.resource = awslambda.NewCfnFunction(f.scope, jsii.String("Function"), props)
	asset.AddResourceMetadata(f.resource, jsii.String("Code"))
	suppressRole(f.role)
	return f
}

func (p functionProps) retention() int {
	if p.settings.LogRetentionDays == 0 {
		return 365
	}
	return p.settings.LogRetentionDays
}

// imported returns the function for those who want metrics of it.
func (f *function) imported() awslambda.IFunction {
	if f.handle == nil {
		f.handle = awslambda.Function_FromFunctionAttributes(f.scope, jsii.String("Handle"), &awslambda.FunctionAttributes{
			FunctionArn: f.resource.AttrArn(), SameEnvironment: jsii.Bool(true),
		})
	}
	return f.handle
}

func codeOf(c Code, kind string) *string {
	if c == nil {
		c = Built{Dir: "dist", Otherwise: Source{Dir: "dist"}}
	}
	path, err := c.Asset(kind)
	if err != nil {
		panic(err)
	}
	return &path
}

// roleProps configure a role.
type roleProps struct {
	at                place
	name, description string
	settings          keysfile.Functions
	policy, trust     iam.Document
}

func newRole(scope constructs.Construct, id string, p roleProps) awsiam.CfnRole {
	props := &awsiam.CfnRoleProps{
		RoleName: jsii.String(p.settings.RolePrefix + p.name), Description: &p.description, Tags: tags(map[string]string{TagInstallation: p.at.name}),
		AssumeRolePolicyDocument: plain(p.trust),
	}
	if len(p.policy.Statement) > 0 {
		props.Policies = []any{map[string]any{"policyName": "keyturn", "policyDocument": plain(p.policy)}}
	}
	if p.settings.RolePath != "" {
		props.Path = &p.settings.RolePath
	}
	if p.settings.PermissionsBoundary != "" {
		props.PermissionsBoundary = p.settings.PermissionsBoundary
	}
	return awsiam.NewCfnRole(scope, &id, props)
}

func with(a, b map[string]*string) map[string]*string {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

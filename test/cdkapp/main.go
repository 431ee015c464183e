// A CDK app that is not Keyturn's: one stack with a function that sends mail,
// and the API key that it needs, rotated.
//
//	cdk synth --app "go run ."
package main

import (
	"os"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	keyturn "github.com/keyturn/keyturn/infra/cdk"
	"github.com/keyturn/keyturn/shared/catalog"
	"github.com/keyturn/keyturn/shared/keysfile"
)

func main() {
	defer jsii.Close()
	app := awscdk.NewApp(nil)
	NewMailer(app, "Mailer", &MailerProps{StackProps: awscdk.StackProps{Env: &awscdk.Environment{
		Account: jsii.String(os.Getenv("CDK_DEFAULT_ACCOUNT")), Region: jsii.String(os.Getenv("CDK_DEFAULT_REGION")),
	}}})
	app.Synth(nil)
}

// MailerProps configure the stack.
type MailerProps struct {
	awscdk.StackProps
	// Code of Keyturn's functions; default: built from its source, without Docker.
	Code keyturn.Code
}

// NewMailer makes the stack.
func NewMailer(scope constructs.Construct, id string, props *MailerProps) awscdk.Stack {
	stack := awscdk.NewStack(scope, &id, &props.StackProps)
	file, err := keysfile.LoadFiles(keysfile.Options{Vendors: catalog.All()}, "keyturn.yaml")
	if err != nil {
		panic(err)
	}

	foundation := keyturn.NewFoundation(stack, jsii.String("Foundation"), &keyturn.FoundationProps{File: file})
	platform := keyturn.NewPlatform(stack, jsii.String("Platform"), &keyturn.PlatformProps{
		File: file, Foundation: foundation, Code: props.Code,
	})
	account := keyturn.NewVendorAccount(stack, jsii.String("SendGrid"), &keyturn.VendorAccountProps{
		File: file, Name: jsii.String("sendgrid-main"), Foundation: foundation, Platform: platform, Code: props.Code,
	})
	key := keyturn.NewRotatedKey(stack, jsii.String("MailKey"), &keyturn.RotatedKeyProps{
		Account: account, SecretName: jsii.String("prod/mailer/sendgrid"),
		EncryptionKey: awskms.NewKey(stack, jsii.String("MailCmk"), &awskms.KeyProps{EnableKeyRotation: jsii.Bool(true)}),
	})

	role := awsiam.NewRole(stack, jsii.String("Role"), &awsiam.RoleProps{
		RoleName:  jsii.String("mailer"), // a reader in keyturn.yaml
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
	})
	mail := awslambda.NewFunction(stack, jsii.String("Mail"), &awslambda.FunctionProps{
		Runtime: awslambda.Runtime_NODEJS_22_X(), Handler: jsii.String("index.handler"), Role: role,
		Code:        awslambda.Code_FromInline(jsii.String("exports.handler = async () => {}")),
		Environment: &map[string]*string{"SECRET": key.SecretName()},
	})
	key.Secret().GrantRead(mail, nil)
	mail.Node().AddDependency(key.Schedule()) // there is a value by then
	return stack
}

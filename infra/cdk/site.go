package cdk

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/keyturn/keyturn/infra/access"
	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// What package access is told of a stack that knows neither account nor Region
// until it is deployed; the CDK's tokens take their place.
const (
	noAccount = "000000000000"
	noRegion  = "nowhere-0"
)

// site builds policies for a place.
type site struct {
	*access.Site
	tokens *strings.Replacer // nil: none
}

func siteOf(scope constructs.Construct, file *keysfile.File) site {
	s := awscdk.Stack_Of(scope)
	env := access.Environment{Account: *s.Account(), Region: *s.Region(), Partition: *s.Partition(), Qualifier: *s.Synthesizer().BootstrapQualifier()}
	var out site
	var pairs []string
	if *awscdk.Token_IsUnresolved(env.Account) {
		pairs = append(pairs, noAccount, env.Account)
		env.Account = noAccount
	}
	if *awscdk.Token_IsUnresolved(env.Region) {
		pairs = append(pairs, noRegion, env.Region)
		env.Region = noRegion
	}
	if pairs != nil {
		out.tokens = strings.NewReplacer(pairs...)
	}
	var err error
	if out.Site, err = access.New(file, env); err != nil {
		panic(err)
	}
	return out
}

// must gives a policy its place, and the resources that are constructs, by the
// statement's Sid.
func (s site) must(d iam.Document, err error) func(resources map[string]*string) iam.Document {
	if err != nil {
		panic(err)
	}
	return func(resources map[string]*string) iam.Document {
		if s.tokens != nil {
			t, err := d.Text()
			if err != nil {
				panic(err)
			}
			if d, err = iam.Parse([]byte(s.tokens.Replace(t))); err != nil {
				panic(err)
			}
		}
		d = d.Clone()
		for i, st := range d.Statement {
			if r := resources[st.Sid]; r != nil {
				d.Statement[i].Resource = iam.Strings{*r}
			}
		}
		return d
	}
}

// policy is must for what names no construct.
func (s site) policy(d iam.Document, err error) iam.Document { return s.must(d, err)(nil) }

// letThrough lets everybody in the account who may use a service have it use
// the key, as AWS's own keys do. A key that is imported must allow it already.
func letThrough(key awskms.IKey, services ...string) {
	s := awscdk.Stack_Of(key)
	var via []string
	for _, name := range services {
		via = append(via, access.Via(*s.Partition(), name, *s.Region())...)
	}
	key.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{awsiam.NewAnyPrincipal()}, Resources: jsii.Strings("*"),
		Actions:    jsii.Strings("kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"),
		Conditions: &map[string]any{"StringEquals": map[string]any{"kms:CallerAccount": s.Account(), "kms:ViaService": via}},
	}), jsii.Bool(true))
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/uuid"

	"github.com/keyturn/keyturn/infra/access"
	"github.com/keyturn/keyturn/shared/awserror"
	"github.com/keyturn/keyturn/shared/keysfile"
	"github.com/keyturn/keyturn/shared/secret"
)

// vault is the secret with an admin credential.
type vault struct {
	api         *sm.Client
	name        string // in the configuration
	id          string // ARN, once there is one
	there, used bool   // the secret; a value in it
	key         string // CMK of the installation's secrets; "": not known
	policy      string // by which only the functions read it
}

// openVault looks at the secret, so that what stands against storing is known
// before a credential is asked for.
func (a *app) openVault(ctx context.Context, c *connection, f *keysfile.File, name string) (*vault, error) {
	v := &vault{api: sm.NewFromConfig(c.cfg), name: name}
	s, err := v.api.DescribeSecret(ctx, &sm.DescribeSecretInput{SecretId: &name})
	if err != nil && awserror.Code(err) != "ResourceNotFoundException" {
		return nil, described(ctx, err)
	}
	if err == nil {
		v.there, v.id = true, aws.ToString(s.ARN)
		v.used = hasCurrent(s.VersionIdsToStages)
		if s.DeletedDate != nil {
			return nil, failed("SecretDeleted", "the secret "+name+" is marked for deletion", "keep it: aws secretsmanager restore-secret --secret-id "+name)
		}
		if aws.ToBool(s.RotationEnabled) {
			return nil, failed(typeConfig, "the secret "+name+" is rotated by something else already", "name another secret for this vendor account")
		}
	}
	who, err := a.site(ctx, c, f)
	if err != nil {
		return nil, err
	}
	document, err := who.Admin(name)
	if err != nil {
		return nil, failed(typeConfig, err.Error(), "see all that is wrong: keyturn validate")
	}
	text, err := json.Marshal(document)
	if err != nil {
		return nil, failed(typeConfig, "the secret's policy cannot be written as JSON", "see all that is wrong: keyturn validate")
	}
	v.policy = string(text)
	if !v.there {
		v.key = installationKey(ctx, v.api, f.Name)
	}
	return v, nil
}

// accountOf is the AWS account of the credentials.
func accountOf(ctx context.Context, c *connection) (string, error) {
	who, err := sts.NewFromConfig(c.cfg).GetCallerIdentity(ctx, nil)
	if err != nil {
		return "", described(ctx, fmt.Errorf("whose credentials these are cannot be seen: %w", err))
	}
	return aws.ToString(who.Account), nil
}

// site is the installation in the account and Region of the connection.
func (a *app) site(ctx context.Context, c *connection, f *keysfile.File) (*access.Site, error) {
	account, err := accountOf(ctx, c)
	if err != nil {
		return nil, err
	}
	s, err := access.New(f, access.Environment{Account: account, Region: c.cfg.Region})
	if err != nil {
		return nil, failed(typeConfig, err.Error(), "see all that is wrong: keyturn validate")
	}
	return s, nil
}

func hasCurrent(stages map[string][]string) bool {
	for _, labels := range stages {
		if slices.Contains(labels, "AWSCURRENT") {
			return true
		}
	}
	return false
}

// installationKey returns the CMK of the installation's secrets, "" before they
// are deployed: then the account's own key for Secrets Manager does.
func installationKey(ctx context.Context, api *sm.Client, installation string) string {
	all, err := api.ListSecrets(ctx, &sm.ListSecretsInput{Filters: []types.Filter{
		{Key: types.FilterNameStringTypeTagKey, Values: []string{access.TagInstallation}},
		{Key: types.FilterNameStringTypeTagValue, Values: []string{installation}},
	}})
	if err != nil {
		return ""
	}
	for _, s := range all.SecretList {
		if tagOf(s.Tags, access.TagInstallation) == installation && s.KmsKeyId != nil {
			return *s.KmsKeyId
		}
	}
	return ""
}

func tagOf(tags []types.Tag, name string) string {
	for _, t := range tags {
		if aws.ToString(t.Key) == name {
			return aws.ToString(t.Value)
		}
	}
	return ""
}

// put makes the value current. A secret that is new gets its policy before it
// gets a value. It gets no tags of ours: by them the functions may write secrets.
func (v *vault) put(ctx context.Context, value secret.Value, answer *stored) error {
	answer.Status = "replaced"
	if !v.there {
		in := &sm.CreateSecretInput{Name: &v.name, Description: aws.String("Admin credential of a vendor, stored by keyturn admin put")}
		if v.key != "" {
			in.KmsKeyId = &v.key
		}
		made, err := v.api.CreateSecret(ctx, in)
		if err != nil {
			return v.refused(ctx, "create the secret", err)
		}
		v.id = aws.ToString(made.ARN)
	}
	if !v.used {
		answer.Status = "created"
	}
	note, err := v.guard(ctx)
	if err != nil {
		return err
	}
	if note != "" {
		answer.Notes = append(answer.Notes, note)
	}
	token := uuid.NewString() // sent again with the same request, it makes no second version
	out, err := v.api.PutSecretValue(ctx, &sm.PutSecretValueInput{SecretId: &v.id, ClientRequestToken: &token, SecretString: aws.String(value.Reveal())})
	if err != nil {
		return v.refused(ctx, "store the credential", err)
	}
	answer.Version = aws.ToString(out.VersionId)
	return nil
}

// guard gives the secret its policy. One that somebody else wrote stays.
func (v *vault) guard(ctx context.Context) (note string, err error) {
	if v.there {
		now, err := v.api.GetResourcePolicy(ctx, &sm.GetResourcePolicyInput{SecretId: &v.id})
		if err != nil {
			return "", v.refused(ctx, "read its policy", err)
		}
		if text := aws.ToString(now.ResourcePolicy); text != "" {
			if same(text, v.policy) {
				return "", nil
			}
			if !strings.Contains(text, `"OnlyFunctionsRead"`) {
				return "the secret has a policy of somebody else's, which was left as it is: see who may read it", nil
			}
		}
	}
	_, err = v.api.PutResourcePolicy(ctx, &sm.PutResourcePolicyInput{SecretId: &v.id, ResourcePolicy: &v.policy, BlockPublicPolicy: aws.Bool(true)})
	if err != nil {
		return "", v.refused(ctx, "give it its policy", err)
	}
	return "", nil
}

func same(a, b string) bool {
	var x, y any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && reflect.DeepEqual(x, y)
}

// refused explains a failure by AWS's code alone: its text could repeat what was
// sent.
func (v *vault) refused(ctx context.Context, doing string, err error) error {
	if ctx.Err() != nil || errors.Is(err, context.Canceled) {
		return failed(typeStopped, "interrupted while it was to "+doing, "see what is there: aws secretsmanager describe-secret --secret-id "+v.name, "then the same command again, which is safe")
	}
	code := awserror.Code(err)
	next := awsAdvice(code)
	if code == "AccessDeniedException" {
		next = []string{"see who you are: aws sts get-caller-identity", "it takes the rights of the installation's role admin"}
	}
	if code == "" {
		code = "no answer"
	}
	return failed(typeAWS, "AWS did not "+doing+" "+v.name+": "+code, next...)
}

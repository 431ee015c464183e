package gather

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/keyturn/keyturn/shared/awserror"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/review"
)

// secrets asks for each secret and its policy.
func (c *collection) secrets(ctx context.Context) {
	names := c.names(ctx)
	found := make([]*review.Secret, len(names))
	c.each(ctx, len(names), func(i int) { found[i] = c.secret(ctx, names[i]) })
	for _, s := range found {
		if s != nil {
			c.in.Secrets = append(c.in.Secrets, *s)
		}
	}
}

// names are the secrets that are reviewed.
func (c *collection) names(ctx context.Context) []string {
	if c.Keys == nil {
		return c.listed(ctx)
	}
	var names []string
	for _, k := range c.Keys {
		names = append(names, k.Secret)
		if k.Admin != "" {
			names = append(names, k.Admin)
		}
	}
	slices.Sort(names)
	return slices.CompactFunc(names, func(a, b string) bool { return config.Name(a) == config.Name(b) })
}

// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecrets.html
func (c *collection) listed(ctx context.Context) []string {
	var names []string
	in := &secretsmanager.ListSecretsInput{MaxResults: aws.Int32(100)}
	for range maxPages {
		out, err := c.Secrets.ListSecrets(ctx, in)
		if err != nil {
			c.missing("secretsmanager:ListSecrets did not succeed (%s): there may be other secrets.", c.why(err))
			return names
		}
		for _, s := range out.SecretList {
			names = append(names, aws.ToString(s.ARN))
		}
		if out.NextToken == nil {
			return names
		}
		in.NextToken = out.NextToken
	}
	c.missing("secretsmanager:ListSecrets did not come to its end: there may be other secrets.")
	return names
}

// secret returns nil for one that is not reviewed.
func (c *collection) secret(ctx context.Context, id string) *review.Secret {
	out, err := c.Secrets.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &id})
	if err != nil {
		if code := awserror.Code(err); code == "ResourceNotFoundException" {
			c.missing("%s is not in Secrets Manager: it was not reviewed.", config.Name(id))
		} else {
			c.missing("%s could not be looked at (secretsmanager:DescribeSecret: %s): it was not reviewed.", config.Name(id), c.why(err))
		}
		return nil
	}
	if out.DeletedDate != nil {
		c.missing("%s is about to be deleted: it was not reviewed.", aws.ToString(out.Name))
		return nil
	}
	var a secretAnswer
	b, err := json.Marshal(out) // as the AWS command would print it
	if err == nil {
		err = json.Unmarshal(b, &a)
	}
	if err != nil {
		c.missing("%s has a time that cannot be read: it was not reviewed.", aws.ToString(out.Name))
		return nil
	}
	s := a.secret()
	policy, err := c.Secrets.GetResourcePolicy(ctx, &secretsmanager.GetResourcePolicyInput{SecretId: out.ARN})
	if err != nil {
		c.missing("The policy of %s could not be read (secretsmanager:GetResourcePolicy: %s): who can read it is unknown.", s.Name, c.why(err))
		s.PolicyUnread = true
	} else {
		s.Policy = aws.ToString(policy.ResourcePolicy)
	}
	if p := aws.ToString(out.PrimaryRegion); p != "" && p != c.Region {
		s.NoRotation = "a replica: it is rotated in " + p
	}
	c.declared(&s)
	return &s
}

// declared adds what the configuration says.
func (c *collection) declared(s *review.Secret) {
	for i := range c.Keys {
		if k := &c.Keys[i]; config.Name(k.Secret) == s.Name {
			c.declaredKey(s, k)
		} else if config.Name(k.Admin) == s.Name && !c.isKey(s.Name) {
			s.CannotRotate = true
		}
	}
	if c.Site == nil {
		return
	}
	i := slices.IndexFunc(c.Site.Secrets, func(one detect.Secret) bool { return one.Name == s.Name })
	if i < 0 {
		return
	}
	one := c.Site.Secrets[i]
	if s.Owner == "" {
		s.Owner = one.Owner
	}
	if s.Tier == 0 {
		s.Tier = one.Tier
	}
	switch {
	case one.HoneyToken:
		s.NoRotation = "a honey token"
	case one.Canary:
		s.NoRotation = "the canary"
	}
}

func (c *collection) declaredKey(s *review.Secret, k *config.Key) {
	s.Owner, s.Tier = k.Owner, k.Tier
	f, frozen := k.Frozen(c.in.Now)
	if s.Paused = frozen; frozen {
		c.notice(review.Notice{Kind: "freeze", Text: s.Name + " is not rotated: " + f.Reason, Until: f.Until})
	}
	for _, f := range k.Freeze {
		if !f.Until.After(c.in.Now) {
			s.Stopped = append(s.Stopped, review.Span{From: f.From, Until: f.Until})
		}
	}
}

func (c *collection) isKey(name string) bool {
	return slices.ContainsFunc(c.Keys, func(k config.Key) bool { return config.Name(k.Secret) == name })
}

func (c *collection) notice(n review.Notice) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n.Expired = !n.Until.IsZero() && !n.Until.After(c.in.Now)
	c.in.Notices = append(c.in.Notices, n)
}

// keys asks for the policies of the KMS keys, and gives the secrets their ARNs.
func (c *collection) keys(ctx context.Context) {
	var names []string
	for _, s := range c.in.Secrets {
		if s.KMSKey != "" {
			names = append(names, s.KMSKey)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	arns, texts := make([]string, len(names)), make([]string, len(names))
	c.each(ctx, len(names), func(i int) { arns[i], texts[i] = c.key(ctx, names[i]) })
	c.in.KMS = map[string]review.Policy{}
	for i, name := range names {
		if arns[i] == "" {
			continue
		}
		for j := range c.in.Secrets {
			if c.in.Secrets[j].KMSKey == name {
				c.in.Secrets[j].KMSKey = arns[i]
			}
		}
		if texts[i] != "" {
			c.in.KMS[arns[i]] = review.Policy{Name: "KMS key", Text: texts[i]}
		}
	}
}

// key returns "" for what is not known.
func (c *collection) key(ctx context.Context, name string) (arn, policy string) {
	out, err := c.KMS.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &name})
	if err != nil || out.KeyMetadata == nil {
		c.missing("KMS key %s could not be looked at (kms:DescribeKey: %s): who can read what it encrypts is unknown.", short(name), c.why(err))
		return "", ""
	}
	arn = aws.ToString(out.KeyMetadata.Arn)
	got, err := c.KMS.GetKeyPolicy(ctx, &kms.GetKeyPolicyInput{KeyId: &arn, PolicyName: aws.String("default")})
	if err != nil {
		c.missing("The policy of KMS key %s could not be read (kms:GetKeyPolicy: %s): who can read what it encrypts is unknown.", short(arn), c.why(err))
		return arn, ""
	}
	return arn, aws.ToString(got.Policy)
}

func short(arn string) string { return arn[strings.LastIndex(arn, ":")+1:] }

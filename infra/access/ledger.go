package access

import "github.com/keyturn/keyturn/shared/iam"

// LedgerAlias is the alias of the CMK that signs the ledger's checkpoints. Rights
// to the key hang on it: nobody can say in advance what id the key will have.
func (s *Site) LedgerAlias() string { return "alias/" + s.name + "-ledger" }

// LedgerName is the name of the ledger's bucket.
func (s *Site) LedgerName() string { return s.name + "-ledger-" + s.env.Account + "-" + s.env.Region }

// LedgerOrigin is the name of the log in its checkpoints.
func (s *Site) LedgerOrigin() string {
	return "keyturn/" + s.env.Account + "/" + s.env.Region + "/" + s.name
}

// CanaryName is the name of the secret that the canary reads.
func (s *Site) CanaryName() string { return s.name + "/canary" }

func (s *Site) ledger() string { return "arn:" + s.env.Partition + ":s3:::" + s.LedgerName() }

// appends are the actions with which somebody could write into the ledger, or
// say how long it stays.
func appends() iam.Strings {
	return iam.Strings{"s3:PutObject", "s3:PutObjectLegalHold", "s3:PutObjectRetention", "s3:ReplicateObject"}
}

// deletes are those with which somebody could take something out of it.
func deletes() iam.Strings {
	return iam.Strings{"s3:BypassGovernanceRetention", "s3:DeleteObject", "s3:DeleteObjectVersion"}
}

// LedgerBucket is the policy of the ledger's bucket: the audit function appends and
// nobody else does, administrators and root included; the review function writes its
// pages, and nothing else; break-glass alone deletes, as far as Object Lock lets it.
// Who may read is left to identity policies.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html
func (s *Site) LedgerBucket() iam.Document {
	tls := onlyTLS("s3:*", s.ledger())
	tls.Resource = append(tls.Resource, s.ledger()+"/*")
	deny := func(sid string, actions iam.Strings, but []string) iam.Statement {
		st := iam.Statement{Sid: sid, Effect: iam.Deny, Principal: everyone(), Action: actions, Resource: iam.Strings{s.ledger() + "/*"}}
		if len(but) > 0 {
			st.Condition = iam.Conditions{"ArnNotEquals": {"aws:PrincipalArn": sorted(but)}}
		}
		return st
	}
	only, pages := deny("OnlyAuditAppends", appends(), []string{s.RoleARN(s.AuditName())}), deny("OnlyReviewWritesPages", appends(), []string{s.RoleARN(s.ReviewName())})
	only.Resource, only.NotResource, pages.Resource = nil, iam.Strings{s.pages()}, iam.Strings{s.pages()}
	return document(tls, only, pages,
		deny("OnlyBreakGlassDeletes", deletes(), s.people()["break-glass"]),
	)
}

// LedgerKey is the key policy of the CMK that signs: as of the others, and nobody
// but the audit function signs. The function's role is named by a condition, for
// it is made after the key.
func (s *Site) LedgerKey() (iam.Document, error) {
	d := s.key(iam.Statement{
		Sid: "AuditSigns", Effect: iam.Allow, Principal: everyone(), Action: iam.Strings{"kms:Sign"}, Resource: iam.Strings{"*"},
		Condition: iam.Conditions{
			"ArnEquals":    {"aws:PrincipalArn": {s.RoleARN(s.AuditName())}},
			"StringEquals": {"kms:SigningAlgorithm": {"ED25519_SHA_512"}},
		},
	})
	return fits("the key policy of "+s.name+"-ledger", d, MaxKeyPolicy, "")
}

// Canary is the resource policy of the canary's secret: nobody else reads it, so
// that any other read is one too many.
func (s *Site) Canary() iam.Document {
	return document(iam.Statement{
		Sid: "OnlyAuditReads", Effect: iam.Deny, Principal: everyone(), Action: valueActions(), Resource: iam.Strings{"*"},
		Condition: iam.Conditions{"ArnNotEquals": {"aws:PrincipalArn": {s.RoleARN(s.AuditName())}}},
	})
}

// verifies are the rights to read the ledger and the key that proves it.
func (s *Site) verifies() []iam.Statement {
	return []iam.Statement{
		allow("ReadLedger", iam.Strings{"s3:GetObject", "s3:GetObjectRetention", "s3:GetObjectVersion"}, iam.Strings{s.ledger() + "/*"}, nil),
		allow("ListLedger", iam.Strings{"s3:ListBucket", "s3:ListBucketVersions"}, iam.Strings{s.ledger()}, nil),
		s.useLedgerKey("LedgerKey", "kms:GetPublicKey"),
	}
}

func (s *Site) useLedgerKey(sid string, actions ...string) iam.Statement {
	return allow(sid, actions, iam.Strings{s.here("kms", "key/*")}, iam.Conditions{"StringEquals": {"kms:RequestAlias": {s.LedgerAlias()}}})
}

package access

import (
	"slices"

	"github.com/keyturn/keyturn/shared/iam"
)

// reviewDuties are the calls of package function/review, and what it must not be
// able to: read a value, change a right, write into the ledger.
func (s *Site) reviewDuties() []duty {
	own := map[string]string{"aws:ResourceTag/" + TagInstallation: s.name}
	alias := map[string]string{"kms:RequestAlias": s.LedgerAlias()}
	secret, key, watch := s.here("secretsmanager", "secret:proof-AbCdEf"), s.here("kms", "key/x"), s.here("dynamodb", "table/"+s.name+"-watch")
	const sm = "secretsmanager"
	// With many that are not ours to tag, it sees what every secret is.
	seen, many := own, len(s.foreign("")) > mostNamed
	if many {
		seen = nil
	}
	never := []string{"GetSecretValue", "BatchGetSecretValue", "PutSecretValue", "PutResourcePolicy", "RotateSecret", "ListSecretVersionIds"}
	duties := slices.Concat(
		calls("*", nil, true, "iam", "GetAccountAuthorizationDetails"), calls("*", nil, false, "iam", "PutRolePolicy", "AttachRolePolicy", "PassRole", "GetRole"),
		calls("*", nil, true, "organizations", "DescribeOrganization", "DescribePolicy", "ListParents", "ListPoliciesForTarget"),
		calls("*", nil, false, "organizations", "ListAccounts", "AttachPolicy"),
		calls(secret, seen, true, sm, "DescribeSecret", "GetResourcePolicy"), calls(s.here(sm, "secret:other-AbCdEf"), nil, many, sm, "DescribeSecret", "GetResourcePolicy"),
		calls(secret, own, false, sm, never...), calls("*", nil, false, sm, "ListSecrets"),
		calls(key, nil, true, "kms", "DescribeKey", "GetKeyPolicy"), calls(key, nil, false, "kms", "Decrypt", "PutKeyPolicy", "Sign", "GetPublicKey"),
		calls(key, alias, true, "kms", "GetPublicKey"), calls(key, alias, false, "kms", "Sign"),
		calls(s.here("dynamodb", "table/"+s.name), nil, true, "dynamodb", "Query"), calls(s.here("dynamodb", "table/"+s.name), nil, false, "dynamodb", "PutItem", "GetItem", "Scan"),
		calls(watch, nil, true, "dynamodb", "GetItem"), calls(watch, nil, false, "dynamodb", "Query", "PutItem", "DeleteItem"),
		calls(s.ledger()+"/checkpoint", nil, true, "s3", "GetObject"), calls(s.ledger()+"/checkpoint", nil, false, "s3", "PutObject", "DeleteObject", "PutObjectRetention"),
		calls(s.ledger(), nil, true, "s3", "ListBucket"), calls(s.ledger(), nil, false, "s3", "PutBucketPolicy"),
		calls(s.ledger()+"/review/2026-W48/review.html", nil, true, "s3", "GetObject"),
		calls(s.ledger()+"/review/2026-W48/review.html", map[string]string{"s3:if-none-match": "*"}, true, "s3", "PutObject"),
		calls(s.ledger()+"/review/2026-W48/review.html", nil, false, "s3", "DeleteObject", "DeleteObjectVersion", "PutObjectLegalHold"),
		calls("arn:"+s.env.Partition+":s3:::other/review/x", nil, false, "s3", "GetObject", "PutObject"),
		s.tellDuties(s.name+"-review", false),
	)
	for _, k := range s.someExisting() {
		existing := s.here(sm, "secret:"+k.Name+"-AbCdEf")
		duties = append(duties, calls(existing, nil, true, sm, "DescribeSecret", "GetResourcePolicy")...)
		duties = append(append(duties, calls(existing, nil, false, sm, never...)...), s.keyDuty("kms:Decrypt", existing, false))
	}
	for _, v := range s.file.VendorAccounts {
		admin := s.here(sm, "secret:"+v.Admin+"-AbCdEf")
		duties = append(duties, calls(admin, nil, true, sm, "DescribeSecret", "GetResourcePolicy")...)
		duties = append(append(duties, calls(admin, nil, false, sm, never...)...), s.keyDuty("kms:Decrypt", admin, false))
	}
	return duties
}

// signDuties: auditors and approvers sign, with MFA where the file asks for it.
func (s *Site) signDuties(row actor) []duty {
	reads := row.role == "auditor" || row.role == "approver"
	audit := s.here("sqs", s.name+"-audit")
	return slices.Concat(
		calls(audit, nil, reads && s.proven(row), "sqs", "SendMessage", "GetQueueUrl"), calls(audit, nil, false, "sqs", "ReceiveMessage", "DeleteMessage", "PurgeQueue"),
		calls(s.here("sqs", s.name+"-trail"), nil, false, "sqs", "SendMessage"),
		calls(s.ledger()+"/review/2026-W48/review.html", nil, reads, "s3", "GetObject"), calls(s.ledger(), nil, reads, "s3", "ListBucket"),
		calls(s.ledger()+"/review/2026-W48/review.html", nil, false, "s3", "PutObject", "DeleteObject"),
		calls("*", nil, row.role == "auditor", "organizations", "DescribeOrganization", "DescribePolicy", "ListParents", "ListPoliciesForTarget"),
	)
}

// pageRequests: the review function writes its pages, and nobody else does, the
// audit function and the strong included.
func (s *Site) pageRequests(d *documents, strong []iam.Principal) []sent {
	page, admin := s.ledger()+"/review/2026-W48/review.html", []iam.Policy{everything()}
	review := iam.NewSession(s.RoleARN(s.ReviewName()), "run")
	all := []sent{
		{who: review, action: "s3:PutObject", resource: page, identity: d.identity("review"), context: map[string]string{"s3:if-none-match": "*"}, want: true},
		{who: review, action: "s3:PutObject", resource: page, identity: d.identity("review")}, // over another
		{who: review, action: "s3:GetObject", resource: page, identity: d.identity("review"), want: true},
		{who: review, action: "s3:GetObject", resource: s.ledger() + "/checkpoint", identity: d.identity("review"), want: true},
		{who: review, action: "s3:PutObject", resource: s.ledger() + "/checkpoint", identity: admin},
		{who: review, action: "s3:DeleteObject", resource: page, identity: admin},
	}
	for _, who := range append(slices.Clone(strong), iam.NewSession(s.RoleARN(s.AuditName()), "run")) {
		all = append(all, sent{who: who, action: "s3:GetObject", resource: page, identity: admin, want: true})
		for _, action := range []string{"s3:PutObject", "s3:PutObjectLegalHold", "s3:PutObjectRetention", "s3:ReplicateObject", "s3:DeleteObject"} {
			all = append(all, sent{who: who, action: action, resource: page, identity: admin})
		}
	}
	return all
}

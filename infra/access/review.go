package access

import "github.com/keyturn/keyturn/shared/iam"

// ReviewName is the name of the review function, and of its role.
func (s *Site) ReviewName() string { return s.name + "-review" }

// ReviewPrefix is where the reviews' pages are in the ledger's bucket. They are not
// the ledger: nothing locks them, and their hashes are in it.
const ReviewPrefix = "review/"

func (s *Site) pages() string { return s.ledger() + "/" + ReviewPrefix + "*" }

// Review is the identity policy of the review function: what it asks of policies,
// secrets' descriptions, keys and the ledger. It reads no value, and writes its
// pages alone.
func (s *Site) Review() (iam.Document, error) {
	d := document(s.describes()...)
	d.Statement = append(d.Statement,
		s.asksRights(),
		// Which keys encrypt the secrets is known only when it looks.
		allow("Keys", iam.Strings{"kms:DescribeKey", "kms:GetKeyPolicy"}, iam.Strings{s.here("kms", "key/*")}, nil),
		s.records("Query"),
		allow("Head", iam.Strings{"dynamodb:GetItem"}, iam.Strings{s.here("dynamodb", "table/"+s.name+"-watch")}, nil),
		allow("Ledger", iam.Strings{"s3:GetObject"}, iam.Strings{s.ledger() + "/*"}, nil),
		// Without it S3 does not say that there is nothing.
		allow("LedgerNothing", iam.Strings{"s3:ListBucket"}, iam.Strings{s.ledger()}, nil),
		s.useLedgerKey("LedgerKey", "kms:GetPublicKey"),
		allow("Pages", iam.Strings{"s3:PutObject"}, iam.Strings{s.pages()}, added()),
	)
	d.Statement = append(d.Statement, s.tells()...)
	d.Statement = append(d.Statement, s.runs(s.ReviewName(), "")...)
	return s.fitsRole(s.ReviewName(), "", d)
}

// describes lets the review see what the secrets are, and who is let in. With more
// foreign ones than are named the policy would be too long, and what is left is every
// secret's description, as people see it: it has no value.
func (s *Site) describes() []iam.Statement {
	actions := iam.Strings{"secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy"}
	if len(s.foreign("")) > mostNamed {
		return []iam.Statement{allow("Secrets", actions, iam.Strings{s.here("secretsmanager", "secret:*")}, nil)}
	}
	var admins []string
	for _, v := range s.file.VendorAccounts {
		admins = append(admins, s.secretPattern(v.Admin))
	}
	all := s.secrets("", actions)
	if len(admins) > 0 {
		all = append(all, allow("AdminCredentials", actions, sorted(admins), nil))
	}
	return all
}

// asksRights is to ask who may do what: the account's policies, and those of the
// organization, which a member account is refused unless somebody lets it.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_delegate_policies.html
func (s *Site) asksRights() iam.Statement {
	return allow("Rights", iam.Strings{
		"iam:GetAccountAuthorizationDetails", "organizations:DescribeOrganization", "organizations:DescribePolicy", "organizations:ListParents",
		"organizations:ListPoliciesForTarget",
	}, iam.Strings{"*"}, nil)
}

// signs is the right to say that a review was read, by a message that SQS says the
// sender of.
func (s *Site) signs() []iam.Statement {
	return s.asPerson("SignOff", allow("", iam.Strings{"sqs:GetQueueUrl", "sqs:SendMessage"}, iam.Strings{s.here("sqs", s.name+"-audit")}, nil))
}

// readsPages are the rights to read the reviews, and nothing else of the ledger.
func (s *Site) readsPages() []iam.Statement {
	return []iam.Statement{
		allow("Pages", iam.Strings{"s3:GetObject"}, iam.Strings{s.pages()}, nil),
		allow("ListPages", iam.Strings{"s3:ListBucket"}, iam.Strings{s.ledger()}, nil),
	}
}

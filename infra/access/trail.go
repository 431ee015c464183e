package access

import (
	"maps"
	"strings"

	"github.com/keyturn/keyturn/shared/iam"
)

// What the ledger is compared with and where its checkpoints go may be another
// account's: then its owner has to let the audit function in, by the documents
// here. They name the role by a condition, for S3 and KMS refuse a principal that
// does not exist yet.

// Trailed says whether the file names a trail whose files are read.
func (s *Site) Trailed() bool { return s.file.Audit.Trail != nil }

// Witnessed says whether the file names a second place for checkpoints.
func (s *Site) Witnessed() bool { return s.file.Audit.Checkpoints != nil }

// GlobalRegion is where CloudTrail tells of services that have no Region, such as
// IAM, in the partition of a Region.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-concepts.html#cloudtrail-concepts-global-service-events
func GlobalRegion(region string) string {
	switch iam.Partition(region) {
	case "aws-cn":
		return "cn-north-1"
	case "aws-us-gov":
		return "us-gov-west-1"
	}
	return "us-east-1"
}

func (s *Site) bucket(name string) string { return "arn:" + s.env.Partition + ":s3:::" + name }

// trailFiles are the trail's files and digests of our account, here and of what
// has no Region. An organization's trail writes its ID before the account.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-find-log-files.html
func (s *Site) trailFiles() iam.Strings {
	t := s.file.Audit.Trail
	before := s.bucket(t.Bucket) + "/"
	if t.Prefix != "" {
		before += t.Prefix + "/"
	}
	var all []string
	for _, region := range []string{s.env.Region, GlobalRegion(s.env.Region)} {
		for _, kind := range []string{"CloudTrail", "CloudTrail-Digest"} {
			all = append(all, before+"AWSLogs/*"+s.env.Account+"/"+kind+"/"+region+"/*")
		}
	}
	return sorted(all)
}

func (s *Site) checkpoints() string {
	return s.bucket(s.file.Audit.Checkpoints.Bucket) + "/" + s.name + "/checkpoint/*"
}

// compares are the rights of the comparison with CloudTrail, and of whoever gives
// the checkpoints away.
func (s *Site) compares() (all []iam.Statement) {
	t := s.file.Audit.Trail
	if t == nil {
		all = append(all, allow("TrailEvents", iam.Strings{"cloudtrail:LookupEvents"}, iam.Strings{"*"}, nil))
	} else {
		all = append(all,
			allow("TrailFiles", iam.Strings{"s3:GetObject"}, s.trailFiles(), nil),
			// Without it S3 does not say that there is nothing.
			allow("TrailNothing", iam.Strings{"s3:ListBucket"}, iam.Strings{s.bucket(t.Bucket)}, nil),
			allow("TrailKeys", iam.Strings{"cloudtrail:ListPublicKeys"}, iam.Strings{"*"}, nil),
		)
		if t.KMSKey != "" {
			all = append(all, allow("TrailKey", iam.Strings{"kms:Decrypt"}, iam.Strings{t.KMSKey}, s.throughS3()))
		}
	}
	if s.Witnessed() {
		all = append(all, allow("Checkpoints", iam.Strings{"s3:PutObject"}, iam.Strings{s.checkpoints()}, added()))
	}
	return all
}

// added is the condition that nothing is written over.
func added() iam.Conditions { return iam.Conditions{"Null": {"s3:if-none-match": {"false"}}} }

// throughS3 is the condition that S3 asks, in the Region of the trail's key.
func (s *Site) throughS3() iam.Conditions {
	region := strings.Split(s.file.Audit.Trail.KMSKey, ":")[3]
	return iam.Conditions{"StringEquals": {"kms:ViaService": Via(s.env.Partition, "s3", region)}}
}

// forAudit lets the audit function do this in a policy of somebody else.
func (s *Site) forAudit(sid string, actions, resources iam.Strings, more iam.Conditions) iam.Statement {
	c := iam.Conditions{"ArnEquals": {"aws:PrincipalArn": {s.RoleARN(s.AuditName())}}}
	maps.Copy(c, more)
	return iam.Statement{
		Sid: sid, Effect: iam.Allow, Principal: &iam.Principals{AWS: iam.Strings{s.root()}}, Action: actions, Resource: resources, Condition: c,
	}
}

// TrailBucket is what the policy of the trail's bucket needs besides, where the
// bucket is another account's; without a statement if there is no trail.
func (s *Site) TrailBucket() (iam.Document, error) {
	d := document()
	if s.Trailed() {
		d.Statement = append(d.Statement,
			s.forAudit("KeyturnReadsTrail", iam.Strings{"s3:GetObject"}, s.trailFiles(), nil),
			s.forAudit("KeyturnListsTrail", iam.Strings{"s3:ListBucket"}, iam.Strings{s.bucket(s.file.Audit.Trail.Bucket)}, nil),
		)
	}
	return d, nil
}

// TrailKey is what the policy of the trail's KMS key needs besides; without a
// statement if the file names none.
func (s *Site) TrailKey() (iam.Document, error) {
	d := document()
	if s.Trailed() && s.file.Audit.Trail.KMSKey != "" {
		d.Statement = append(d.Statement, s.forAudit("KeyturnReadsTrail", iam.Strings{"kms:Decrypt"}, iam.Strings{"*"}, s.throughS3()))
	}
	return d, nil
}

// CheckpointBucket is what the policy of the bucket that gets the checkpoints needs
// besides: the audit function adds, and cannot write over what is there. Without a
// statement if the file names none.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
func (s *Site) CheckpointBucket() (iam.Document, error) {
	d := document()
	if s.Witnessed() {
		d.Statement = append(d.Statement, s.forAudit("KeyturnAddsCheckpoints", iam.Strings{"s3:PutObject"}, iam.Strings{s.checkpoints()},
			added()))
	}
	return d, nil
}

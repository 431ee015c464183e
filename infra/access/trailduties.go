package access

import (
	"slices"
	"strings"

	"github.com/keyturn/keyturn/shared/iam"
)

// trailObjects are files of a trail, and whether they are for us to read: written
// from CloudTrail's own names, not from the documents.
func (s *Site) trailObjects() map[string]bool {
	t := s.file.Audit.Trail
	if t == nil {
		return map[string]bool{"arn:" + s.env.Partition + ":s3:::other/AWSLogs/" + s.env.Account + "/CloudTrail/" + s.env.Region + "/2026/01/01/x.json.gz": false}
	}
	before := "arn:" + s.env.Partition + ":s3:::" + t.Bucket + "/"
	if t.Prefix != "" {
		before += t.Prefix + "/"
	}
	global := map[string]string{"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}[s.env.Partition]
	all := map[string]bool{
		before + "AWSLogs/" + s.env.Account + "/CloudTrail/nowhere-1/2026/01/01/x.json.gz":                                              false,
		before + "AWSLogs/" + s.env.Account + "/Config/" + s.env.Region + "/2026/01/01/x.json.gz":                                       false,
		before + "AWSLogs/" + elsewhere + "/CloudTrail/" + s.env.Region + "/2026/01/01/x.json.gz":                                       false,
		before + "AWSLogs/o-proofproof/" + elsewhere + "/CloudTrail/" + s.env.Region + "/2026/x.json.gz":                                false,
		before + "other/" + s.env.Account + "/CloudTrail/" + s.env.Region + "/2026/01/01/x.json.gz":                                     false,
		strings.Replace(before, ":::", ":::other-", 1) + "AWSLogs/" + s.env.Account + "/CloudTrail/" + s.env.Region + "/2026/x.json.gz": false,
	}
	for _, region := range []string{s.env.Region, global} {
		for _, organization := range []string{"", "o-proofproof/"} {
			for _, kind := range []string{"CloudTrail", "CloudTrail-Digest"} {
				all[before+"AWSLogs/"+organization+s.env.Account+"/"+kind+"/"+region+"/2026/01/01/x.json.gz"] = true
			}
		}
	}
	return all
}

// compareDuties are the calls of the comparison with CloudTrail.
func (s *Site) compareDuties() []duty {
	t := s.file.Audit.Trail
	duties := slices.Concat(
		calls("*", nil, t == nil, "cloudtrail", "LookupEvents"), calls("*", nil, t != nil, "cloudtrail", "ListPublicKeys"),
		calls("*", nil, false, "cloudtrail", "StopLogging", "DeleteTrail", "PutEventSelectors"),
	)
	for object, want := range s.trailObjects() {
		duties = append(duties, calls(object, nil, want, "s3", "GetObject")...)
		duties = append(duties, calls(object, nil, false, "s3", "PutObject", "DeleteObject")...)
	}
	if t != nil {
		bucket := "arn:" + s.env.Partition + ":s3:::" + t.Bucket
		duties = append(duties, calls(bucket, nil, true, "s3", "ListBucket")...)
		duties = append(duties, calls(bucket, nil, false, "s3", "PutBucketPolicy", "PutLifecycleConfiguration")...)
		if t.KMSKey != "" {
			via := map[string]string{"kms:ViaService": s.service("s3", strings.Split(t.KMSKey, ":")[3])}
			duties = append(duties, calls(t.KMSKey, via, true, "kms", "Decrypt")...)
			duties = append(duties, calls(t.KMSKey, via, false, "kms", "Encrypt", "GenerateDataKey")...)
			duties = append(duties, calls(t.KMSKey+"-2", via, false, "kms", "Decrypt")...)
		}
	}
	if c := s.file.Audit.Checkpoints; c != nil {
		place := "arn:" + s.env.Partition + ":s3:::" + c.Bucket + "/"
		once := map[string]string{"s3:if-none-match": "*"}
		duties = append(duties, calls(place+s.name+"/checkpoint/7", once, true, "s3", "PutObject")...)
		duties = append(duties, calls(place+s.name+"/checkpoint/7", once, false, "s3", "GetObject", "DeleteObject", "PutObjectRetention")...)
		duties = append(duties, calls(place+s.name+"-2/checkpoint/7", once, false, "s3", "PutObject")...)
		duties = append(duties, calls(place+"other", once, false, "s3", "PutObject")...)
	}
	return duties
}

// trailAccount is the account of the trail's bucket.
func (s *Site) trailAccount() string {
	if t := s.file.Audit.Trail; t != nil && t.Account != "" {
		return t.Account
	}
	return s.env.Account
}

// intruders are who must not come in by what is written for the audit function.
func (s *Site) intruders() []iam.Principal {
	return []iam.Principal{
		s.ours(), iam.NewRoot(s.env.Partition, s.env.Account), iam.NewSession(s.arn("iam", "", "role/"+s.name+"-proof-administrator"), "run"),
		iam.NewSession("arn:"+s.env.Partition+":iam::"+strings.Repeat("5", 12)+":role/"+s.AuditName(), "run"),
	}
}

// guarded are requests to something of another account: that of the audit function,
// and the same of others.
func (s *Site) guarded(d *documents, r sent) []sent {
	r.who, r.identity = iam.NewSession(s.RoleARN(s.AuditName()), "run"), d.identity("audit")
	all := []sent{r}
	if !r.want {
		return all
	}
	for _, who := range s.intruders() {
		other := r
		other.who, other.identity, other.want = who, []iam.Policy{everything()}, false
		all = append(all, other)
	}
	// Whatever the role may by itself, this much is let in.
	service, _, _ := strings.Cut(r.action, ":")
	for _, name := range map[string][]string{"s3": {"PutBucketPolicy", "DeleteObject"}, "kms": {"CreateGrant", "Encrypt"}}[service] {
		other, action := r, service+":"+name
		other.action, other.identity, other.want = action, []iam.Policy{everything()}, false
		all = append(all, other)
	}
	return all
}

// foreignAccount is an account that is not ours, as the documents are for one.
func (s *Site) foreignAccount(account string) string {
	if account == s.env.Account {
		return elsewhere
	}
	return account
}

func (s *Site) trailBucketRequests(d *documents) (all []sent) {
	t := s.file.Audit.Trail
	if t == nil {
		return nil
	}
	account := s.foreignAccount(s.trailAccount())
	for object, want := range s.trailObjects() {
		all = append(all, s.guarded(d, sent{action: "s3:GetObject", resource: object, account: account, want: want})...)
	}
	admin := []iam.Policy{everything()}
	audit, bucket := iam.NewSession(s.RoleARN(s.AuditName()), "run"), "arn:"+s.env.Partition+":s3:::"+t.Bucket
	for object, want := range s.trailObjects() {
		all = append(all, sent{who: audit, action: "s3:GetObject", resource: object, account: account, identity: admin, want: want})
	}
	all = append(all, sent{who: audit, action: "s3:ListBucket", resource: bucket + "-2", account: account, identity: admin})
	return append(all, s.guarded(d, sent{action: "s3:ListBucket", resource: bucket, account: account, want: true})...)
}

func (s *Site) trailKeyRequests(d *documents) []sent {
	t := s.file.Audit.Trail
	if t == nil || t.KMSKey == "" {
		return nil
	}
	part := strings.Split(t.KMSKey, ":")
	via := map[string]string{"kms:ViaService": s.service("s3", part[3])}
	r := sent{action: "kms:Decrypt", resource: t.KMSKey, account: part[4], context: via, want: true}
	direct := r
	direct.context, direct.want = nil, false
	audit := direct
	audit.who, audit.identity = iam.NewSession(s.RoleARN(s.AuditName()), "run"), []iam.Policy{everything()}
	return append(append(s.guarded(d, r), s.guarded(d, direct)...), audit)
}

func (s *Site) checkpointRequests(d *documents) []sent {
	c := s.file.Audit.Checkpoints
	if c == nil {
		return nil
	}
	place := "arn:" + s.env.Partition + ":s3:::" + c.Bucket + "/"
	adds := sent{action: "s3:PutObject", resource: place + s.name + "/checkpoint/7", account: elsewhere, context: map[string]string{"s3:if-none-match": "*"}, want: true}
	over := adds
	over.context, over.want = nil, false
	other := adds
	other.who, other.identity = iam.NewSession(s.RoleARN(s.AuditName()), "run"), []iam.Policy{everything()}
	other.resource, other.want = place+"other", false
	again := other
	again.resource, again.context = over.resource, nil
	return append(append(s.guarded(d, adds), s.guarded(d, over)...), other, again)
}

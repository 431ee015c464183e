package access

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// ways are what a role could come to a value or to more rights by. They are written
// down here once more, so that none drops out of the proof unseen.
const ways = `cloudformation:CreateChangeSet cloudformation:UpdateStack dynamodb:CreateBackup dynamodb:ExportTableToPointInTime dynamodb:GetRecords
	dynamodb:RestoreTableFromBackup dynamodb:RestoreTableToPointInTime events:PutTargets iam:AttachRolePolicy iam:CreatePolicyVersion iam:PassRole iam:PutRolePolicy
	iam:UpdateAssumeRolePolicy kms:CreateGrant kms:Decrypt kms:DisableKey kms:PutKeyPolicy kms:ReEncryptFrom kms:ScheduleKeyDeletion kms:UpdateAlias lambda:AddPermission lambda:CreateEventSourceMapping
	lambda:CreateFunction lambda:PublishLayerVersion lambda:UpdateAlias lambda:UpdateFunctionCode lambda:UpdateFunctionConfiguration logs:CreateExportTask logs:PutSubscriptionFilter
	s3:PutBucketPolicy s3:PutReplicationConfiguration scheduler:CreateSchedule scheduler:UpdateSchedule secretsmanager:BatchGetSecretValue secretsmanager:DeleteResourcePolicy secretsmanager:PutResourcePolicy
	secretsmanager:ReplicateSecretToRegions secretsmanager:RotateSecret secretsmanager:TagResource secretsmanager:UpdateSecret sns:AddPermission sns:Subscribe sqs:ReceiveMessage
	ssm:PutParameter ssm:SendCommand sts:AssumeRole tag:TagResources`

// TestDetours gives each role each way that it has not, and wants the proof to name
// the statement.
func TestDetours(t *testing.T) {
	t.Parallel()
	s, err := New(mutationSample(), home)
	if err != nil {
		t.Fatal(err)
	}
	base, err := s.documents()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"person:viewer", "person:operator", "person:responder", "person:approver", "person:auditor", "person:admin",
		"rotate:sendgrid-main", "retire:sendgrid-main", "rotatenow", "audit", "review", "schedule", "deploy",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shut := s.shut(name)
			for way := range strings.FieldsSeq(ways) {
				if len(shut[way]) == 0 && name+" "+way != "rotatenow secretsmanager:RotateSecret" {
					t.Errorf("%s is not asked", way)
				}
			}
			doc := base.roles[name].Clone()
			for i, action := range slices.Sorted(maps.Keys(shut)) {
				doc.Statement = append(doc.Statement, allow(fmt.Sprint("Careless", i), iam.Strings{action}, iam.Strings{shut[action]}, nil))
			}
			d := base.with("role", name, doc)
			d.only = ""
			var p Proof
			for _, row := range s.detouring(d) {
				if row.identity[0].Name != "the policy "+name {
					continue
				}
				if err := s.proveDetour(d, &p, row); err != nil {
					t.Fatal(err)
				}
			}
			for _, c := range p.Wrong {
				if strings.HasPrefix(c.Got.Sid, "Careless") {
					delete(shut, c.Action)
				}
			}
			for action, resource := range shut {
				t.Errorf("%s of %s is not noticed", action, resource)
			}
		})
	}
}

// shut are the ways that a role must not have, each with a resource.
func (s *Site) shut(name string) map[string]string {
	row := actor{name: name, role: strings.TrimPrefix(name, "person:")}
	row.role, row.of, _ = strings.Cut(row.role, ":")
	all := map[string]string{}
	for _, w := range s.detours(row) {
		if !w.want {
			all[w.action] = w.resource
		}
	}
	return all
}

// TestBrokenByHand breaks a policy as a hand would, and looks at what the operator
// reads: who, what and the statement to blame.
func TestBrokenByHand(t *testing.T) {
	t.Parallel()
	f := sample()
	f.Keys = slices.DeleteFunc(f.Keys, func(k keysfile.Key) bool {
		return !slices.Contains([]string{"plain", "addresses", "mfa", "network"}, k.Name)
	})
	f.VendorAccounts = map[string]keysfile.VendorAccount{"sendgrid-main": f.VendorAccounts["sendgrid-main"]}
	s, err := New(f, home)
	if err != nil {
		t.Fatal(err)
	}
	base, err := s.documents()
	if err != nil {
		t.Fatal(err)
	}
	change := func(sid string, change func(st *iam.Statement)) func(d *iam.Document) {
		return func(d *iam.Document) {
			for i := range d.Statement {
				if d.Statement[i].Sid == sid {
					change(&d.Statement[i])
				}
			}
		}
	}
	drop := func(sid string) func(d *iam.Document) {
		return func(d *iam.Document) {
			d.Statement = slices.DeleteFunc(d.Statement, func(st iam.Statement) bool { return st.Sid == sid })
		}
	}
	for name, tt := range map[string]struct {
		kind, document string
		hand           func(d *iam.Document)
		want           []string
	}{
		"anybody reads": {"secret", "plain", drop("OnlyReadersRead"), []string{"administrator of the account from", "GetSecretValue of plain must be denied, but is allowed by Everything of administrator rights"}},
		"from anywhere": {"secret", "addresses", drop("OnlyFromNetwork"), []string{"reader, role", "from wrong address: secretsmanager:GetSecretValue of addresses must be denied, but is allowed by ReadersRead of the resource policy"}},
		"the rotator is shut out": {"secret", "mfa", change("OnlyWithMFA", func(st *iam.Statement) { delete(st.Condition, "ArnNotEquals") }), []string{
			"rotate function of sendgrid-main from", "GetSecretValue of mfa must be allowed, but is denied by OnlyWithMFA of the resource policy",
		}},
		"a deployer is shut out": {"secret", "network", change("OnlyFromNetwork", func(st *iam.Statement) { st.Action = iam.Strings{"secretsmanager:*"} }), []string{
			"CloudFormation, least rights from", "DeleteSecret of network must be allowed, but is denied by OnlyFromNetwork of the resource policy",
		}},
		"an operator reads": {"role", "person:operator", func(d *iam.Document) {
			d.Statement = append(d.Statement, allow("Helpful", iam.Strings{"secretsmanager:GetSecretValue"}, iam.Strings{"*"}, nil))
		}, []string{"operator", "must be denied, but is allowed by Helpful of the policy person:operator"}},
		"the other vendor account too": {"role", "rotate:sendgrid-main", change("Secrets", func(st *iam.Statement) { delete(st.Condition["StringEquals"], "aws:ResourceTag/"+TagVendorAccount) }), []string{
			"rotate function of sendgrid-main", "must be denied, but is allowed by Secrets of the policy rotate:sendgrid-main",
		}},
		"the rotator cannot write": {"role", "rotate:sendgrid-main", change("Secrets", func(st *iam.Statement) {
			st.Action = slices.DeleteFunc(slices.Clone(st.Action), func(a string) bool { return a == "secretsmanager:PutSecretValue" })
		}), []string{"PutSecretValue of", "must be allowed, but is denied: no statement allows"}},
		"the CMK opens to whoever asks KMS": {"key", "secrets", change("SecretsManagerReads", func(st *iam.Statement) { delete(st.Condition["StringEquals"], "kms:ViaService") }), []string{
			"kms:Decrypt of", "must be denied, but is allowed by SecretsManagerReads of the key policy",
		}},
		"anybody ends the CMK":          {"key", "secrets", drop("OnlyBreakGlassEnds"), []string{"kms:ScheduleKeyDeletion of", "must be denied, but is allowed by Everything of administrator rights"}},
		"an admin reads what he stored": {"role", "person:admin", drop("AdminNeverReads"), []string{"admin", "by a policy of his own from anywhere: secretsmanager:GetSecretValue of", "must be denied, but is allowed by Mine of a policy that he wrote"}},
		"a foreign rule fills the queue": {"queue", "labels:sendgrid-main", change("Events", func(st *iam.Statement) { delete(st.Condition, "ArnEquals") }), []string{
			"events.amazonaws.com", "sqs:SendMessage of the queue", "must be denied, but is allowed by Events of the queue",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from := map[string]map[string]iam.Document{"secret": base.secrets, "role": base.roles, "key": base.keys, "queue": base.queues}[tt.kind]
			doc := from[tt.document].Clone()
			tt.hand(&doc)
			d := base.with(tt.kind, tt.document, doc)
			d.only = ""
			_, err := s.prove(d)
			if wrong, ok := errors.AsType[*WrongError](err); !ok || len(wrong.Cells) == 0 {
				t.Fatalf("not seen: %v", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("nothing of %q in\n%s", want, fmt.Sprintf("%.1500s", err))
				}
			}
		})
	}
}

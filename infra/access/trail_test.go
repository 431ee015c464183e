package access

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/iam"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// TestTrail_documents wants what the other account has to add, as it has to be.
func TestTrail_documents(t *testing.T) {
	t.Parallel()
	s, err := New(sample(), home)
	if err != nil {
		t.Fatal(err)
	}
	const who = `"Principal":{"AWS":"arn:aws:iam::111122223333:root"}`
	const only = `"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/keyturn/corp-keyturn-audit"}`
	files := func(rest string) string { return `"arn:aws:s3:::trails/all/AWSLogs/*111122223333/` + rest + `/*"` }
	for name, tt := range map[string]struct {
		build func() (iam.Document, error)
		want  string
	}{
		"trail's bucket": {s.TrailBucket, `{"Sid":"KeyturnReadsTrail","Effect":"Allow",` + who + `,"Action":"s3:GetObject","Resource":[` + strings.Join([]string{
			files("CloudTrail-Digest/eu-west-1"), files("CloudTrail-Digest/us-east-1"), files("CloudTrail/eu-west-1"), files("CloudTrail/us-east-1"),
		}, ",") + `],"Condition":{` + only + `}},{"Sid":"KeyturnListsTrail","Effect":"Allow",` + who + `,"Action":"s3:ListBucket","Resource":"arn:aws:s3:::trails","Condition":{` + only + `}}`},
		"trail's key": {s.TrailKey, `{"Sid":"KeyturnReadsTrail","Effect":"Allow",` + who + `,"Action":"kms:Decrypt","Resource":"*","Condition":{` + only +
			`,"StringEquals":{"kms:ViaService":"s3.us-east-1.amazonaws.com"}}}`},
		"bucket of checkpoints": {s.CheckpointBucket, `{"Sid":"KeyturnAddsCheckpoints","Effect":"Allow",` + who +
			`,"Action":"s3:PutObject","Resource":"arn:aws:s3:::witness/keyturn/checkpoint/*","Condition":{` + only + `,"Null":{"s3:if-none-match":"false"}}}`},
	} {
		d, err := tt.build()
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.Text()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(`{"Version":"2012-10-17","Statement":[`+tt.want+`]}`, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestProve_withoutTrail wants the proof to hold, and to notice what is missing,
// where the ledger is compared with LookupEvents, and where the trail is our own.
func TestProve_withoutTrail(t *testing.T) {
	t.Parallel()
	for name, audit := range map[string]keysfile.Audit{
		"TrailEvents": {},
		"TrailKeys":   {Trail: &keysfile.Trail{Bucket: "trails"}},
		"TrailKey":    {Trail: &keysfile.Trail{Bucket: "trails", KMSKey: "arn:aws:kms:eu-west-1:111122223333:key/x"}},
	} {
		f := mutationSample()
		f.Audit = audit
		s, err := New(f, home)
		if err != nil {
			t.Fatal(err)
		}
		d, err := s.documents()
		if err != nil {
			t.Fatal(err)
		}
		for _, only := range []string{"role audit", "queue trail-bucket", "queue trail-key"} {
			of := *d
			of.only = only
			if p, err := s.prove(&of); err != nil || p.Cells == 0 && only == "role audit" {
				t.Errorf("%s: %d cells of %s: %v", name, p.Cells, only, err)
			}
		}
		changed := d.roles["audit"].Clone()
		before := len(changed.Statement)
		changed.Statement = slices.DeleteFunc(changed.Statement, func(st iam.Statement) bool { return st.Sid == name })
		_, err = s.prove(d.with("role", "audit", changed))
		if _, wrong := errors.AsType[*WrongError](err); !wrong || len(changed.Statement) != before-1 {
			t.Errorf("the proof does not miss %s: %v", name, err)
		}
	}
}

// TestResponds: the right to start rotations comes and goes with the file.
func TestResponds(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		respond *keysfile.Respond
		want    bool
	}{"not said": {nil, false}, "said": {&keysfile.Respond{}, true}, "kill switch": {&keysfile.Respond{Off: true}, false}} {
		f := mutationSample()
		f.Detect.Respond = tt.respond
		s, err := New(f, home)
		if err != nil {
			t.Fatal(err)
		}
		d, err := s.Audit()
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.ContainsFunc(d.Statement, func(st iam.Statement) bool { return st.Sid == "Respond" }); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
		docs, err := s.documents()
		if err != nil {
			t.Fatal(err)
		}
		docs.only = "role audit"
		if _, err := s.prove(docs); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		all, err := s.Where("open")
		if err != nil {
			t.Fatal(err)
		}
		asks := slices.ContainsFunc(all, func(c Circumstance) bool {
			return c.Who == "audit function" && c.May(Emergency) && !c.May(RotateNow)
		})
		if asks != tt.want {
			t.Errorf("%s: shown %v", name, asks)
		}
	}
}

package gather

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"github.com/keyturn/keyturn/shared/review"
)

// answers are those of AWS that somebody has saved in dir.
type answers struct {
	dir string
	in  review.Input
}

func (s *answers) missing(format string, args ...any) {
	s.in.Missing = append(s.in.Missing, fmt.Sprintf(format, args...))
}

// Saved reads the files in dir with what the AWS command answered, as at says when:
// see keyturn review --help for them. A file that is missing makes its part unknown.
func Saved(dir string, at time.Time) (review.Input, error) {
	s := answers{dir: dir, in: review.Input{Now: at, Missing: []string{}}}
	err := s.read()
	return s.in, err
}

// read fails for files that cannot be understood, and notes those that are missing.
func (s *answers) read() error {
	there := 0
	for _, f := range []struct {
		name, without string
		read          func([]byte) error
	}{
		{"account.json", "who of the account can read", s.account},
		{"secrets.json", "the keys", s.secrets},
		{"keys.json", "who may use the KMS keys, and so who can read what they encrypt", s.keys},
		{"reads.json", "who did read", s.reads},
	} {
		b, err := os.ReadFile(filepath.Join(s.dir, f.name))
		if errors.Is(err, fs.ErrNotExist) {
			s.missing("There was no %s: %s is not known.", f.name, f.without)
			continue
		}
		if err == nil {
			err = f.read(b)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		there++
	}
	if there == 0 {
		return errors.New("none of the files is in " + s.dir)
	}
	return nil
}

func (s *answers) account(b []byte) (err error) {
	s.in.Principals, err = review.ReadAccount(bytes.NewReader(b))
	return err
}

func (s *answers) reads(b []byte) error {
	var in struct {
		Since time.Time
		Reads []review.Read
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return err
	}
	if in.Since.IsZero() {
		return errors.New(`it does not say since when it is complete: "since"`)
	}
	s.in.Since, s.in.Reads = in.Since, in.Reads
	return nil
}

// keyAnswer is one of kms list-aliases, describe-key and get-key-policy.
type keyAnswer struct {
	Aliases     []struct{ AliasArn, AliasName, TargetKeyID string }
	KeyMetadata *struct{ Arn, KeyID string }
	Policy      string
}

// keys runs after secrets, whose KMS keys it gives the names that the policies have.
func (s *answers) keys(b []byte) error {
	s.in.KMS = map[string]review.Policy{}
	names := map[string]string{} // any name to the id, or to the ARN
	last := ""
	err := each(b, func(k keyAnswer) error {
		for _, a := range k.Aliases {
			names[a.AliasArn], names[a.AliasName] = a.TargetKeyID, a.TargetKeyID
		}
		switch {
		case k.KeyMetadata != nil:
			last = k.KeyMetadata.Arn
			names[k.KeyMetadata.KeyID] = last
		case k.Policy != "" && last == "":
			return errors.New("a policy has no describe-key before it")
		case k.Policy != "":
			s.in.KMS[last] = review.Policy{Name: "KMS key", Text: k.Policy}
			last = ""
		}
		return nil
	})
	for i := range s.in.Secrets {
		for range 2 { // from an alias to the id, from the id to the ARN
			if name := names[s.in.Secrets[i].KMSKey]; name != "" {
				s.in.Secrets[i].KMSKey = name
			}
		}
	}
	return err
}

// secretAnswer is one of secretsmanager describe-secret and get-resource-policy.
type secretAnswer struct {
	ARN, Name, KmsKeyID, ResourcePolicy                                          string
	CreatedDate, LastRotatedDate, LastAccessedDate, LastChangedDate, DeletedDate moment
	RotationEnabled                                                              bool
	RotationRules                                                                struct {
		AutomaticallyAfterDays       int
		Duration, ScheduleExpression string
	}
	Tags               []struct{ Key, Value string }
	VersionIDsToStages map[string][]string

	SecretString, SecretBinary any
}

func (s *answers) secrets(b []byte) error {
	policies, seen := map[string]string{}, map[string]bool{}
	err := each(b, func(o secretAnswer) error {
		at, err := arn.Parse(o.ARN)
		switch {
		case o.SecretString != nil || o.SecretBinary != nil:
			return errors.New("it holds the value of a secret: delete it, rotate the key, and save what describe-secret answers")
		case err != nil || at.Service != "secretsmanager":
			return fmt.Errorf("%q is no ARN of a secret", o.ARN)
		case o.CreatedDate.IsZero():
			policies[o.ARN] = o.ResourcePolicy
			return nil
		case s.in.Account == "":
			s.in.Account, s.in.Partition, s.in.Region = at.AccountID, at.Partition, at.Region
		}
		switch {
		case at.AccountID != s.in.Account || at.Region != s.in.Region:
			s.missing("%s is of another account or Region: it was not reviewed.", o.ARN)
		case !o.DeletedDate.IsZero():
			s.missing("%s is about to be deleted: it was not reviewed.", o.Name)
		case seen[o.ARN]:
			return fmt.Errorf("%s is in it twice", o.ARN)
		default:
			seen[o.ARN] = true
			s.in.Secrets = append(s.in.Secrets, o.secret())
		}
		return nil
	})
	for i := range s.in.Secrets {
		one := &s.in.Secrets[i]
		policy, ok := policies[one.ARN]
		one.Policy, one.PolicyUnread = policy, !ok
	}
	return err
}

func (o *secretAnswer) secret() review.Secret {
	s := review.Secret{
		ARN: o.ARN, Name: o.Name, Tags: map[string]string{}, RotationOn: o.RotationEnabled, Created: o.CreatedDate.Time,
		LastRotated: o.LastRotatedDate.Time, LastRead: o.LastAccessedDate.Time, Schedule: o.RotationRules.ScheduleExpression,
	}
	if o.KmsKeyID != "alias/aws/secretsmanager" && !strings.HasSuffix(o.KmsKeyID, ":alias/aws/secretsmanager") {
		s.KMSKey = o.KmsKeyID
	}
	if n := o.RotationRules.AutomaticallyAfterDays; s.Schedule == "" && n > 0 {
		s.Schedule = "rate(" + strconv.Itoa(n) + " days)"
	}
	// Without a duration, a window ends with its day, or after an hour:
	// https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html
	s.Window = 24 * time.Hour
	if d, err := time.ParseDuration(o.RotationRules.Duration); err == nil {
		s.Window = d
	} else if strings.Contains(s.Schedule, "hour") {
		s.Window = time.Hour
	}
	for _, t := range o.Tags {
		s.Tags[t.Key] = t.Value
	}
	s.Owner = s.Tags["keyturn:owner"]
	s.Tier, _ = strconv.Atoi(s.Tags["keyturn:tier"])
	for _, id := range slices.Sorted(maps.Keys(o.VersionIDsToStages)) {
		if slices.Contains(o.VersionIDsToStages[id], "AWSCURRENT") {
			s.Version = id
		}
		if stages := o.VersionIDsToStages[id]; slices.Contains(stages, "AWSPENDING") && !slices.Contains(stages, "AWSCURRENT") {
			s.Pending, s.PendingSince = id, o.LastChangedDate.Time
		}
	}
	return s
}

// each reads JSON documents that follow each other, or a list of them.
func each[T any](b []byte, do func(T) error) error {
	if b = bytes.TrimSpace(b); bytes.HasPrefix(b, []byte("[")) {
		var all []T
		if err := json.Unmarshal(b, &all); err != nil {
			return err
		}
		for _, one := range all {
			if err := do(one); err != nil {
				return err
			}
		}
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(b))
	for {
		var one T
		if err := d.Decode(&one); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := do(one); err != nil {
			return err
		}
	}
}

// moment is a time as the AWS command prints it: ISO 8601, or seconds.
type moment struct{ time.Time }

// UnmarshalJSON reads either.
func (m *moment) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	if seconds, err := strconv.ParseFloat(string(b), 64); err == nil {
		m.Time = time.Unix(int64(seconds), 0)
		return nil
	}
	return m.Time.UnmarshalJSON(b)
}

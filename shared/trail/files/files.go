// Package files reads what a CloudTrail trail left in an S3 bucket, which may be in
// another account, and proves it by the trail's digests. It finds out by itself which
// trail that is.
package files

import (
	"context"
	"encoding/json"
	"errors"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/trail"
	"github.com/keyturn/keyturn/shared/trail/digest"
)

// Source is a bucket's files of one account and Region. All fields but Prefix and
// Owner are needed. Where several trails deliver to the bucket, it stays with one for
// as long as that one's digests come.
type Source struct {
	S3         Bucket
	CloudTrail CloudTrail // of the Region: each has its own keys
	Bucket     string
	Prefix     string // of all keys, before AWSLogs; of an organization's trail too
	Owner      string // AWS account of the bucket, if it is known
	Account    string // whose records are read
	Region     string // whose records are read
}

// place is which trail is read.
type place struct {
	Organization string `json:"organization,omitempty"`
	Home         string `json:"home,omitempty"`
	Name         string `json:"name,omitempty"`
}

// rest is [trail.Position.Rest].
type rest struct {
	Trail  place           `json:"trail"`
	Digest digest.Position `json:"digest"`
}

// Walk goes on at a position, with what came until to: see [digest.Trail.Resume]. A
// bucket with no digest of the account gives nothing.
func (s *Source) Walk(ctx context.Context, at trail.Position, to time.Time, f func(trail.Step) error) error {
	r, err := read(at)
	if err != nil {
		return err
	}
	found, err := s.find(ctx, r.Trail, at.Through, to)
	if err != nil || found == (place{}) {
		return err
	}
	if r.Trail != (place{}) && found != r.Trail {
		r.Digest = digest.Position{Through: at.Through} // a chain of its own
		problem := "the digests of the trail " + r.Trail.Name + " have ended; those of " + found.Name + " are read instead"
		if err := f(trail.Step{Name: s.Bucket, Problem: problem, Next: write(rest{found, r.Digest})}); err != nil {
			return err
		}
	}
	t := digest.Trail{
		Objects: s, Keys: s, Bucket: s.Bucket, Prefix: s.Prefix, Account: s.Account, Region: s.Region,
		Organization: found.Organization, Home: found.Home, Name: found.Name,
	}
	return t.Resume(ctx, r.Digest, to, func(step digest.Step) error {
		return f(trail.Step{Name: step.Key, Data: step.Data, Problem: step.Problem, Next: write(rest{found, step.Next})})
	})
}

func read(at trail.Position) (rest, error) {
	r := rest{Digest: digest.Position{Through: at.Through}}
	if len(at.Rest) == 0 {
		return r, nil
	}
	if err := json.Unmarshal(at.Rest, &r); err != nil {
		return rest{}, errors.New("how far the files were read is not as it was stored")
	}
	r.Digest.Through = at.Through
	return r, nil
}

func write(r rest) trail.Position {
	data, _ := json.Marshal(r) //nolint:errchkjson // texts, numbers, and a time that was read
	return trail.Position{Through: r.Digest.Through, Rest: data}
}

// find returns the trail whose digests came after from: the one that was read before,
// or else the one with the newest; nothing if there is none.
func (s *Source) find(ctx context.Context, known place, from, to time.Time) (place, error) {
	folders := []string{known.Organization}
	if known == (place{}) {
		var err error
		if folders, err = s.organizations(ctx); err != nil {
			return place{}, err
		}
	}
	best, newest := place{}, time.Time{}
	for _, folder := range folders {
		dir := path.Join(s.Prefix, "AWSLogs", folder, s.Account, "CloudTrail-Digest", s.Region) + "/"
		err := s.List(ctx, dir, dir+from.UTC().Format("2006/01/02/"), func(key string) error {
			p, end, ok := s.parse(path.Base(key))
			p.Organization = folder
			switch {
			case !ok || !end.After(from) || end.After(to):
			case p == known:
				best, newest = p, to
			case end.After(newest):
				best, newest = p, end
			}
			return nil
		})
		if err != nil {
			return place{}, err
		}
	}
	if best == (place{}) {
		best = known
	}
	return best, nil
}

// organizations returns the folders that may have the account's: "", or that of an
// organization.
func (s *Source) organizations(ctx context.Context) ([]string, error) {
	all, err := s.folders(ctx, path.Join(s.Prefix, "AWSLogs")+"/")
	if err != nil {
		return nil, err
	}
	if slices.Contains(all, s.Account) {
		all = append(all, "")
	}
	return slices.DeleteFunc(all, func(name string) bool { return name != "" && !strings.HasPrefix(name, "o-") }), nil
}

// parse reads the name of a digest: account, kind, Region, and then the trail's name,
// its Region, and the end. https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
func (s *Source) parse(name string) (place, time.Time, bool) {
	text, ok := strings.CutPrefix(name, s.Account+"_CloudTrail-Digest_"+s.Region+"_")
	if !ok {
		return place{}, time.Time{}, false
	}
	text, ok = strings.CutSuffix(text, ".json.gz")
	parts := strings.Split(text, "_") // a trail's name may have more of them
	if !ok || len(parts) < 3 {
		return place{}, time.Time{}, false
	}
	n := len(parts)
	end, err := time.Parse("20060102T150405Z", parts[n-1])
	return place{Home: parts[n-2], Name: strings.Join(parts[:n-2], "_")}, end, err == nil
}

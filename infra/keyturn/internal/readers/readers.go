// Package readers says who may read a secret and who did, as far as its resource
// policy and CloudTrail tell, and what they do not tell. It reads no value.
package readers

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/keyturn/keyturn/shared/awserror"
)

// Span is how far back CloudTrail's event history goes.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/view-cloudtrail-events.html
const Span = 90 * 24 * time.Hour

const (
	pageSize = 50 // the most that LookupEvents returns
	pages    = 20 // of one question: LookupEvents answers twice a second
)

// Policies is what a Finder needs of Secrets Manager.
type Policies interface {
	GetResourcePolicy(context.Context, *sm.GetResourcePolicyInput, ...func(*sm.Options)) (*sm.GetResourcePolicyOutput, error)
}

// Trail is what a Finder needs of CloudTrail.
type Trail interface {
	LookupEvents(context.Context, *cloudtrail.LookupEventsInput, ...func(*cloudtrail.Options)) (*cloudtrail.LookupEventsOutput, error)
}

// Finder finds a secret's readers. All fields are needed.
type Finder struct {
	Policies Policies
	Trail    Trail
	Now      func() time.Time
}

// Readers is what is known about who reads a secret.
type Readers struct {
	Policy  []Grant   `json:"policy"`  // of the secret's own policy, those that let somebody read the value
	Reads   []Read    `json:"reads"`   // by who read it last
	Since   time.Time `json:"since"`   // of Reads
	Unknown []string  `json:"unknown"` // what cannot be known from these
}

// Grant is a statement that lets somebody read the value.
type Grant struct {
	Principal   string `json:"principal"`
	Conditional bool   `json:"conditional,omitempty"` // under conditions that are not looked at
}

// Read is everything that one principal has read.
type Read struct {
	Principal string    `json:"principal"`
	Count     int       `json:"count"`
	Last      time.Time `json:"last"`
}

// Find looks up the readers of the secret with this ARN and name. What cannot be
// looked up is in Unknown.
func (f Finder) Find(ctx context.Context, arn, name string) Readers {
	out := Readers{Policy: []Grant{}, Reads: []Read{}, Since: f.Now().Add(-Span), Unknown: []string{}}
	if err := f.policy(ctx, arn, &out); err != nil {
		out.Unknown = append(out.Unknown, "who may read it by its own policy: "+err.Error()+" (secretsmanager:GetResourcePolicy)")
	}
	out.Unknown = append(out.Unknown, "who may read it by a policy of their own: the secret's policy does not say")
	if err := f.reads(ctx, &out, arn, name); err != nil {
		out.Unknown = append(out.Unknown, "who read it: "+err.Error()+" (cloudtrail:LookupEvents)")
	}
	out.Unknown = append(out.Unknown,
		"who read it in the last 15 minutes, before the last 90 days, as a replica in another Region, or by a part of its ARN: CloudTrail's history does not show these under its name",
		"who keeps a copy of the value, and where")
	return out
}

// policy reads the secret's own policy.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetResourcePolicy.html
func (f Finder) policy(ctx context.Context, arn string, out *Readers) error {
	got, err := f.Policies.GetResourcePolicy(ctx, &sm.GetResourcePolicyInput{SecretId: &arn})
	if err != nil {
		return awserror.Safe("GetResourcePolicy", err)
	}
	if aws.ToString(got.ResourcePolicy) == "" {
		return nil
	}
	grants, notes, err := parse([]byte(*got.ResourcePolicy))
	out.Policy = append(out.Policy, grants...)
	out.Unknown = append(out.Unknown, notes...)
	return err
}

// reads asks for the events under the names by which a request may name the
// secret.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
func (f Finder) reads(ctx context.Context, out *Readers, names ...string) error {
	seen := map[string]bool{}
	by := map[string]*Read{}
	for _, name := range names {
		in := &cloudtrail.LookupEventsInput{
			StartTime: &out.Since, MaxResults: aws.Int32(pageSize),
			LookupAttributes: []types.LookupAttribute{{AttributeKey: types.LookupAttributeKeyResourceName, AttributeValue: &name}},
		}
		more, err := f.events(ctx, in, func(e types.Event) {
			if id := aws.ToString(e.EventId); !seen[id] {
				seen[id] = true
				count(by, e)
			}
		})
		if err != nil {
			return err
		}
		if more {
			out.Unknown = append(out.Unknown, fmt.Sprintf("who read it before the last %d events under the name %s: there are more", pages*pageSize, name))
		}
	}
	for _, r := range by {
		out.Reads = append(out.Reads, *r)
	}
	slices.SortFunc(out.Reads, func(a, b Read) int { return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Principal, b.Principal)) })
	return nil
}

// events gives each of the last events, and reports whether there are more.
func (f Finder) events(ctx context.Context, in *cloudtrail.LookupEventsInput, each func(types.Event)) (more bool, err error) {
	for range pages {
		got, err := f.Trail.LookupEvents(ctx, in)
		if err != nil {
			return false, awserror.Safe("LookupEvents", err)
		}
		for _, e := range got.Events {
			each(e)
		}
		if in.NextToken = got.NextToken; aws.ToString(in.NextToken) == "" {
			return false, nil
		}
	}
	return true, nil
}

// count adds an event, if it is a read of a value that succeeded.
func count(by map[string]*Read, e types.Event) {
	if aws.ToString(e.EventName) != "GetSecretValue" {
		return
	}
	var record struct {
		ErrorCode    string `json:"errorCode"`
		UserIdentity struct {
			ARN            string `json:"arn"`
			InvokedBy      string `json:"invokedBy"`
			SessionContext struct {
				SessionIssuer struct {
					ARN string `json:"arn"`
				} `json:"sessionIssuer"`
			} `json:"sessionContext"`
		} `json:"userIdentity"`
	}
	if json.Unmarshal([]byte(aws.ToString(e.CloudTrailEvent)), &record) == nil && record.ErrorCode != "" {
		return
	}
	// The role, not each of its sessions.
	who := cmp.Or(record.UserIdentity.SessionContext.SessionIssuer.ARN, record.UserIdentity.ARN, record.UserIdentity.InvokedBy, aws.ToString(e.Username), "somebody")
	r := by[who]
	if r == nil {
		r = &Read{Principal: who}
		by[who] = r
	}
	r.Count++
	if at := aws.ToTime(e.EventTime); at.After(r.Last) {
		r.Last = at
	}
}

var errPolicy = errors.New("its policy cannot be understood")

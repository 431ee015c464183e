package own

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"time"
)

// The versions of the Query APIs.
const (
	IAMVersion            = "2010-05-08"
	CloudFormationVersion = "2010-05-15"
)

type xmlTag struct{ Key, Value string }

func tagMap(all []xmlTag) map[string]string {
	m := map[string]string{}
	for _, t := range all {
		m[t.Key] = t.Value
	}
	return m
}

func (s *Sweeper) formation(ctx context.Context, action string, in url.Values, out any) error {
	return Query(ctx, s.Config, "cloudformation", CloudFormationVersion, action, in, out)
}

func (s *Sweeper) iam(ctx context.Context, action string, in url.Values, out any) error {
	return Query(ctx, s.Config, "iam", IAMVersion, action, in, out)
}

// stacks lists those that are there.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
func (s *Sweeper) stacks(ctx context.Context) (all []Resource, err error) {
	for next := ""; ; {
		in := url.Values{}
		if next != "" {
			in.Set("NextToken", next)
		}
		var out struct {
			Stacks []struct {
				StackName, StackId string   //nolint:revive // AWS's name
				Tags               []xmlTag `xml:"Tags>member"`
			} `xml:"DescribeStacksResult>Stacks>member"`
			NextToken string `xml:"DescribeStacksResult>NextToken"`
		}
		if err := s.formation(ctx, "DescribeStacks", in, &out); err != nil {
			return nil, err
		}
		for _, st := range out.Stacks {
			all = append(all, Resource{Kind: "stack", Name: st.StackName, ID: st.StackId, Tags: tagMap(st.Tags)})
		}
		if next = out.NextToken; next == "" {
			return all, nil
		}
	}
}

// removeStack waits until the stack is gone, for others depend on it. A deletion
// that failed is tried once more, and keeps what CloudFormation cannot delete:
// what is left of that the other kinds find.
func (s *Sweeper) removeStack(ctx context.Context, r Resource) error {
	off := url.Values{"StackName": {r.ID}, "EnableTerminationProtection": {"false"}}
	if err := s.formation(ctx, "UpdateTerminationProtection", off, nil); err != nil {
		return err
	}
	for _, mode := range []string{"STANDARD", "FORCE_DELETE_STACK"} {
		if err := s.formation(ctx, "DeleteStack", url.Values{"StackName": {r.ID}, "DeletionMode": {mode}}, nil); err != nil {
			return err
		}
		status, err := s.ended(ctx, r.ID)
		if err != nil || status == "DELETE_COMPLETE" {
			return err
		}
		s.Say("the stack %s: %s", r.Name, status)
	}
	return errors.New("CloudFormation does not delete it")
}

// ended waits until a deletion is over, and returns its status.
func (s *Sweeper) ended(ctx context.Context, id string) (string, error) {
	for {
		var out struct {
			Status string `xml:"DescribeStacksResult>Stacks>member>StackStatus"`
		}
		if err := s.formation(ctx, "DescribeStacks", url.Values{"StackName": {id}}, &out); err != nil {
			return "", err
		}
		if out.Status != "DELETE_IN_PROGRESS" {
			return out.Status, nil
		}
		select {
		case <-time.After(5 * time.Second):
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// named lists users or roles and asks for the tags of those that have our prefix.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListUserTags.html
func (s *Sweeper) named(ctx context.Context, kind string) (all []Resource, err error) {
	for marker := ""; ; {
		in := url.Values{"MaxItems": {"1000"}}
		if marker != "" {
			in.Set("Marker", marker)
		}
		var out struct {
			Users  []string `xml:"ListUsersResult>Users>member>UserName"`
			Roles  []string `xml:"ListRolesResult>Roles>member>RoleName"`
			UserAt string   `xml:"ListUsersResult>Marker"`
			RoleAt string   `xml:"ListRolesResult>Marker"`
		}
		if err := s.iam(ctx, "List"+kind+"s", in, &out); err != nil {
			return nil, err
		}
		for _, name := range append(out.Users, out.Roles...) {
			if !strings.HasPrefix(name, prefix) {
				continue
			}
			var tags struct {
				User []xmlTag `xml:"ListUserTagsResult>Tags>member"`
				Role []xmlTag `xml:"ListRoleTagsResult>Tags>member"`
			}
			if err := s.iam(ctx, "List"+kind+"Tags", url.Values{kind + "Name": {name}}, &tags); err != nil {
				return nil, err
			}
			all = append(all, Resource{Kind: strings.ToLower(kind), Name: name, Tags: tagMap(append(tags.User, tags.Role...))})
		}
		if marker = out.UserAt + out.RoleAt; marker == "" {
			return all, nil
		}
	}
}

func (s *Sweeper) users(ctx context.Context) ([]Resource, error) { return s.named(ctx, "User") }
func (s *Sweeper) roles(ctx context.Context) ([]Resource, error) { return s.named(ctx, "Role") }

// removeUser ends the user's keys too, those that a rotation made included.
func (s *Sweeper) removeUser(ctx context.Context, r Resource) error {
	var out struct {
		IDs []string `xml:"ListAccessKeysResult>AccessKeyMetadata>member>AccessKeyId"`
	}
	if err := s.iam(ctx, "ListAccessKeys", url.Values{"UserName": {r.Name}}, &out); err != nil {
		return err
	}
	for _, id := range out.IDs {
		if err := s.iam(ctx, "DeleteAccessKey", url.Values{"UserName": {r.Name}, "AccessKeyId": {id}}, nil); err != nil {
			return err
		}
	}
	return s.removePrincipal(ctx, "User", r.Name)
}

func (s *Sweeper) removeRole(ctx context.Context, r Resource) error {
	return s.removePrincipal(ctx, "Role", r.Name)
}

// removePrincipal removes the policy that the test gives each of its own, and
// then itself. IAM refuses one that has more than that.
func (s *Sweeper) removePrincipal(ctx context.Context, kind, name string) error {
	err := s.iam(ctx, "Delete"+kind+"Policy", url.Values{kind + "Name": {name}, "PolicyName": {PolicyName}}, nil)
	if err != nil && !gone(err) {
		return err
	}
	return s.iam(ctx, "Delete"+kind, url.Values{kind + "Name": {name}}, nil)
}

// PolicyName is the name of the inline policy of a user or role of a test.
const PolicyName = "test"

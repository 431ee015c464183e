package iam

import (
	"encoding/xml"
	"net/url"
	"strconv"
	"strings"
)

// userEntry and roleEntry are what lists say of somebody: no policies, tags,
// boundary or last use.
type userEntry struct {
	Path       string
	UserName   string
	UserID     string `xml:"UserId"`
	Arn        string
	CreateDate string
}

type roleEntry struct {
	Path       string
	RoleName   string
	RoleID     string `xml:"RoleId"`
	Arn        string
	CreateDate string
	Trust      string `xml:"AssumeRolePolicyDocument"`
}

type listed struct {
	XMLName     xml.Name
	Users       *[]userEntry `xml:"Users>member"`
	Roles       *[]roleEntry `xml:"Roles>member"`
	IsTruncated bool
	Marker      string `xml:",omitempty"`
}

// list answers ListRoles and ListUsers with a page.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html,
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListUsers.html
func (s *Service) list(operation string, in url.Values) (*listed, error) {
	most, from, err := page(in)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	prefix := in.Get("PathPrefix")
	var users []userEntry
	var roles []roleEntry
	var n int
	if operation == "ListUsers" {
		for _, u := range s.account.Users {
			if d := s.user(u); strings.HasPrefix(d.Path, prefix) {
				users = append(users, userEntry{d.Path, d.UserName, d.UserID, d.Arn, d.CreateDate})
			}
		}
		n = len(users)
	} else {
		for _, r := range s.account.Roles {
			if d := s.role(r); strings.HasPrefix(d.Path, prefix) {
				roles = append(roles, roleEntry{d.Path, d.RoleName, d.RoleID, d.Arn, d.CreateDate, d.Trust})
			}
		}
		n = len(roles)
	}
	if from > n {
		return nil, invalid("Invalid Marker")
	}
	end := min(from+most, n)
	out := &listed{XMLName: xml.Name{Local: operation + "Result"}}
	if operation == "ListUsers" {
		out.Users = new(users[from:end])
	} else {
		out.Roles = new(roles[from:end])
	}
	if end < n {
		out.IsTruncated, out.Marker = true, strconv.Itoa(end)
	}
	return out, nil
}

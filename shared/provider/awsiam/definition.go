package awsiam

import (
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
)

// Settings are AWS's own settings for the access keys of one user.
type Settings struct {
	URL      string `json:"baseURL"  doc:"where IAM is; default that of the region's partition: https://iam.amazonaws.com, https://iam.us-gov.amazonaws.com or https://iam.cn-north-1.amazonaws.com.cn; its host and that of stsURL must both be among the admin credential's hosts"`
	STS      string `json:"stsURL"   doc:"where STS is, at which a key is tried; default https://sts.REGION.amazonaws.com, in China https://sts.REGION.amazonaws.com.cn"`
	Region   string `json:"region"   doc:"the region in which a key is tried; it decides the partition too; default us-east-1"`
	UserName string `json:"userName" principal:"true" doc:"the IAM user whose access keys are rotated; default the user whom the admin key belongs to"`
}

// BaseURL returns where IAM is.
func (s Settings) BaseURL() string {
	if s.URL == "" {
		return s.place().iam
	}
	return s.URL
}

func (s Settings) stsURL() string {
	if s.STS == "" {
		return s.place().sts
	}
	return s.STS
}

func (s Settings) region() string {
	if s.Region == "" {
		return "us-east-1"
	}
	return s.Region
}

// place is where a partition has its endpoints. IAM has one for each partition,
// whose requests are signed for one region.
type place struct{ iam, sts, scope string }

// place knows the three public partitions,
// https://docs.aws.amazon.com/general/latest/gr/iam-service.html; of others it
// knows no URL.
func (s Settings) place() place {
	r := s.region()
	switch {
	case strings.HasPrefix(r, "cn-"):
		return place{"https://iam.cn-north-1.amazonaws.com.cn", "https://sts." + r + ".amazonaws.com.cn", "cn-north-1"}
	case strings.HasPrefix(r, "us-gov-"):
		return place{"https://iam.us-gov.amazonaws.com", "https://sts." + r + ".amazonaws.com", "us-gov-west-1"}
	case strings.Contains(r, "-iso"), strings.HasPrefix(r, "eusc-"):
		return place{scope: r}
	}
	return place{"https://iam.amazonaws.com", "https://sts." + r + ".amazonaws.com", "us-east-1"}
}

var (
	regionForm = regexp.MustCompile(`^[a-z]{2,4}(?:-[a-z]+){1,2}-[0-9]{1,2}$`)
	userForm   = regexp.MustCompile(`^[\w+=,.@-]{1,64}$`)
)

// Problems returns everything that is wrong with the settings.
func (s Settings) Problems() []provider.Problem {
	var out []provider.Problem
	add := func(field, what, hint string) {
		out = append(out, provider.Problem{Field: field, What: what, Hint: hint})
	}
	if !regionForm.MatchString(s.region()) {
		add("region", `region "`+httpapi.Safe(s.Region)+`" is not a region's name`, "write it as AWS does: eu-central-1")
		return out // the URLs are made of it
	}
	for _, u := range [][2]string{{"baseURL", s.BaseURL()}, {"stsURL", s.stsURL()}} {
		if u[1] == "" {
			add(u[0], "no "+u[0]+", and the region's partition is not known here", "write the endpoint's URL")
		} else if p := httpapi.CheckBase(u[1]); p != "" {
			add(u[0], u[0]+" "+p, "leave it out, or write the endpoint's URL without a path")
		}
	}
	if s.UserName != "" && !userForm.MatchString(s.UserName) {
		add("userName", `userName "`+httpapi.Safe(s.UserName)+`" is not a user's name`, "write the user's name, not its ARN; or leave it out for the user of the admin key")
	}
	return out
}

// Definition describes AWS IAM to the engine, the infrastructure and the
// documentation.
func Definition() provider.Definition {
	return provider.Define(provider.Info{
		Name:  "aws-iam",
		Title: "AWS IAM access keys",
		Links: []string{
			"https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateAccessKey.html",
			"https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccessKeyLastUsed.html",
			"https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html",
			"https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html",
			"https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html",
		},
		Strategy: "DualSlot",
		Hosts:    []string{"iam.amazonaws.com", "sts.us-east-1.amazonaws.com"},
		Admin: []provider.Field{
			{Name: "accessKeyId", Doc: "the id of a long-lived access key, of another user or of the very user whose keys are rotated (then the key's own secret can be the admin secret, with hosts beside its fields); its policy admits iam:CreateAccessKey, ListAccessKeys, UpdateAccessKey, DeleteAccessKey and GetAccessKeyLastUsed on that user"},
			{Name: "secretAccessKey", Doc: "the secret that belongs to accessKeyId"},
		},
		Limit:    "2 access keys of a user, active or not",
		Self:     true,
		LastUsed: true,
		// How late LastUsedDate may be is not documented; this bound is ours.
		UsageLag: 4 * time.Hour,
		// IAM is eventually consistent, and no figure is documented; these are ours.
		// One server may know a new key while another does not yet.
		Settle: provider.Settle{Within: time.Minute, Every: 3 * time.Second, Successes: 2},
		// The prefix is documented, the rest is what every key so far looked like.
		Shape: `AKIA[0-9A-Z]{16}:[0-9A-Za-z/+]{40}`,
		Parts: []string{"accessKeyId", "secretAccessKey"},
	}, func(s Settings, admin provider.Admin, hc *http.Client) provider.Strategy {
		return New(s, admin, hc, time.Now).Strategy()
	})
}

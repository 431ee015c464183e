package trail

import (
	"encoding/json"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Identity is who made the call. Service events leave most of it empty.
//
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
type Identity struct {
	Type             string  `json:"type"`
	ARN              string  `json:"arn"`
	PrincipalID      string  `json:"principalId"`
	AccountID        string  `json:"accountId"`
	AccessKeyID      string  `json:"accessKeyId"`
	UserName         string  `json:"userName"`
	IdentityProvider string  `json:"identityProvider"`
	InvokedBy        string  `json:"invokedBy"`
	SessionContext   Session `json:"sessionContext"`
	// InScopeOf is the function, instance or task that the credentials were issued to.
	InScopeOf struct {
		IssuerType string `json:"issuerType"`
		IssuedTo   string `json:"credentialsIssuedTo"`
	} `json:"inScopeOf"`
	// OnBehalfOf is the person in IAM Identity Center.
	OnBehalfOf struct {
		UserID string `json:"userId"`
		Store  string `json:"identityStoreArn"`
	} `json:"onBehalfOf"`
}

// Session is empty for a call signed with a long-term access key.
type Session struct {
	SessionIssuer struct {
		Type        string `json:"type"`
		PrincipalID string `json:"principalId"`
		ARN         string `json:"arn"`
		AccountID   string `json:"accountId"`
		UserName    string `json:"userName"`
	} `json:"sessionIssuer"`
	Attributes struct {
		MFA     jsontext.Value `json:"mfaAuthenticated"` // a string; a boolean in some copies
		Created string         `json:"creationDate"`
	} `json:"attributes"`
	// EC2RoleDelivery is the version of the instance metadata service: 1.0 or 2.0.
	EC2RoleDelivery string `json:"ec2RoleDelivery"`
	SourceIdentity  string `json:"sourceIdentity"`
	WebID           struct {
		Provider string `json:"federatedProvider"`
	} `json:"webIdFederationData"`
}

// Principal is a key that stays the same between sessions: the role of a
// session (with the federated user's name, if there is one), the root user of
// an account, the person in Identity Center, the service, or else the caller's
// ARN or id. It is "unknown" for an empty identity.
func (i Identity) Principal() string {
	issuer := i.SessionContext.SessionIssuer.ARN
	switch {
	case i.Type == "Root":
		return "root:" + i.AccountID
	case i.Type == "IdentityCenterUser" && i.OnBehalfOf.UserID != "":
		return "identitycenter:" + i.OnBehalfOf.UserID
	case i.Type == "FederatedUser" && issuer != "":
		return issuer + "#" + afterLast(i.ARN, "/")
	case issuer != "":
		return issuer
	case i.ARN != "":
		return i.ARN
	case i.PrincipalID != "":
		id, _, _ := strings.Cut(i.PrincipalID, ":") // the session's name is the caller's choice
		return i.AccountID + ":" + id
	case i.UserName != "":
		return i.AccountID + ":" + i.UserName
	case i.InvokedBy != "":
		return i.InvokedBy
	case i.AccountID != "":
		return i.AccountID
	default:
		return "unknown"
	}
}

// SessionName is the name of a role's session or of a federated user, else empty.
func (i Identity) SessionName() string {
	switch i.Type {
	case "AssumedRole":
		if strings.Contains(i.ARN, ":assumed-role/") {
			return afterLast(i.ARN, "/")
		}
		_, name, _ := strings.Cut(i.PrincipalID, ":")
		return name
	case "AWSAccount": // of a role of another account
		_, name, _ := strings.Cut(i.PrincipalID, ":")
		return name
	case "FederatedUser":
		return afterLast(i.ARN, "/")
	default:
		return ""
	}
}

// LongTerm says that the call was signed with an access key that does not expire.
func (i Identity) LongTerm() bool { return strings.HasPrefix(i.AccessKeyID, "AKIA") }

// FromIdentityCenter says that the session's role is one of IAM Identity Center.
func (i Identity) FromIdentityCenter() bool {
	return i.OnBehalfOf.UserID != "" || strings.HasPrefix(i.SessionContext.SessionIssuer.UserName, "AWSReservedSSO_") ||
		strings.Contains(i.SessionContext.SessionIssuer.ARN, "/AWSReservedSSO_")
}

// Workload says that the credentials were issued to an instance, a function or a task.
func (i Identity) Workload() bool {
	return i.SessionContext.EC2RoleDelivery != "" || i.InScopeOf.IssuerType != ""
}

// MFA is whether a second factor was used.
type MFA int

// MFAUnknown is the zero value: the record cannot say.
const (
	MFAUnknown MFA = iota
	MFAUsed
	MFANotUsed
)

// MFA says whether a second factor was used. A role's session says what its
// caller had when it took the role. Sessions of Identity Center, SAML and web
// identities say "false" even when the identity provider asked for one, so
// theirs is unknown.
func (e Event) MFA() MFA {
	i := e.Identity
	if e.Type == TypeSignIn {
		var d struct{ MFAUsed string }
		if decode(e.Additional, &d) == nil {
			switch d.MFAUsed {
			case "Yes":
				return MFAUsed
			case "No":
				if i.Type == "IAMUser" || i.Type == "Root" {
					return MFANotUsed
				}
			}
		}
		return MFAUnknown
	}
	switch v := i.SessionContext.Attributes.MFA; {
	case truth(v):
		return MFAUsed
	case i.FromIdentityCenter() || i.SessionContext.WebID.Provider != "" || i.Type == "SAMLUser" || i.Type == "WebIdentityUser":
		return MFAUnknown
	case string(v) == `"false"` || string(v) == "false":
		return MFANotUsed
	case i.Type == "IAMUser" && i.LongTerm():
		return MFANotUsed
	default:
		return MFAUnknown
	}
}

// CrossAccount says that the caller belongs to another account than the record.
func (e Event) CrossAccount() bool {
	return e.Identity.AccountID != "" && e.Account != "" && e.Identity.AccountID != e.Account
}

func afterLast(s, sep string) string { return s[strings.LastIndex(s, sep)+1:] }

// Resource is one resource that the record names.
type Resource struct {
	ARN     string `json:"ARN"`
	Account string `json:"accountId"`
	Type    string `json:"type"`
}

// ResourceList decodes Resources; the ARNs of a native event too.
func (e Event) ResourceList() []Resource {
	var parts []json.RawMessage
	if decode(e.Resources, &parts) != nil {
		return nil
	}
	var out []Resource
	for _, p := range parts {
		var r Resource
		if decode(p, &r) != nil && decode(p, &r.ARN) != nil {
			continue
		}
		out = append(out, r)
	}
	return out
}

// Package trail reads CloudTrail records as S3 files and EventBridge carry
// them. It knows the shapes of records, not what is suspicious.
//
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
package trail

import (
	"encoding/json"
	"time"
)

// Values of Event.Type. Records of network activity carry AwsVpceEvent, though
// the documentation says AwsVpceEvents.
const (
	TypeCall    = "AwsApiCall"
	TypeService = "AwsServiceEvent"
	TypeSignIn  = "AwsConsoleSignIn"
	TypeVPCE    = "AwsVpceEvent"
	// TypeLabel is ours, for Secrets Manager's own event on EventBridge, which
	// is no CloudTrail record.
	TypeLabel = "SecretLabelUpdated"
)

// Event is one record. Fields that the record lacks are empty. The raw JSON
// shares no memory with the input, except Raw. An Event is not changed by its
// methods, so it may be read concurrently.
type Event struct {
	Version string `json:"eventVersion"`
	// ID is unique for a record in one account: the key for finding duplicates.
	ID string `json:"eventID"`
	// SharedID is the same in both accounts of a call across accounts.
	SharedID string `json:"sharedEventID"`
	// Time is when the call was complete, in UTC, to the second.
	Time      time.Time `json:"-"`
	Type      string    `json:"eventType"`
	Category  string    `json:"eventCategory"`
	Source    string    `json:"eventSource"`
	Name      string    `json:"eventName"`
	Region    string    `json:"awsRegion"`
	RequestID string    `json:"requestID"`
	// Address is sourceIPAddress as it stands: see Addresses and AddressClass.
	Address   string `json:"sourceIPAddress"`
	UserAgent string `json:"userAgent"`
	// ErrorCode is set when the call failed; a service event may have only ErrorMessage.
	ErrorCode    string `json:"errorCode"`
	ErrorMessage string `json:"errorMessage"`
	// Account is the account that owns the record, not always the caller's.
	Account            string   `json:"recipientAccountId"`
	VPCEndpoint        string   `json:"vpcEndpointId"`
	VPCEndpointAccount string   `json:"vpcEndpointAccountId"`
	Identity           Identity `json:"userIdentity"`
	// Console says that the credentials came from a session in the console.
	Console bool `json:"-"`
	// ReadOnly is AWS's own mark. False also when the record does not say.
	ReadOnly bool `json:"-"`
	// Addendum is nil but for a late or corrected record.
	Addendum *Addendum `json:"addendum"`
	// The raw parts are nil where the record has null or nothing.
	Request    json.RawMessage `json:"-"`
	Response   json.RawMessage `json:"-"`
	Additional json.RawMessage `json:"-"`
	Details    json.RawMessage `json:"-"` // serviceEventDetails
	Resources  json.RawMessage `json:"-"`
	// Envelope is empty for a record from a file.
	Envelope Envelope `json:"-"`
	// Raw is the record without its envelope, in the memory of the input.
	Raw json.RawMessage `json:"-"`
}

// Envelope is what EventBridge says about a record. PutEvents refuses sources
// that begin with "aws.", so Parse refuses every other source as forged.
type Envelope struct {
	ID, Source, Account, DetailType string
}

// Addendum says why a record comes late or again.
type Addendum struct {
	Reason        string `json:"reason"`
	UpdatedFields string `json:"updatedFields"`
	RequestID     string `json:"originalRequestID"`
	// EventID is the record that this one corrects.
	EventID string `json:"originalEventID"`
}

// RequestFields decodes the request's parameters into v, as json.Unmarshal
// does. It leaves v alone when there are none. Its error quotes nothing.
func (e Event) RequestFields(v any) error { return decode(e.Request, v) }

// ResponseFields is RequestFields for the response.
func (e Event) ResponseFields(v any) error { return decode(e.Response, v) }

// AdditionalFields is RequestFields for additionalEventData.
func (e Event) AdditionalFields(v any) error { return decode(e.Additional, v) }

// Label returns Secrets Manager's own event about a staging label that moved.
// ok is false for any other event. It is sent for every label but AWSPENDING
// and AWSPREVIOUS, and needs no trail.
func (e Event) Label() (label, version string, ok bool) {
	if e.Type != TypeLabel {
		return "", "", false
	}
	var d labelDetail
	ok = decode(e.Request, &d) == nil
	return d.Label, d.Version, ok
}

type labelDetail struct {
	Name    string `json:"name"`
	Label   string `json:"labelUpdated"`
	Version string `json:"versionId"`
}

// Package trail reads CloudTrail records as S3 files and EventBridge carry them.
//
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
package trail

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Event holds the fields of one record that do not depend on the service.
type Event struct {
	Version   string    `json:"eventVersion"`
	ID        string    `json:"eventID"`
	Time      time.Time `json:"eventTime"`
	Source    string    `json:"eventSource"`
	Name      string    `json:"eventName"`
	Region    string    `json:"awsRegion"`
	Address   string    `json:"sourceIPAddress"`
	ErrorCode string    `json:"errorCode"`
	Account   string    `json:"recipientAccountId"`
	Identity  Identity  `json:"userIdentity"`
}

// Identity is who made the call. Service events leave most of it empty.
type Identity struct {
	Type           string `json:"type"`
	ARN            string `json:"arn"`
	PrincipalID    string `json:"principalId"`
	AccountID      string `json:"accountId"`
	InvokedBy      string `json:"invokedBy"`
	SessionContext struct {
		SessionIssuer struct {
			ARN string `json:"arn"`
		} `json:"sessionIssuer"`
	} `json:"sessionContext"`
}

// Parse reads one record, or the record inside an EventBridge envelope.
// It refuses a record without an id or a time, and a major version other than 1.
// Its errors do not quote the record.
func Parse(data []byte) (Event, error) {
	var envelope struct {
		DetailType string          `json:"detail-type"`
		Detail     json.RawMessage `json:"detail"`
	}
	if err := json.Unmarshal(data, &envelope); err != nil {
		return Event{}, errors.New("read record: not a JSON object")
	}
	if envelope.DetailType != "" {
		data = envelope.Detail
	}
	var e Event
	if err := json.Unmarshal(data, &e); err != nil {
		return Event{}, errors.New("read record: a field has another type or time format")
	}
	if e.ID == "" || e.Time.IsZero() {
		return Event{}, errors.New("read record: no eventID or eventTime")
	}
	if major, _, _ := strings.Cut(e.Version, "."); major != "1" {
		return Event{}, fmt.Errorf("read record: eventVersion %.16q is not 1.x", e.Version)
	}
	return e, nil
}

// Principal is a key that stays the same between sessions: the role of a
// session, the root user of an account, or else the caller's ARN or id.
func (i Identity) Principal() string {
	switch {
	case i.SessionContext.SessionIssuer.ARN != "":
		return i.SessionContext.SessionIssuer.ARN
	case i.Type == "Root":
		return "root:" + i.AccountID
	case i.ARN != "":
		return i.ARN
	case i.InvokedBy != "":
		return i.InvokedBy
	default:
		return i.AccountID + ":" + i.PrincipalID
	}
}

// Addresses are the IP addresses that the call came from, IPv4-mapped ones
// as IPv4. Service names and what does not parse are left out.
func (e Event) Addresses() []netip.Addr {
	var out []netip.Addr
	for part := range strings.SplitSeq(e.Address, ",") {
		if a, err := netip.ParseAddr(strings.TrimSpace(part)); err == nil {
			out = append(out, a.Unmap().WithZone(""))
		}
	}
	return out
}

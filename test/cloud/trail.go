package cloud

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/test/cloud/secretsmanager"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

const secretsSource = "secretsmanager.amazonaws.com"

// Record is a CloudTrail record, with the members that those of the local AWS have.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
type Record struct {
	EventVersion        string         `json:"eventVersion"`
	UserIdentity        map[string]any `json:"userIdentity"`
	EventTime           string         `json:"eventTime"`
	EventSource         string         `json:"eventSource"`
	EventName           string         `json:"eventName"`
	AWSRegion           string         `json:"awsRegion"`
	SourceIPAddress     string         `json:"sourceIPAddress"`
	UserAgent           string         `json:"userAgent"`
	ErrorCode           string         `json:"errorCode,omitempty"`
	ErrorMessage        string         `json:"errorMessage,omitempty"`
	RequestParameters   map[string]any `json:"requestParameters"`
	ResponseElements    map[string]any `json:"responseElements"`
	AdditionalEventData map[string]any `json:"additionalEventData,omitempty"`
	RequestID           string         `json:"requestID"`
	EventID             string         `json:"eventID"`
	ReadOnly            bool           `json:"readOnly"`
	Resources           *[]any         `json:"resources,omitempty"`
	EventType           string         `json:"eventType"`
	APIVersion          string         `json:"apiVersion,omitempty"`
	ManagementEvent     bool           `json:"managementEvent"`
	RecipientAccountID  string         `json:"recipientAccountId"`
	EventCategory       string         `json:"eventCategory"`
	TLSDetails          *TLSDetails    `json:"tlsDetails,omitempty"`
}

// TLSDetails is how a caller was connected.
type TLSDetails struct {
	Version string `json:"tlsVersion"`
	Cipher  string `json:"cipherSuite"`
	Host    string `json:"clientProvidedHostHeader"`
}

// Trail returns the CloudTrail records so far, oldest first; see [Options].Keep.
func (c *Cloud) Trail() []Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.trail)
}

// Observe calls f with each CloudTrail record from now on, before it is on the bus,
// until the returned function is called. f is called by several goroutines.
func (c *Cloud) Observe(f func(Record)) (cancel func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.subSeq++
	id := c.subSeq
	c.observers[id] = f
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.observers, id)
	}
}

// Add writes a record of what the local AWS does not model, or of what never was, and
// puts it on the bus. EventSource and EventName are needed; what is empty gets what a
// call to this account has, and the id and the time are always new.
func (c *Cloud) Add(r Record) {
	r.EventType = cmp.Or(r.EventType, "AwsApiCall")
	r.SourceIPAddress = cmp.Or(r.SourceIPAddress, "127.0.0.1")
	r.RequestID = cmp.Or(r.RequestID, c.newUUID())
	if r.UserIdentity == nil {
		r.UserIdentity = identity(AccessKey)
	}
	c.record(r)
}

// record keeps r and puts it on the bus, as a trail that logs management
// events does.
func (c *Cloud) record(r Record) {
	r.EventVersion = "1.11"
	r.EventTime = c.clock.Now().Format(time.RFC3339)
	r.AWSRegion = wire.Region
	r.EventID = c.newUUID()
	r.ManagementEvent = true
	r.RecipientAccountID = wire.Account
	r.EventCategory = "Management"
	c.mu.Lock()
	c.trail = append(keep(c.trail, c.opt.Keep), r)
	observers := slices.Collect(maps.Values(c.observers))
	c.mu.Unlock()
	for _, f := range observers {
		f(r)
	}
	detail, err := json.Marshal(r)
	if err != nil {
		panic(err) // the record holds JSON values only
	}
	kind := "AWS API Call via CloudTrail"
	if r.EventType == "AwsServiceEvent" {
		kind = "AWS Service Event via CloudTrail"
	}
	c.Emit(Event{Source: "aws." + strings.TrimSuffix(r.EventSource, ".amazonaws.com"), DetailType: kind, Detail: detail})
}

// recordCall writes the record of one API call, if CloudTrail records such calls.
func (c *Cloud) recordCall(call *wire.Call, reply *wire.Reply, failure *wire.Error) {
	a, ok := c.action(call, reply, failure == nil)
	if !ok || failure != nil && failure.Code == "NotImplemented" {
		return
	}
	r := Record{
		UserIdentity: identity(call.AccessKey), EventSource: call.Service + ".amazonaws.com", EventName: a.name,
		SourceIPAddress: "127.0.0.1", UserAgent: cmp.Or(a.agent, call.HTTP.UserAgent()),
		RequestParameters: a.parameters, RequestID: call.RequestID, ReadOnly: a.readOnly, EventType: "AwsApiCall",
		AdditionalEventData: a.additional, APIVersion: a.version,
		TLSDetails: &TLSDetails{"TLSv1.3", "TLS_AES_128_GCM_SHA256", cmp.Or(a.host, call.Service+"."+wire.Region+".amazonaws.com")},
	}
	if len(a.resources) > 0 {
		r.Resources = &a.resources
	}
	if who, ok := c.caller(call.AccessKey); ok {
		r.UserIdentity = assumed(who, call.AccessKey)
		r.SourceIPAddress = cmp.Or(who.Address, r.SourceIPAddress)
	}
	if failure != nil {
		r.ErrorCode, r.ErrorMessage = failure.Code, failure.Message
		if denied(call.Service, failure) {
			r.ErrorCode, r.RequestParameters = "AccessDenied", nil
		}
	} else if !r.ReadOnly {
		r.ResponseElements = a.response
	}
	c.record(r)
	if failure == nil && reply != nil && call.Service == "secretsmanager" {
		c.recordUses(r, reply)
	}
}

// recordUses writes what Secrets Manager did for a call: the GetSecretValue record of
// each secret in a batch, and KMS's records.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_BatchGetSecretValue.html
func (c *Cloud) recordUses(r Record, reply *wire.Reply) {
	if r.EventName != "BatchGetSecretValue" {
		c.recordKey(r, reply.Body)
		return
	}
	var out struct{ SecretValues []json.RawMessage }
	if json.Unmarshal(reply.Body, &out) != nil {
		return
	}
	r.EventName = "GetSecretValue"
	for _, v := range out.SecretValues {
		var secret struct{ ARN string }
		if json.Unmarshal(v, &secret) != nil {
			continue
		}
		r.RequestParameters = map[string]any{"secretId": secret.ARN}
		c.record(r)
		c.recordKey(r, v)
	}
}

func subject(parameters map[string]any) string {
	for _, key := range []string{"secretId", "name"} {
		if id, ok := parameters[key].(string); ok {
			return id
		}
	}
	return ""
}

// Caller is whose an access key is, for CloudTrail.
type Caller struct {
	Role    string // ARN; a user's is of the user, who has no session
	Session string
	Address string // where it calls from; "": 127.0.0.1
}

// Introduce has CloudTrail ask who returns whose an access key is. It is called for
// every call that is recorded, by several goroutines; false: the key is of a user
// or role "local". A former one is replaced.
func (c *Cloud) Introduce(who func(accessKey string) (Caller, bool)) { c.who.Store(&who) }

func (c *Cloud) caller(accessKey string) (Caller, bool) {
	who := c.who.Load()
	if who == nil {
		return Caller{}, false
	}
	return (*who)(accessKey)
}

// identity is who CloudTrail says the caller was: a user for a long-term key,
// a role's session for a temporary one.
func identity(accessKey string) map[string]any {
	if strings.HasPrefix(accessKey, "ASIA") {
		return assumed(Caller{Role: "arn:aws:iam::" + wire.Account + ":role/local", Session: "local"}, accessKey)
	}
	return map[string]any{
		"type": "IAMUser", "principalId": "AIDALOCALLOCALLOCAL0", "accountId": wire.Account,
		"arn": "arn:aws:iam::" + wire.Account + ":user/local", "accessKeyId": accessKey, "userName": "local",
	}
}

// assumed is the session of a role, or a user.
func assumed(who Caller, accessKey string) map[string]any {
	name := who.Role[strings.LastIndexByte(who.Role, '/')+1:]
	if strings.Contains(who.Role, ":user/") {
		return map[string]any{
			"type": "IAMUser", "principalId": "AIDALOCALLOCALLOCAL1", "accountId": wire.Account,
			"arn": who.Role, "accessKeyId": accessKey, "userName": name,
		}
	}
	return map[string]any{
		"type": "AssumedRole", "principalId": "AROALOCALLOCALLOCAL0:" + who.Session, "accountId": wire.Account,
		"arn": "arn:aws:sts::" + wire.Account + ":assumed-role/" + name + "/" + who.Session, "accessKeyId": accessKey,
		"sessionContext": map[string]any{
			"sessionIssuer": map[string]any{
				"type": "Role", "principalId": "AROALOCALLOCALLOCAL0", "arn": who.Role,
				"accountId": wire.Account, "userName": name,
			},
			"attributes": map[string]any{"mfaAuthenticated": "false"},
		},
	}
}

// sink turns what Secrets Manager tells into events and records.
type sink struct{ cloud *Cloud }

// LabelUpdated implements [secretsmanager.Sink].
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/monitoring-eventbridge.html
func (s sink) LabelUpdated(arn, name, label, versionID string) {
	detail, _ := json.Marshal(struct { //nolint:errchkjson // strings
		Name         string `json:"name"`
		LabelUpdated string `json:"labelUpdated"`
		VersionID    string `json:"versionId"`
	}{name, label, versionID})
	s.cloud.Emit(Event{
		Source: "aws.secretsmanager", DetailType: "Secret Label Updated",
		Resources: []string{arn}, Detail: detail,
	})
}

// ServiceEvent implements [secretsmanager.Sink].
func (s sink) ServiceEvent(e secretsmanager.ServiceEvent) {
	r := Record{
		UserIdentity: map[string]any{"accountId": wire.Account, "invokedBy": secretsSource},
		EventSource:  secretsSource, EventName: e.Name, SourceIPAddress: secretsSource, UserAgent: secretsSource,
		ErrorMessage: e.ErrorMessage, RequestID: e.RequestID, EventType: "AwsServiceEvent",
		AdditionalEventData: map[string]any{"SecretId": e.ARN}, Resources: &[]any{},
	}
	if strings.HasSuffix(e.Name, "VersionDelete") {
		r.AdditionalEventData = map[string]any{"ARN": e.ARN, "Name": e.SecretName}
		r.Resources = nil
	}
	s.cloud.record(r)
}

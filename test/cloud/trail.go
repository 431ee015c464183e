package cloud

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/keyturn/keyturn/test/cloud/secretsmanager"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

const secretsSource = "secretsmanager.amazonaws.com"

// Record is a CloudTrail record, with the members that Secrets Manager's have.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
type Record struct {
	EventVersion        string            `json:"eventVersion"`
	UserIdentity        map[string]any    `json:"userIdentity"`
	EventTime           string            `json:"eventTime"`
	EventSource         string            `json:"eventSource"`
	EventName           string            `json:"eventName"`
	AWSRegion           string            `json:"awsRegion"`
	SourceIPAddress     string            `json:"sourceIPAddress"`
	UserAgent           string            `json:"userAgent"`
	ErrorCode           string            `json:"errorCode,omitempty"`
	ErrorMessage        string            `json:"errorMessage,omitempty"`
	RequestParameters   map[string]any    `json:"requestParameters"`
	ResponseElements    map[string]any    `json:"responseElements"`
	AdditionalEventData map[string]string `json:"additionalEventData,omitempty"`
	RequestID           string            `json:"requestID"`
	EventID             string            `json:"eventID"`
	ReadOnly            bool              `json:"readOnly"`
	Resources           *[]any            `json:"resources,omitempty"`
	EventType           string            `json:"eventType"`
	ManagementEvent     bool              `json:"managementEvent"`
	RecipientAccountID  string            `json:"recipientAccountId"`
	EventCategory       string            `json:"eventCategory"`
	TLSDetails          *TLSDetails       `json:"tlsDetails,omitempty"`
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

// record keeps r and puts it on the bus, as a trail that logs management
// events does.
func (c *Cloud) record(r Record, detailType string) {
	r.EventVersion = "1.11"
	r.EventTime = c.clock.Now().Format(time.RFC3339)
	r.EventSource = secretsSource
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
	c.Emit(Event{Source: "aws.secretsmanager", DetailType: detailType, Detail: detail})
}

// recordCall writes the record of one API call of Secrets Manager.
func (c *Cloud) recordCall(call *wire.Call, reply *wire.Reply, failure *wire.Error) {
	r := Record{
		UserIdentity: identity(call.AccessKey), EventName: call.Operation,
		SourceIPAddress: "127.0.0.1", UserAgent: call.HTTP.UserAgent(),
		RequestParameters: parameters(call.Body), RequestID: call.RequestID,
		ReadOnly: readOnly(call.Operation), EventType: "AwsApiCall",
		TLSDetails: &TLSDetails{"TLSv1.3", "TLS_AES_128_GCM_SHA256", "secretsmanager." + wire.Region + ".amazonaws.com"},
	}
	if who, ok := c.caller(call.AccessKey); ok {
		r.UserIdentity = assumed(who, call.AccessKey)
		r.SourceIPAddress = cmp.Or(who.Address, r.SourceIPAddress)
	}
	if failure != nil {
		r.ErrorCode, r.ErrorMessage = failure.Code, failure.Message
	} else if !r.ReadOnly {
		if arn := c.secrets.ARNOf(subject(r.RequestParameters)); arn != "" {
			r.ResponseElements = map[string]any{"arn": arn}
		}
	}
	c.record(r, "AWS API Call via CloudTrail")
	if call.Operation == "BatchGetSecretValue" && reply != nil {
		c.recordBatch(r, reply)
	}
}

// recordBatch writes the GetSecretValue record of each secret in a batch.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_BatchGetSecretValue.html
func (c *Cloud) recordBatch(r Record, reply *wire.Reply) {
	var out struct{ SecretValues []struct{ ARN string } }
	if json.Unmarshal(reply.Body, &out) != nil {
		return
	}
	r.EventName = "GetSecretValue"
	for _, v := range out.SecretValues {
		r.RequestParameters = map[string]any{"secretId": v.ARN}
		c.record(r, "AWS API Call via CloudTrail")
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

func readOnly(operation string) bool {
	return strings.HasPrefix(operation, "Get") || strings.HasPrefix(operation, "List") ||
		strings.HasPrefix(operation, "Describe") || strings.HasPrefix(operation, "BatchGet") ||
		strings.HasPrefix(operation, "Validate")
}

// Caller is whose an access key is, for CloudTrail.
type Caller struct {
	Role    string // ARN
	Session string
	Address string // where it calls from; "": 127.0.0.1
}

// Introduce has CloudTrail ask who returns whose an access key is. It is called for
// every call of Secrets Manager, by several goroutines; false: the key is of a user
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

// assumed is the session of a role.
func assumed(who Caller, accessKey string) map[string]any {
	name := who.Role[strings.LastIndexByte(who.Role, '/')+1:]
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

// parameters are the request as CloudTrail shows it: names begin in lower
// case, and no value nor RotationToken is in it.
func parameters(body []byte) map[string]any {
	var in map[string]any
	if json.Unmarshal(body, &in) != nil {
		return nil
	}
	for _, hidden := range []string{"SecretString", "SecretBinary", "RotationToken"} {
		delete(in, hidden)
	}
	lowered, _ := lower(in).(map[string]any)
	return lowered
}

func lower(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, member := range v {
			out[lowerFirst(key)] = lower(member)
		}
		return out
	case []any:
		for i := range v {
			v[i] = lower(v[i])
		}
	}
	return v
}

func lowerFirst(s string) string {
	r := []rune(s)
	if len(r) > 0 {
		r[0] = unicode.ToLower(r[0])
	}
	return string(r)
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
		EventName:    e.Name, SourceIPAddress: secretsSource, UserAgent: secretsSource,
		ErrorMessage: e.ErrorMessage, RequestID: e.RequestID, EventType: "AwsServiceEvent",
		AdditionalEventData: map[string]string{"SecretId": e.ARN}, Resources: &[]any{},
	}
	if strings.HasSuffix(e.Name, "VersionDelete") {
		r.AdditionalEventData = map[string]string{"ARN": e.ARN, "Name": e.SecretName}
		r.Resources = nil
	}
	s.cloud.record(r, "AWS Service Event via CloudTrail")
}

package cloudtrail

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

func refuse(code, message string) error { return &wire.Error{Code: code, Message: message} }

func (in *lookupInput) check() error {
	switch {
	case len(in.LookupAttributes) > 1:
		return refuse("InvalidLookupAttributesException", "You can only specify one lookup attribute.")
	case in.MaxResults != nil && (*in.MaxResults < 1 || *in.MaxResults > 50):
		return refuse("InvalidMaxResultsException", "The maximum number of results must be between 1 and 50.")
	case in.StartTime != nil && in.EndTime != nil && *in.StartTime > *in.EndTime:
		return refuse("InvalidTimeRangeException", "The start time must not be after the end time.")
	case in.EventCategory != "" && in.EventCategory != "insight":
		return refuse("InvalidEventCategoryException", "The event category must be insight.")
	}
	keys := []string{"EventId", "EventName", "ReadOnly", "Username", "ResourceType", "ResourceName", "EventSource", "AccessKeyId"}
	for _, a := range in.LookupAttributes {
		if !slices.Contains(keys, a.AttributeKey) || a.AttributeValue == "" {
			return refuse("InvalidLookupAttributesException", "A lookup attribute has one of the keys "+strings.Join(keys, ", ")+" and a value.")
		}
	}
	return nil
}

func (in *lookupInput) accepts(e *event) bool {
	if in.StartTime != nil && e.EventTime < *in.StartTime || in.EndTime != nil && e.EventTime > *in.EndTime {
		return false
	}
	for _, a := range in.LookupAttributes {
		if !e.has(a.AttributeKey, a.AttributeValue) {
			return false
		}
	}
	return true
}

func (e *event) has(key, value string) bool {
	switch key {
	case "EventId":
		return e.EventID == value
	case "EventName":
		return e.EventName == value
	case "ReadOnly":
		return e.ReadOnly == value
	case "Username":
		return e.Username == value
	case "EventSource":
		return e.EventSource == value
	case "AccessKeyId":
		return e.AccessKeyID == value
	case "ResourceType":
		return slices.ContainsFunc(e.Resources, func(r resource) bool { return r.ResourceType == value })
	default:
		return slices.ContainsFunc(e.Resources, func(r resource) bool { return r.ResourceName == value })
	}
}

// A token holds the last event of a page, and the question, which must be the
// same for the next one.
type token struct {
	After    string
	Question lookupInput
}

func (in *lookupInput) question() lookupInput {
	q := *in
	q.NextToken, q.MaxResults = "", nil
	return q
}

func (in *lookupInput) token(after string) string {
	text, _ := json.Marshal(token{after, in.question()}) //nolint:errchkjson // texts and numbers
	return base64.URLEncoding.EncodeToString(text)
}

// page returns the event after which the page begins, "" for the first one.
func (in *lookupInput) page() (after string, err error) {
	if in.NextToken == "" {
		return "", nil
	}
	text, err := base64.URLEncoding.DecodeString(in.NextToken)
	var t token
	if err != nil || json.Unmarshal(text, &t) != nil || in.token(t.After) != in.NextToken {
		return "", refuse("InvalidNextTokenException", "The token is not valid for this request.")
	}
	return t.After, nil
}

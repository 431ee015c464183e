package sns

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

var subjectForm = regexp.MustCompile(`^[!-~][ -~]{0,99}$`)

// maxMessage is the largest message with its attributes, in bytes; a batch has
// no more.
//
// https://docs.aws.amazon.com/general/latest/gr/sns.html
const maxMessage = 256 << 10

// Attribute is a message attribute.
type Attribute struct {
	Type  string // String, String.Array, Number or Binary
	Value string // Binary: base64
}

// Message is one message that was published to a topic.
type Message struct {
	ID         string
	Topic      string // ARN
	Subject    string
	Text       string            // what a protocol without a text of its own gets
	Texts      map[string]string // by protocol, if it was published with a structure
	Attributes map[string]Attribute
	Time       time.Time
}

// For returns the text that subscribers of a protocol get.
func (m Message) For(protocol string) string {
	if text, ok := m.Texts[protocol]; ok {
		return text
	}
	return m.Text
}

type publishResult struct {
	XMLName   xml.Name `xml:"PublishResult"`
	MessageID string   `xml:"MessageId"`
}

func (s *Service) publish(ctx context.Context, now time.Time, in form) (any, error) {
	s.mu.Lock()
	target := in.Get("TopicArn") + in.Get("TargetArn")
	t, err := s.find(target)
	s.mu.Unlock()
	if target == "" {
		return nil, invalid("TopicArn or TargetArn Reason: no value for required parameter")
	}
	if err != nil {
		return nil, err
	}
	m, _, err := in.message("", now)
	if err != nil {
		return nil, err
	}
	m.Topic = t.arn
	s.deliver(ctx, t, m)
	return &publishResult{MessageID: m.ID}, nil
}

// message reads and checks the message whose parameters begin with prefix.
func (f form) message(prefix string, now time.Time) (m Message, size int, err error) {
	m = Message{ID: uuid.NewString(), Subject: f.Get(prefix + "Subject"), Text: f.Get(prefix + "Message"), Time: now, Attributes: map[string]Attribute{}}
	size = len(m.Text)
	for i := 1; ; i++ {
		entry := prefix + "MessageAttributes.entry." + strconv.Itoa(i) + "."
		name := f.Get(entry + "Name")
		if name == "" {
			break
		}
		a := Attribute{f.Get(entry + "Value.DataType"), f.Get(entry+"Value.StringValue") + f.Get(entry+"Value.BinaryValue")}
		if err := a.check(name); err != nil {
			return m, 0, err
		}
		m.Attributes[name] = a
		size += len(name) + len(a.Type) + len(a.Value)
	}
	switch subject := subjectForm; {
	case m.Text == "":
		return m, 0, invalid("Empty message")
	case !utf8.ValidString(m.Text):
		return m, 0, invalid("Message is not UTF-8")
	case size > maxMessage:
		return m, 0, invalid("Message too long")
	case f.Has(prefix+"Subject") && !subject.MatchString(m.Subject):
		return m, 0, invalid("Subject")
	}
	return m, size, m.structure(f.Get(prefix + "MessageStructure"))
}

func (a Attribute) check(name string) error {
	bad := func(message string) error {
		return &wire.Error{Code: "ParameterValueInvalid", Message: "The message attribute '" + name + "' " + message}
	}
	if a.Value == "" {
		return bad("must contain non-empty message attribute value for message attribute type '" + a.Type + "'.")
	}
	var ok bool
	switch strings.SplitN(a.Type, ".", 2)[0] {
	case "String":
		var list []any
		ok = a.Type != "String.Array" || json.Unmarshal([]byte(a.Value), &list) == nil
	case "Number":
		_, err := strconv.ParseFloat(a.Value, 64)
		ok = err == nil
	case "Binary":
		_, err := base64.StdEncoding.DecodeString(a.Value)
		ok = err == nil
	default:
		return bad("has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.")
	}
	if !ok {
		return bad("has a value that does not fit its type '" + a.Type + "'.")
	}
	return nil
}

// structure takes a message apart that has a text for each protocol.
func (m *Message) structure(kind string) error {
	switch kind {
	case "":
		return nil
	case "json":
	default:
		return invalid("MessageStructure")
	}
	var texts map[string]any
	if json.Unmarshal([]byte(m.Text), &texts) != nil {
		return invalid("Message Structure - JSON message body failed to parse")
	}
	m.Texts = map[string]string{}
	for protocol, text := range texts {
		// What is no string is ignored, as AWS does.
		if s, ok := text.(string); ok {
			m.Texts[protocol] = s
		}
	}
	text, ok := m.Texts["default"]
	if !ok {
		return invalid("Message Structure - No default entry in JSON message body")
	}
	m.Text = text
	delete(m.Texts, "default")
	return nil
}

type batchSuccess struct {
	ID        string `xml:"Id"`
	MessageID string `xml:"MessageId"`
}

type batchFailure struct {
	ID          string `xml:"Id"`
	Code        string
	Message     string
	SenderFault bool
}

type publishBatchResult struct {
	XMLName    xml.Name       `xml:"PublishBatchResult"`
	Successful []batchSuccess `xml:"Successful>member"`
	Failed     []batchFailure `xml:"Failed>member"`
}

func (s *Service) publishBatch(ctx context.Context, now time.Time, in form) (any, error) {
	s.mu.Lock()
	t, err := s.find(in.Get("TopicArn"))
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	out := &publishBatchResult{}
	var messages []Message
	seen := map[string]bool{}
	total := 0
	for i := 1; in.has(fmt.Sprintf("PublishBatchRequestEntries.member.%d.", i)); i++ {
		prefix := fmt.Sprintf("PublishBatchRequestEntries.member.%d.", i)
		id := in.Get(prefix + "Id")
		if seen[id] {
			return nil, &wire.Error{Code: "BatchEntryIdsNotDistinct", Message: "Two or more batch entries in the request have the same Id."}
		}
		seen[id] = true
		m, size, err := in.message(prefix, now)
		if err != nil {
			e := wire.AsError(err)
			out.Failed = append(out.Failed, batchFailure{id, e.Code, e.Message, true})
			continue
		}
		total += size
		m.Topic = t.arn
		messages = append(messages, m)
		out.Successful = append(out.Successful, batchSuccess{id, m.ID})
	}
	switch {
	case len(seen) == 0:
		return nil, &wire.Error{Code: "EmptyBatchRequest", Message: "The batch request doesn't contain any entries."}
	case len(seen) > 10:
		return nil, &wire.Error{Code: "TooManyEntriesInBatchRequest", Message: "The batch request contains more entries than permissible."}
	case total > maxMessage:
		return nil, &wire.Error{Code: "BatchRequestTooLong", Message: "The length of all the messages put together is more than the limit."}
	}
	for _, m := range messages {
		s.deliver(ctx, t, m)
	}
	return out, nil
}

// Inbox returns all that was published to the topic of that name or ARN,
// oldest first, whoever it was delivered to. It is empty for an unknown topic.
func (s *Service) Inbox(topic string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.find(topic)
	if err != nil {
		return nil
	}
	return slices.Clone(t.inbox)
}

// Render writes messages as a person reads them in a mailbox: the text that
// mail subscribers get, under time, subject and attributes.
func Render(w io.Writer, messages []Message) error {
	for i, m := range messages {
		name := m.Topic[strings.LastIndexByte(m.Topic, ':')+1:]
		if _, err := fmt.Fprintf(w, "[%d] %s  %s  %s\n", i+1, m.Time.UTC().Format(time.RFC3339), name, m.Subject); err != nil {
			return fmt.Errorf("render the inbox: %w", err)
		}
		var attributes []string
		for _, k := range slices.Sorted(maps.Keys(m.Attributes)) {
			attributes = append(attributes, k+"="+m.Attributes[k].Value)
		}
		if len(attributes) > 0 {
			if _, err := fmt.Fprintf(w, "    (%s)\n", strings.Join(attributes, ", ")); err != nil {
				return fmt.Errorf("render the inbox: %w", err)
			}
		}
		text := strings.ReplaceAll(strings.TrimRight(m.For("email"), "\n"), "\n", "\n    ")
		if _, err := fmt.Fprintf(w, "    %s\n\n", text); err != nil {
			return fmt.Errorf("render the inbox: %w", err)
		}
	}
	return nil
}

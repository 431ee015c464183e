package sqs

import (
	"cmp"
	"crypto/md5" // SQS's checksum is MD5
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"
)

// Attribute is a message attribute. Exactly one of StringValue and BinaryValue
// is set, as DataType says.
type Attribute struct {
	DataType    string
	StringValue string `json:",omitempty"`
	BinaryValue []byte `json:",omitempty"`
}

// Message is one message that was sent to a queue.
type Message struct {
	ID         string
	Body       string
	Attributes map[string]Attribute
	Sent       time.Time
	Receives   int    // how often it was received from this queue
	Deleted    bool   // consumed: deleted by a receiver
	DeadLetter bool   // moved on to the queue's dead-letter queue
	Source     string // the ARN of the queue that it was dead-lettered from, or ""
}

type message struct {
	Message

	sender        string
	visible       time.Time
	firstReceived time.Time
}

// receipts name the message, so that every receipt of it deletes it.
func receipt(m *message) string {
	return base64.StdEncoding.EncodeToString([]byte("receipt:" + m.ID + ":" + m.visible.UTC().Format(time.RFC3339Nano)))
}

func messageOf(receipt string) (id string, ok bool) {
	b, err := base64.StdEncoding.DecodeString(receipt)
	if err != nil {
		return "", false
	}
	rest, ok := strings.CutPrefix(string(b), "receipt:")
	id, _, cut := strings.Cut(rest, ":")
	return id, ok && cut
}

func bodyMD5(body string) string {
	sum := md5.Sum([]byte(body)) // SQS's checksum is MD5
	return hex.EncodeToString(sum[:])
}

// attributesMD5 is SQS's checksum of message attributes, "" for none.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html#sqs-attributes-md5-message-digest-calculation
func attributesMD5(attributes map[string]Attribute) string {
	if len(attributes) == 0 {
		return ""
	}
	h := md5.New() // SQS's checksum is MD5
	part := func(b []byte) {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(b)))) // bounded by a request's size
		h.Write(b)
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		a := attributes[name]
		part([]byte(name))
		part([]byte(a.DataType))
		if strings.HasPrefix(a.DataType, "Binary") {
			h.Write([]byte{2})
			part(a.BinaryValue)
		} else {
			h.Write([]byte{1})
			part([]byte(a.StringValue))
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

func size(body string, attributes map[string]Attribute) int {
	n := len(body)
	for name, a := range attributes {
		n += len(name) + len(a.DataType) + len(a.StringValue) + len(a.BinaryValue)
	}
	return n
}

func byVisibility(a, b *message) int {
	return cmp.Or(a.visible.Compare(b.visible), a.Sent.Compare(b.Sent))
}

package control

import (
	"net/http"
	"time"

	"github.com/keyturn/keyturn/test/cloud/sns"
)

// message is an [sns.Message] in JSON.
type message struct {
	ID         string                   `json:"id"`
	Topic      string                   `json:"topic"`
	Subject    string                   `json:"subject,omitempty"`
	Text       string                   `json:"text"`
	Texts      map[string]string        `json:"texts,omitempty"` // by protocol
	Attributes map[string]sns.Attribute `json:"attributes,omitempty"`
	Time       time.Time                `json:"time"`
}

// inbox answers with no messages for a topic that is not there.
func (x *Control) inbox(r *http.Request) (any, error) {
	out := []message{}
	for _, m := range x.sns.Inbox(r.PathValue("topic")) {
		out = append(out, message(m))
	}
	return map[string]any{"messages": out}, nil
}

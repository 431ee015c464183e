// Package chat writes notifications as Amazon Q Developer in chat applications
// (once AWS Chatbot) shows them in a channel. It shows alarms of CloudWatch, some
// events of AWS, and custom notifications: everything else it drops.
//
// https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html
package chat

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/keyturn/keyturn/shared/notify"
)

// What is written of each part at most, in characters. AWS's page names no limits
// that we could read; others keep to 250 for a title and 8,000 for a description,
// and these are well below.
const (
	mostTitle, mostText, mostSummary = 200, 4000, 200
	mostLine, mostSteps              = 400, 8
	mostID                           = 200
)

// notification is a custom notification.
type notification struct {
	Version  string   `json:"version"` // "1.0"
	Source   string   `json:"source"`  // "custom"
	ID       string   `json:"id,omitempty"`
	Content  content  `json:"content"`
	Metadata metadata `json:"metadata"`
}

type content struct {
	TextType    string   `json:"textType"`
	Title       string   `json:"title"`
	Description string   `json:"description"`
	NextSteps   []string `json:"nextSteps,omitempty"`
	Keywords    []string `json:"keywords,omitempty"`
}

type metadata struct {
	ThreadID         string   `json:"threadId,omitempty"`
	Summary          string   `json:"summary,omitempty"`
	EventType        string   `json:"eventType,omitempty"`
	RelatedResources []string `json:"relatedResources,omitempty"`
}

// Render returns m as a custom notification. Its id is m's, and all that is about
// one key is of one thread.
func Render(m notify.Message) ([]byte, error) {
	thread := cmp.Or(m.Secret, "keyturn")
	n := notification{ID: clip(m.ID, mostID), Metadata: metadata{
		ThreadID: clip(thread, mostID), Summary: clip(plain(m.Summary), mostSummary), EventType: "keyturn-" + strings.ReplaceAll(string(m.Kind), "_", "-"),
	}}
	if m.Secret != "" {
		n.Metadata.RelatedResources = []string{clip(m.Secret, mostID)}
	}
	n.Content = content{Title: icon(m.Severity) + " " + notify.Subject(m), Description: describe(m), Keywords: keywords(string(m.Severity), m.Vendor, m.Owner)}
	for _, s := range m.Next[:min(len(m.Next), mostSteps)] {
		n.Content.NextSteps = append(n.Content.NextSteps, clip(link(s), mostLine))
	}
	if m.Alert != "" {
		n.Content.NextSteps = append(n.Content.NextSteps, "To say that you are at it: "+
			code(fmt.Sprintf("keyturn ack %s --id %s --reason TEXT", cmp.Or(m.Secret, "--installation"), m.Alert)))
	}
	return n.json()
}

// Alarm is what CloudWatch publishes of an alarm, as far as it is shown.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
type Alarm struct {
	AlarmName, AlarmDescription, NewStateValue, NewStateReason, Region string

	StateChangeTime string // identifies the change together with the name
}

// RenderAlarm returns an alarm as a custom notification: its owner and the link to
// the runbook are in its description.
func RenderAlarm(a Alarm) ([]byte, error) {
	sign := ":white_check_mark:"
	if a.NewStateValue != "OK" {
		sign = ":rotating_light:"
	}
	n := notification{ID: clip(a.AlarmName+" "+a.StateChangeTime, mostID), Metadata: metadata{
		ThreadID: clip(a.AlarmName, mostID), Summary: clip(plain(a.AlarmName+" is "+a.NewStateValue), mostSummary), EventType: "keyturn-alarm",
	}}
	n.Content = content{
		Title: sign + " Alarm " + a.NewStateValue + ": " + a.AlarmName, Keywords: keywords("alarm", a.Region),
		Description: link(a.AlarmDescription) + "\n" + plain(a.NewStateReason),
	}
	return n.json()
}

// RenderText returns a text that is neither, such as one that a person published.
func RenderText(id, subject, text string) ([]byte, error) {
	n := notification{ID: clip(id, mostID), Content: content{Title: cmp.Or(subject, "A message to Keyturn's topic"), Description: plain(text)}}
	return n.json()
}

// json is the notification with all that it has within bounds.
func (n notification) json() ([]byte, error) {
	n.Version, n.Source, n.Content.TextType = "1.0", "custom", "client-markdown"
	c := &n.Content
	c.Title, c.Description = clip(plain(c.Title), mostTitle), clip(c.Description, mostText)
	for i, s := range c.Keywords {
		c.Keywords[i] = clip(plain(s), mostLine)
	}
	return json.Marshal(n)
}

func describe(m notify.Message) string {
	var b strings.Builder
	b.WriteString(clip(plain(m.Summary), mostLine) + "\n")
	for _, s := range m.Known[:min(len(m.Known), mostSteps)] {
		b.WriteString("• " + clip(link(s), mostLine) + "\n")
	}
	for _, d := range [][2]string{
		{"key", m.Secret}, {"vendor", m.Vendor}, {"owner", m.Owner}, {"step", m.Step}, {"error type", m.ErrorType},
		{"time", m.Time.UTC().Format(time.RFC3339)}, {"message id", m.ID},
	} {
		if d[1] != "" {
			b.WriteString("*" + d[0] + "*: " + code(d[1]) + "\n")
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func icon(s notify.Severity) string {
	switch s {
	case notify.Critical:
		return ":rotating_light:"
	case notify.Warning:
		return ":warning:"
	}
	return ":information_source:"
}

func keywords(words ...string) []string {
	return slices.DeleteFunc(words, func(s string) bool { return s == "" })
}

// code is s as it is, to be copied; but chats find mentions in code too.
func code(s string) string {
	return "`" + clip(strings.NewReplacer("`", "'", "<", "‹", ">", "›").Replace(oneLine(s)), mostID) + "`"
}

// alike are what looks like the characters that mean something in the markdown of
// chats: entities may or may not be resolved on the way there, and what a vendor
// said must make no link, no mention and no format.
var alike = strings.NewReplacer("<", "‹", ">", "›", "`", "'", "*", "∗", "~", "∼", "[", "(", "]", ")", "|", "¦", "://", ":∕∕")

// plain is s on one line, without what means something to a chat. An underscore or
// an @ within a word means nothing there, and stays as it is.
func plain(s string) string {
	return alike.Replace(apart(oneLine(s)))
}

// link is plain with the addresses of our own runbooks left whole.
func link(s string) string {
	words := strings.Split(oneLine(s), " ")
	for i, w := range words {
		if !strings.HasPrefix(w, runbooks) || strings.ContainsAny(w, "<>|`*~[]@") {
			words[i] = plain(w)
		}
	}
	return strings.Join(words, " ")
}

const runbooks = "https://github.com/keyturn/keyturn/"

// apart puts a mark where an underscore or an @ begins or ends a word.
func apart(s string) string {
	in := []rune(s)
	inWord := func(i int) bool { return i >= 0 && i < len(in) && (unicode.IsLetter(in[i]) || unicode.IsDigit(in[i])) }
	for i, r := range in {
		switch {
		case r == '_' && (!inWord(i-1) || !inWord(i+1)):
			in[i] = '＿'
		case r == '@' && !inWord(i-1):
			in[i] = '＠'
		}
	}
	return string(in)
}

func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Cf) {
			return ' '
		}
		return r
	}, s))
}

// clip keeps the first characters of s.
func clip(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most-3]) + "..."
}

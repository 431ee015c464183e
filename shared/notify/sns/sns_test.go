package sns_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/notify/sns"
)

const arn = "arn:aws:sns:us-east-1:123456789012:keyturn"

// topic is SNS's wire, as far as Publish goes: it keeps what it was sent and
// refuses what SNS documents that it refuses.
type topic struct {
	mu   sync.Mutex
	got  []url.Values
	fail func() (*http.Response, error)
}

func (s *topic) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(b))
	if err != nil || form.Get("Action") != "Publish" || form.Get("TopicArn") != arn {
		return answer(400, `<ErrorResponse><Error><Code>InvalidParameter</Code></Error></ErrorResponse>`), nil
	}
	for name, v := range form {
		if v[0] == "" || len(form.Get("Message")) > 256<<10 {
			return answer(400, `<ErrorResponse><Error><Code>InvalidParameter</Code><Message>`+name+`</Message></Error></ErrorResponse>`), nil
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail()
	}
	s.got = append(s.got, form)
	return answer(200, `<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>m1</MessageId></PublishResult></PublishResponse>`), nil
}

func answer(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"text/xml"}}, Body: io.NopCloser(strings.NewReader(body))}
}

func open(s *topic) *sns.Topic {
	return sns.Open(aws.Config{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
		HTTPClient: &http.Client{Transport: s}, BaseEndpoint: aws.String("http://127.0.0.1"),
	}, arn)
}

func message() notify.Message {
	return notify.Message{
		Version: 1, ID: "failed-t1", Time: time.Date(2026, 11, 23, 4, 5, 6, 0, time.UTC), Kind: notify.Failed, Severity: notify.Critical,
		Secret: "prod/mailer", Vendor: "acme", Summary: "It failed.", Detail: map[string]string{"error": "x"},
	}
}

func TestNotify(t *testing.T) {
	t.Parallel()
	s := &topic{}
	if err := open(s).Notify(t.Context(), message()); err != nil {
		t.Fatal(err)
	}
	form := s.got[0]
	if form.Get("Subject") != notify.Subject(message()) || form.Get("MessageStructure") != "json" {
		t.Errorf("subject %q, structure %q", form.Get("Subject"), form.Get("MessageStructure"))
	}
	var bodies map[string]string
	if err := json.Unmarshal([]byte(form.Get("Message")), &bodies); err != nil {
		t.Fatal(err)
	}
	js, err := notify.JSON(message())
	if err != nil {
		t.Fatal(err)
	}
	text := notify.Text(message())
	if diff := cmp.Diff(map[string]string{"default": text, "email": text, "sqs": string(js), "lambda": string(js), "http": string(js), "https": string(js)}, bodies); diff != "" {
		t.Errorf("bodies (-want +got):\n%s", diff)
	}
	attributes := map[string]string{}
	for i := '1'; form.Has("MessageAttributes.entry." + string(i) + ".Name"); i++ {
		p := "MessageAttributes.entry." + string(i)
		attributes[form.Get(p+".Name")] = form.Get(p + ".Value.StringValue")
	}
	// There is no owner, and SNS takes no empty attribute.
	if diff := cmp.Diff(map[string]string{"kind": "failed", "severity": "critical", "vendor": "acme", "key": "prod/mailer", "id": "failed-t1"}, attributes); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
}

func TestNotify_tooLong(t *testing.T) {
	t.Parallel()
	m := message()
	m.Summary = "The summary stays."
	for range 100 {
		m.Known = append(m.Known, strings.Repeat("\u00e9\"", 1000))
	}
	s := &topic{}
	if err := open(s).Notify(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	body := s.got[0].Get("Message")
	if !utf8.ValidString(body) || !strings.Contains(body, m.Summary) {
		t.Errorf("not a whole message: %.200s", body)
	}
}

func TestNotify_refused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		fail func() (*http.Response, error)
		want string
	}{
		{"no answer", func() (*http.Response, error) {
			return nil, errors.New("read: connection reset by peer, you sent prod/mailer")
		}, "no answer"},
		{"denied", func() (*http.Response, error) {
			return answer(403, `<ErrorResponse><Error><Code>AuthorizationError</Code><Message>you sent prod/mailer</Message></Error></ErrorResponse>`), nil
		}, "(AuthorizationError)"},
		{"HTML", func() (*http.Response, error) { return answer(200, "<html>you sent</html>"), nil }, "no"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				err := open(&topic{fail: tt.fail}).Notify(t.Context(), message())
				if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "you sent") {
					t.Errorf("Notify = %v, want an error with %q", err, tt.want)
				}
			})
		})
	}
}

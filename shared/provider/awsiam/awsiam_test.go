package awsiam_test

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/provider/awsiam"
	"github.com/keyturn/keyturn/shared/provider/awsiam/awsiamtest"
	"github.com/keyturn/keyturn/shared/secret"
)

// wire carries requests to a handler, whatever their host, and keeps what they
// were.
type wire struct {
	h    http.Handler
	sent []request
}

type request struct {
	host, accept, scope string
	form                url.Values
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	form := r.URL.Query()
	if r.Body != nil {
		b, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(strings.NewReader(string(b)))
		form, _ = url.ParseQuery(string(b))
	}
	_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "/")
	scope, _, _ = strings.Cut(scope, ",")
	_, scope, _ = strings.Cut(scope, "/") // without the day
	w.sent = append(w.sent, request{r.URL.Host, r.Header.Get("Accept"), scope, form})
	rec := httptest.NewRecorder()
	w.h.ServeHTTP(rec, r)
	return rec.Result(), nil
}

func client(h http.Handler, s awsiam.Settings, admin provider.Admin, now func() time.Time) (*awsiam.Client, *wire) {
	w := &wire{h: h}
	return awsiam.New(s, admin, &http.Client{Transport: w}, now), w
}

var app = awsiam.Settings{UserName: awsiamtest.UserName}

// says answers every request alike.
func says(status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

func refusal(code string) string {
	return `<?xml version="1.0"?><ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>` + code + `</Code><Message>m</Message></Error><RequestId>r</RequestId></ErrorResponse>`
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, raw string
		fields    []string // with problems
	}{
		{"nothing", ``, nil},
		{"all", `{"baseURL":"https://iam.amazonaws.com","stsURL":"https://sts.eu-central-1.amazonaws.com","region":"eu-central-1","userName":"app+mail@example.com"}`, nil},
		{"China", `{"region":"cn-northwest-1"}`, nil},
		{"a partition of which no URL is known", `{"region":"us-iso-east-1"}`, []string{"baseURL", "stsURL"}},
		{"with its URLs", `{"region":"eusc-de-east-1","baseURL":"https://iam.eusc-de-east-1.amazonaws.eu","stsURL":"https://sts.eusc-de-east-1.amazonaws.eu"}`, nil},
		{"a region that is a host", `{"region":"x.evil.test/"}`, []string{"region"}},
		{"an ARN", `{"userName":"arn:aws:iam::123456789012:user/app"}`, []string{"userName"}},
		{"everything wrong", `{"baseURL":"x","stsURL":"http://","userName":"a b"}`, []string{"baseURL", "stsURL", "userName"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, p := range awsiam.Definition().Check(json.RawMessage(tt.raw)) {
				if p.What == "" || p.Hint == "" {
					t.Errorf("%+v: want what is wrong and what to do", p)
				}
				got = append(got, p.Field)
			}
			if d := cmp.Diff(tt.fields, got); d != "" {
				t.Errorf("problems (-want +got):\n%s", d)
			}
		})
	}
}

// Two secrets that both leave the user out have the same one.
func TestPrincipal(t *testing.T) {
	t.Parallel()
	principal := func(raw string) string { return awsiam.Definition().Principal(json.RawMessage(raw)) }
	if own, app := principal(`{}`), principal(`{"userName":"app"}`); own == "" || own == app || own != principal(`{"region":"eu-central-1"}`) {
		t.Errorf("of the admin key's user %q, of another %q", own, app)
	}
}

// Each partition has its hosts, and one region that IAM's requests are signed
// for.
func TestPlaces(t *testing.T) {
	t.Parallel()
	for region, want := range map[string][4]string{
		"":               {"iam.amazonaws.com", "us-east-1/iam/aws4_request", "sts.us-east-1.amazonaws.com", "us-east-1/sts/aws4_request"},
		"eu-central-1":   {"iam.amazonaws.com", "us-east-1/iam/aws4_request", "sts.eu-central-1.amazonaws.com", "eu-central-1/sts/aws4_request"},
		"us-gov-east-1":  {"iam.us-gov.amazonaws.com", "us-gov-west-1/iam/aws4_request", "sts.us-gov-east-1.amazonaws.com", "us-gov-east-1/sts/aws4_request"},
		"cn-northwest-1": {"iam.cn-north-1.amazonaws.com.cn", "cn-north-1/iam/aws4_request", "sts.cn-northwest-1.amazonaws.com.cn", "cn-northwest-1/sts/aws4_request"},
	} {
		t.Run(region, func(t *testing.T) {
			t.Parallel()
			iam := awsiamtest.New(time.Now, awsiamtest.Options{})
			c, w := client(says(400, refusal("x")), awsiam.Settings{Region: region, UserName: "app"}, iam.Admin(""), time.Now)
			if c.Revoke(t.Context(), "AKIAIOSFODNN7EXAMPLE") == nil || c.Verify(t.Context(), iam.Add("k").Value) == nil {
				t.Fatal("a refusal is no error")
			}
			got := [4]string{w.sent[0].host, w.sent[0].scope, w.sent[1].host, w.sent[1].scope}
			if d := cmp.Diff(want, got); d != "" || w.sent[0].accept != "*/*" {
				t.Errorf("accept %q (-want +got):\n%s", w.sent[0].accept, d)
			}
		})
	}
}

// Without a user's name, AWS takes the one of the admin key.
func TestSelf(t *testing.T) {
	t.Parallel()
	iam := awsiamtest.New(time.Now, awsiamtest.Options{Self: true})
	c, w := client(iam, awsiam.Settings{}, iam.Admin(""), time.Now)
	is, err := c.Fill(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := c.Slots(t.Context())
	if err != nil || len(keys) != 2 || keys[1].ID != is.ID || keys[1].Created.IsZero() {
		t.Fatalf("%v and %v, want the admin's and ours", keys, err)
	}
	if err := c.Revoke(t.Context(), keys[0].ID); err != nil || !iam.Works(is.Value) {
		t.Errorf("%v; ours works: %v", err, iam.Works(is.Value))
	}
	for _, r := range w.sent {
		if r.form.Has("UserName") {
			t.Errorf("sent %v", r.form)
		}
	}
}

// Only one answer of AWS's is a rejection.
func TestVerify(t *testing.T) {
	t.Parallel()
	const ok = `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/app</Arn><UserId>AIDA</UserId><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`
	for _, tt := range []struct {
		name   string
		status int
		body   string
		want   string // in the error; "": none
	}{
		{"whose it is", 200, ok, ""},
		{"nobody's", 200, strings.Replace(ok, "arn:aws:iam::123456789012:user/app", "", 1), "outcome unknown"},
		{"said twice", 200, strings.Replace(ok, "<UserId>", "<Account>999999999999</Account><UserId>", 1), "outcome unknown"},
		{"another root", 200, strings.ReplaceAll(ok, "GetCallerIdentityResponse", "Response"), "outcome unknown"},
		{"a comment", 200, ok + "<!-- x -->", "outcome unknown"},
		{"two roots", 200, ok + ok, "outcome unknown"},
		{"cut", 200, ok[:len(ok)-5], "outcome unknown"},
		{"gone", 403, refusal("InvalidClientTokenId"), "key rejected"},
		{"gone, with another status", 400, refusal("InvalidClientTokenId"), "refused (400"},
		{"gone, said twice", 403, strings.Replace(refusal("InvalidClientTokenId"), "</Code>", "</Code><Code>x</Code>", 1), "outcome unknown"},
		{"signature or clock", 403, refusal("SignatureDoesNotMatch"), "SignatureDoesNotMatch"},
		{"denied", 403, refusal("AccessDenied"), "refused (403 Forbidden): AccessDenied"},
		{"something new", 403, refusal("zqmarkerqz"), "refused (403 Forbidden)"},
		{"throttled", 400, refusal("Throttling"), "rate limited"},
		{"a page", 403, "<html><body>InvalidClientTokenId</body></html>", "outcome unknown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				iam := awsiamtest.New(time.Now, awsiamtest.Options{})
				c, _ := client(says(tt.status, tt.body), app, provider.Admin{}, time.Now)
				err := c.Verify(t.Context(), iam.Add("k").Value)
				if (err == nil) != (tt.want == "") || err != nil && (!strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "zqmarkerqz")) {
					t.Errorf("got %v, want %q", err, tt.want)
				}
			})
		})
	}
}

// A key that AWS knows is never rejected, whatever is wrong with the secret or
// the clock; one that it does not know is.
func TestVerify_sure(t *testing.T) {
	t.Parallel()
	iam := awsiamtest.New(time.Now, awsiamtest.Options{})
	k := iam.Add("k")
	other := iam.Add("other")
	_, sec, _ := strings.Cut(k.Value.Reveal(), ":")
	for name, tt := range map[string]struct {
		id, secret string
		ahead      time.Duration
		ok, gone   bool
	}{
		"right":              {k.ID, sec, 0, true, false},
		"a slow clock":       {k.ID, sec, -4 * time.Minute, true, false},
		"a clock behind":     {k.ID, sec, -6 * time.Minute, false, false},
		"another's secret":   {other.ID, sec, 0, false, false},
		"an id of nobody's":  {"AKIAIOSFODNN7EXAMPLE", sec, 0, false, true},
		"a secret of no use": {k.ID, sec[:20], 0, false, false},
	} {
		c, w := client(iam, app, provider.Admin{}, func() time.Time { return time.Now().Add(tt.ahead) })
		// The right key first: what is signed for it must not serve another.
		_ = c.Verify(t.Context(), k.Value)
		err := c.Verify(t.Context(), secret.New(tt.id+":"+tt.secret))
		if (err == nil) != tt.ok || errors.Is(err, provider.ErrRejected) != tt.gone || len(w.sent) != 2 {
			t.Errorf("%s: %v in %d requests", name, err, len(w.sent))
		}
	}
}

// What AWS says decides, not its status alone.
func TestFill_refused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status int
		code   string
		want   provider.Kind
		sent   int
	}{
		{409, "LimitExceeded", provider.KindFull, 1},
		{409, "ConcurrentModification", provider.KindPermanent, 1},
		{404, "NoSuchEntity", provider.KindNotFound, 1},
		{403, "AccessDenied", provider.KindAuth, 1},
		{403, "SignatureDoesNotMatch", provider.KindAuth, 1},
		{400, "Throttling", provider.KindRateLimited, 4},
		{429, "Slow", provider.KindRateLimited, 4},
		{500, "ServiceFailure", provider.KindUnknown, 1},
		{503, "Throttling", provider.KindUnknown, 1}, // a 5xx may have been carried out
	} {
		t.Run(tt.code, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				iam := awsiamtest.New(time.Now, awsiamtest.Options{})
				c, w := client(says(tt.status, refusal(tt.code)), app, iam.Admin(""), time.Now)
				_, err := c.Fill(t.Context())
				if provider.KindOf(err) != tt.want || len(w.sent) != tt.sent || !strings.HasPrefix(err.Error(), "POST / CreateAccessKey: ") {
					t.Errorf("%v, sent %d times; want %v and %d", err, len(w.sent), tt.want, tt.sent)
				}
			})
		})
	}
}

// A list that is cut without saying where it goes on is no list.
func TestSlots_odd(t *testing.T) {
	t.Parallel()
	const k = `<member><AccessKeyId>AKIAIOSFODNN7EXAMPLE</AccessKeyId><Status>Inactive</Status><CreateDate>2015-03-06T21:47:48Z</CreateDate></member>`
	for name, tt := range map[string]struct {
		result string
		keys   int // -1: an error
	}{
		"two alike": {`<AccessKeyMetadata>` + k + k + `</AccessKeyMetadata><IsTruncated>false</IsTruncated>`, 2},
		"none":      {`<AccessKeyMetadata/><IsTruncated>false</IsTruncated>`, 0},
		"no list":   {`<IsTruncated>false</IsTruncated>`, -1},
		"no marker": {`<AccessKeyMetadata>` + k + `</AccessKeyMetadata><IsTruncated>true</IsTruncated>`, -1},
		"no end":    {`<AccessKeyMetadata>` + k + `</AccessKeyMetadata><IsTruncated>true</IsTruncated><Marker>a&amp;b</Marker>`, -1},
		"two lists": {`<AccessKeyMetadata>` + k + `</AccessKeyMetadata><AccessKeyMetadata/><IsTruncated>false</IsTruncated>`, -1},
		"no id":     {`<AccessKeyMetadata><member><Status>Active</Status></member></AccessKeyMetadata><IsTruncated>false</IsTruncated>`, -1},
		"no date":   {`<AccessKeyMetadata>` + strings.Replace(k, "2015", "in 2015", 1) + `</AccessKeyMetadata>`, -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				iam := awsiamtest.New(time.Now, awsiamtest.Options{})
				c, w := client(says(200, `<ListAccessKeysResponse><ListAccessKeysResult>`+tt.result+`</ListAccessKeysResult></ListAccessKeysResponse>`), app, iam.Admin(""), time.Now)
				keys, err := c.Slots(t.Context())
				if (err != nil) != (tt.keys < 0) || err == nil && len(keys) != tt.keys {
					t.Errorf("%v and %v, want %d keys", keys, err, tt.keys)
				}
				if last := w.sent[len(w.sent)-1].form; name == "no end" && (last.Get("Marker") != "a&b" || len(w.sent) > 100) {
					t.Errorf("sent %d, the last was %v", len(w.sent), last)
				}
			})
		})
	}
}

// No date is "never" only of a key that is there.
func TestLastUsed_noDate(t *testing.T) {
	t.Parallel()
	const never = `<GetAccessKeyLastUsedResponse><GetAccessKeyLastUsedResult><AccessKeyLastUsed><Region>N/A</Region><ServiceName>N/A</ServiceName></AccessKeyLastUsed></GetAccessKeyLastUsedResult></GetAccessKeyLastUsedResponse>`
	iam := awsiamtest.New(time.Now, awsiamtest.Options{})
	there, gone := iam.Add("k"), "AKIAIOSFODNN7EXAMPLE"
	for _, tt := range []struct {
		name, id string
		status   int
		body     string
		want     provider.Kind
		ok       bool
	}{
		{"never used", there.ID, 200, never, 0, true},
		{"gone", gone, 200, never, provider.KindNotFound, false},
		{"gone, denied", gone, 403, refusal("AccessDenied"), provider.KindNotFound, false},
		{"there, denied", there.ID, 403, refusal("AccessDenied"), provider.KindAuth, false},
		{"gone, told so", gone, 404, refusal("NoSuchEntity"), provider.KindNotFound, false},
		{"nothing told", there.ID, 200, strings.ReplaceAll(never, "N/A", ""), provider.KindUnknown, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(strings.NewReader(string(b)))
				if strings.Contains(string(b), "Action=ListAccessKeys") {
					iam.ServeHTTP(w, r)
					return
				}
				says(tt.status, tt.body).ServeHTTP(w, r)
			})
			c, _ := client(h, app, iam.Admin(""), time.Now)
			at, err := c.LastUsed(t.Context(), tt.id)
			if (err == nil) != tt.ok || err != nil && provider.KindOf(err) != tt.want || !at.IsZero() {
				t.Errorf("%v and %v, want ok %v or %v", at, err, tt.ok, tt.want)
			}
		})
	}
}

// The last use is told late, and a trial is one.
func TestFake_lag(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		iam := awsiamtest.New(time.Now, awsiamtest.Options{UsageLag: time.Hour})
		c, _ := client(iam, app, iam.Admin(""), time.Now)
		k := iam.Add("k")
		first := time.Now()
		var got []time.Duration
		for range 4 {
			if err := c.Verify(t.Context(), k.Value); err != nil {
				t.Fatal(err)
			}
			at, err := c.LastUsed(t.Context(), k.ID)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, max(at.Sub(first), -1))
			<-time.After(40 * time.Minute)
		}
		if d := cmp.Diff([]time.Duration{-1, -1, 0, 40 * time.Minute}, got); d != "" {
			t.Errorf("last used after the first use (-want +got):\n%s", d)
		}
	})
}

// Whoever changes a request breaks its signature.
func TestFake_signature(t *testing.T) {
	t.Parallel()
	iam := awsiamtest.New(time.Now, awsiamtest.Options{})
	k := iam.Add("k")
	change := map[string]func(*http.Request){
		"nothing":      func(*http.Request) {},
		"the query":    func(r *http.Request) { r.URL.RawQuery += "&a=b" },
		"the host":     func(r *http.Request) { r.Host = "evil.test" },
		"the date":     func(r *http.Request) { r.Header.Set("X-Amz-Date", "20150830T123600Z") },
		"no signature": func(r *http.Request) { r.Header.Del("Authorization") },
		"no scope":     func(r *http.Request) { r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=x") },
	}
	for _, name := range slices.Sorted(maps.Keys(change)) {
		req, err := awsiamtest.Consume("https://sqs.test", k.Value)
		if err != nil {
			t.Fatal(err)
		}
		change[name](req)
		rec := httptest.NewRecorder()
		iam.ServeHTTP(rec, req)
		if (rec.Code == 200) != (name == "nothing") {
			t.Errorf("%s changed: %d", name, rec.Code)
		}
	}
	if n := iam.Uses(k.ID); n != 1 {
		t.Errorf("%d uses, want 1", n)
	}
}

// A key that is not active, or lacks a part, is none that a consumer can use.
func TestFill_answers(t *testing.T) {
	t.Parallel()
	const id, sec = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	for _, tt := range []struct {
		id, secret, status string
		ok                 bool
	}{
		{id, sec, "Active", true},
		{id, sec, "Inactive", false},
		{id, sec, "", false},
		{id, "", "Active", false},
		{"", sec, "Active", false},
	} {
		iam := awsiamtest.New(time.Now, awsiamtest.Options{})
		c, _ := client(says(200, `<CreateAccessKeyResponse><CreateAccessKeyResult><AccessKey><AccessKeyId>`+tt.id+`</AccessKeyId><SecretAccessKey>`+tt.secret+
			`</SecretAccessKey><Status>`+tt.status+`</Status><CreateDate>2026-11-24T00:00:00Z</CreateDate></AccessKey></CreateAccessKeyResult></CreateAccessKeyResponse>`), app, iam.Admin(""), time.Now)
		is, err := c.Fill(t.Context())
		if (err == nil) != tt.ok || err != nil && provider.KindOf(err) != provider.KindUnknown || tt.ok && is.ID != id {
			t.Errorf("%+v: %+v, %v", tt, is.Key, err)
		}
	}
}

// Package awsiamtest is a stateful stand-in for AWS IAM and STS, for tests and
// for simulations on one machine: the Query API of access keys, with signatures
// that are verified, and GetCallerIdentity, all at one host.
//
// It behaves as https://docs.aws.amazon.com/IAM/latest/APIReference/ says.
// Assumed, for the reference does not say: how GetAccessKeyLastUsed refuses a
// key that is gone, that last uses are told to the second, and how a new key
// becomes known: first nowhere, then to every other server. Its keys have AWS's
// shape and open nothing.
package awsiamtest

import (
	"cmp"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/providertest/simulator"
)

// UserName is the user whose keys are rotated.
const UserName = "app"

const (
	account   = "123456789012" // the one of AWS's own examples
	adminName = "keyturn"
	quota     = 2
	region    = "us-east-1" // that IAM's requests must be signed for
)

// Options change how the server behaves. The zero Options know no delay.
type Options struct {
	Self     bool          // the admin key is UserName's own and takes one of its slots
	PageSize int           // keys on one page at most; 0: 100
	Settle   time.Duration // for half of it a new key is known nowhere, then here and there
	UsageLag time.Duration // how late the last use is told
	Seed     string        // another seed makes other keys
}

// Server is one AWS account. It is safe for concurrent use.
type Server struct {
	*simulator.Account

	opts  Options
	admin *key
	keys  []*key // in the order they were made; the deleted stay
	odd   bool   // which of two servers answers
}

type key struct {
	simulator.Key

	user, secret string
	inactive     bool
	used         []time.Time // the last told, and those that are not told yet
}

// New returns an account with two users, without keys but the admin's. clock
// tells it the time.
func New(clock func() time.Time, opts Options) *Server {
	opts.PageSize = cmp.Or(opts.PageSize, 100)
	s := &Server{Account: simulator.New(clock), opts: opts}
	user := adminName
	if opts.Self {
		user = UserName
	}
	s.admin = s.add(user, "admin")
	s.Handle("/", s.serve)
	return s
}

func (s *Server) add(user, name string) *key {
	h := sha256.Sum256([]byte("awsiamtest " + s.opts.Seed + " " + strconv.Itoa(len(s.keys))))
	k := &key{user: user, secret: base64.StdEncoding.EncodeToString(h[:30])}
	h = sha256.Sum256(h[:])
	id := "AKIA" + base32.StdEncoding.EncodeToString(h[:10])
	k.Key = simulator.Key{ID: id, Name: name, Value: id + ":" + k.secret, Created: s.Now()}
	s.keys = append(s.keys, k)
	s.Hide(k.secret)
	if user == UserName {
		s.Track(&k.Key)
	}
	return k
}

// byID returns the key of any user, nil if there is none.
func (s *Server) byID(id string) *key {
	for _, k := range s.keys {
		if k.ID == id && k.Held() {
			return k
		}
	}
	return nil
}

func (s *Server) held(user string) []*key {
	return slices.DeleteFunc(slices.Clone(s.keys), func(k *key) bool { return !k.Held() || k.user != user })
}

// settled returns when every server knows the key.
func (s *Server) settled(k *key) time.Time {
	if k == s.admin {
		return k.Created
	}
	return k.Created.Add(s.opts.Settle)
}

// known reports whether the server that answers knows the key.
func (s *Server) known(k *key) bool {
	switch end := s.settled(k); {
	case k.inactive:
		return false
	case !s.Now().Before(end):
		return true
	case s.Now().Before(end.Add(-s.opts.Settle / 2)):
		return false
	}
	s.odd = !s.odd
	return s.odd
}

// serve answers for every service. Those that are neither IAM nor STS are what
// consumers call.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	var body []byte
	var err error
	in := r.URL.Query()
	if r.Method == http.MethodPost {
		body, _ = io.ReadAll(io.LimitReader(r.Body, 1<<16)) // what is cut does not fit its signature
		in, err = url.ParseQuery(string(body))
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, "MalformedQueryString")
		return
	}
	sig, ok := readSignature(r)
	if !ok {
		refuse(w, http.StatusForbidden, "MissingAuthenticationToken")
		return
	}
	k := s.byID(sig.id)
	switch {
	case k == nil || !s.known(k):
		refuse(w, http.StatusForbidden, "InvalidClientTokenId")
		return
	case !sig.fits(r, body, k.secret, s.Now()) || sig.service == "iam" && sig.region != region:
		refuse(w, http.StatusForbidden, "SignatureDoesNotMatch")
		return
	}
	s.use(k)
	switch op := in.Get("Action"); {
	case sig.service == "sts" && op == "GetCallerIdentity" && in.Get("Version") == "2011-06-15":
		answer(w, op, fmt.Sprintf("<Arn>arn:aws:iam::%s:user/%s</Arn><UserId>AIDA%s</UserId><Account>%s</Account>", account, k.user, k.ID[4:], account))
	case sig.service == "iam" && k.user != s.admin.user:
		refuse(w, http.StatusForbidden, "AccessDenied")
	case sig.service == "iam" && in.Get("Version") == "2010-05-08":
		s.manage(w, in, k)
	case sig.service == "iam" || sig.service == "sts":
		refuse(w, http.StatusBadRequest, "InvalidAction")
	default:
		k.Uses++
		answer(w, "Consumer", "")
	}
}

// use moves the key's last use.
func (s *Server) use(k *key) {
	k.used = append(k.used, s.Now())
	for len(k.used) > 1 && !k.used[1].Add(s.opts.UsageLag).After(s.Now()) {
		k.used = k.used[1:]
	}
}

func (s *Server) manage(w http.ResponseWriter, in url.Values, by *key) {
	op, user := in.Get("Action"), cmp.Or(in.Get("UserName"), by.user)
	if user != UserName && user != adminName {
		refuse(w, http.StatusNotFound, "NoSuchEntity")
		return
	}
	switch op {
	case "CreateAccessKey":
		s.create(w, user)
		return
	case "ListAccessKeys":
		s.list(w, in, user)
		return
	}
	id := in.Get("AccessKeyId")
	k := s.byID(id)
	switch {
	case len(id) < 16 || len(id) > 128:
		refuse(w, http.StatusBadRequest, "ValidationError")
	case k == nil || op != "GetAccessKeyLastUsed" && k.user != user:
		refuse(w, http.StatusNotFound, "NoSuchEntity")
	case op == "GetAccessKeyLastUsed":
		s.lastUsed(w, k)
	case op == "DeleteAccessKey":
		k.Revoked = s.Now()
		answer(w, op, "")
	case op == "UpdateAccessKey" && slices.Contains([]string{"Active", "Inactive"}, in.Get("Status")):
		k.inactive = in.Get("Status") == "Inactive"
		answer(w, op, "")
	default:
		refuse(w, http.StatusBadRequest, "ValidationError")
	}
}

func (s *Server) create(w http.ResponseWriter, user string) {
	if len(s.held(user)) >= quota {
		refuse(w, http.StatusConflict, "LimitExceeded")
		return
	}
	k := s.add(user, "")
	answer(w, "CreateAccessKey", "<AccessKey>"+shown(k)+"<SecretAccessKey>"+k.secret+"</SecretAccessKey></AccessKey>")
}

func shown(k *key) string {
	status := "Active"
	if k.inactive {
		status = "Inactive"
	}
	return fmt.Sprintf("<UserName>%s</UserName><AccessKeyId>%s</AccessKeyId><Status>%s</Status><CreateDate>%s</CreateDate>", k.user, k.ID, status, stamp(k.Created))
}

func stamp(t time.Time) string { return t.UTC().Truncate(time.Second).Format(time.RFC3339) }

func (s *Server) list(w http.ResponseWriter, in url.Values, user string) {
	held := s.held(user)
	from, _ := strconv.Atoi(cmp.Or(in.Get("Marker"), "0"))
	from = min(max(from, 0), len(held))
	to := min(from+s.opts.PageSize, len(held))
	var members strings.Builder
	for _, k := range held[from:to] {
		members.WriteString("<member>" + shown(k) + "</member>")
	}
	out := fmt.Sprintf("<UserName>%s</UserName><AccessKeyMetadata>%s</AccessKeyMetadata><IsTruncated>%t</IsTruncated>", user, members.String(), to < len(held))
	if to < len(held) {
		out += fmt.Sprintf("<Marker>%d</Marker>", to)
	}
	answer(w, "ListAccessKeys", out)
}

func (s *Server) lastUsed(w http.ResponseWriter, k *key) {
	date, where, service := "", "N/A", "N/A"
	if len(k.used) > 0 && !k.used[0].Add(s.opts.UsageLag).After(s.Now()) {
		last := k.used[0]
		for _, t := range k.used {
			if !t.Add(s.opts.UsageLag).After(s.Now()) {
				last = t
			}
		}
		date, where, service = "<LastUsedDate>"+stamp(last)+"</LastUsedDate>", region, "sts"
	}
	answer(w, "GetAccessKeyLastUsed", fmt.Sprintf("<UserName>%s</UserName><AccessKeyLastUsed><Region>%s</Region>%s<ServiceName>%s</ServiceName></AccessKeyLastUsed>", k.user, where, date, service))
}

const requestID = "<RequestId>7a62c49f-347e-4fc4-9331-6e8eEXAMPLE</RequestId>"

// answer writes the answer to an action; no result: what was asked is done.
func answer(w http.ResponseWriter, action, result string) {
	if result != "" {
		result = "<" + action + "Result>" + result + "</" + action + "Result>"
	}
	write(w, http.StatusOK, "<"+action+`Response xmlns="https://iam.amazonaws.com/doc/2010-05-08/">`+
		result+"<ResponseMetadata>"+requestID+"</ResponseMetadata></"+action+"Response>")
}

func refuse(w http.ResponseWriter, status int, code string) {
	write(w, status, `<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>`+
		code+"</Code><Message>The request was refused.</Message></Error>"+requestID+"</ErrorResponse>")
}

func write(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) //nolint:gosec // XML, of actions and names that were checked
}

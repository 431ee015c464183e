// Package awsiam rotates the access keys of one AWS IAM user.
//
// Strategy: DualSlot. A user has room for two keys, which carry no names; AWS
// chooses both parts and shows the secret once. A key can be made inactive and
// active again. The facts are those of
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateAccessKey.html
// and its neighbors unless a comment says otherwise.
//
// To try a key is to use it: it moves the key's last use.
package awsiam

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/keyturn/keyturn/shared/httpapi"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

const (
	slots    = 2  // not adjustable
	maxPages = 20 // of two keys

	active   = "Active"
	inactive = "Inactive"
)

var (
	idForm     = regexp.MustCompile(`^\w{16,128}$`)
	secretForm = regexp.MustCompile(`^[0-9A-Za-z/+=]{16,128}$`)
)

// Client calls the Query APIs of IAM and STS. It is safe for concurrent use.
type Client struct {
	iam, sts  httpapi.Client
	admin     httpapi.Credential
	user      string // "": the admin key's own
	stsRegion string
	now       func() time.Time
}

// New returns a Client that sends through hc. It makes no call. now tells the
// time that requests are signed with.
func New(s Settings, admin provider.Admin, hc *http.Client, now func() time.Time) *Client {
	api := httpapi.Client{
		Base: s.BaseURL(), HTTP: hc, Decode: decode,
		// Who accepts JSON may be answered in JSON.
		Header: http.Header{"Accept": {"*/*"}},
		// Refusals are XML, and said reads them: what it cannot read has no such
		// member, and is not AWS's.
		ErrorField: "ErrorResponse",
	}
	c := &Client{iam: api, sts: api, user: s.UserName, stsRegion: s.region(), now: now}
	c.sts.Base = s.stsURL()
	if id, sec := admin.Field("accessKeyId"), admin.Field("secretAccessKey"); !id.Empty() && !sec.Empty() {
		c.admin = c.signed(pair{id.Reveal(), sec}, "iam", s.place().scope)
	}
	return c
}

// Strategy returns the vendor's half of a rotation.
func (c *Client) Strategy() provider.Strategy {
	return provider.DualSlot{Slots: c, Max: slots, Fill: c, Usage: c, Disable: c}
}

// pair is an access key: its id, which is public, and its secret.
type pair struct {
	id     string
	secret secret.Value
}

// parse reads the value of a key, which is both parts joined.
func parse(v secret.Value) (pair, bool) {
	id, sec, _ := strings.Cut(v.Reveal(), ":")
	return pair{id, secret.New(sec)}, idForm.MatchString(id) && secretForm.MatchString(sec)
}

// signed signs each request with k, which is not sent.
func (c *Client) signed(k pair, service, region string) httpapi.Credential {
	return httpapi.Signed(k.secret, func(r *http.Request, body []byte) error {
		sum := sha256.Sum256(body)
		// A signer anew: one that is kept takes the secret that it saw last for any
		// key with the same id.
		return v4.NewSigner().SignHTTP(r.Context(), aws.Credentials{AccessKeyID: k.id, SecretAccessKey: k.secret.Reveal()},
			r, hex.EncodeToString(sum[:]), service, region, c.now())
	})
}

// call begins a call of IAM about the user.
func (c *Client) call(action string, in url.Values) httpapi.Call {
	in.Set("Action", action)
	in.Set("Version", "2010-05-08")
	if c.user != "" && action != "GetAccessKeyLastUsed" {
		in.Set("UserName", c.user)
	}
	return httpapi.Call{Method: http.MethodPost, Path: "/", In: httpapi.Form(in), Want: http.StatusOK, Said: said("POST / " + action)}
}

// op puts the action into an error, which all share one path.
func op(name string, err error) error {
	if e, ok := errors.AsType[*provider.Error](err); ok {
		e.Op = name
	}
	return err
}

func noID(action string) error {
	return &provider.Error{Op: "POST / " + action, Kind: provider.KindPermanent, Err: errors.New("not the id of an access key")}
}

// Fill implements [provider.Filler].
func (c *Client) Fill(ctx context.Context) (provider.Issued, error) {
	var out struct {
		XMLName xml.Name     `xml:"CreateAccessKeyResponse"`
		ID      string       `xml:"CreateAccessKeyResult>AccessKey>AccessKeyId"`
		Secret  secret.Value `xml:"CreateAccessKeyResult>AccessKey>SecretAccessKey"`
		Status  string       `xml:"CreateAccessKeyResult>AccessKey>Status"`
		Created time.Time    `xml:"CreateAccessKeyResult>AccessKey>CreateDate"`
	}
	const action = "CreateAccessKey"
	call := c.call(action, url.Values{})
	call.Once, call.Out = true, &out
	value := func() secret.Value { return secret.New(out.ID + ":" + out.Secret.Reveal()) }
	call.Proof = func() bool {
		_, ok := parse(value())
		return ok && out.Status == active
	}
	if err := c.iam.Do(ctx, c.admin, call); err != nil {
		return provider.Issued{}, op("POST / "+action, err)
	}
	return provider.Issued{Key: provider.Key{ID: out.ID, Created: out.Created}, Value: value()}, nil
}

type page struct {
	XMLName xml.Name `xml:"ListAccessKeysResponse"`
	List    *struct {
		Keys []struct {
			ID      string    `xml:"AccessKeyId"`
			Created time.Time `xml:"CreateDate"`
		} `xml:"member"`
	} `xml:"ListAccessKeysResult>AccessKeyMetadata"`
	Truncated bool   `xml:"ListAccessKeysResult>IsTruncated"`
	Marker    string `xml:"ListAccessKeysResult>Marker"`
}

func (p page) whole() bool {
	if p.List == nil || p.Truncated && p.Marker == "" {
		return false
	}
	for _, k := range p.List.Keys {
		if !idForm.MatchString(k.ID) {
			return false
		}
	}
	return true
}

// Slots implements [provider.Slotter]. AWS may cut a list into pages wherever it
// wants to.
func (c *Client) Slots(ctx context.Context) ([]provider.Key, error) {
	const name = "POST / ListAccessKeys"
	var keys []provider.Key
	in := url.Values{}
	for range maxPages {
		var p page
		call := c.call("ListAccessKeys", in)
		call.Out, call.Proof = &p, func() bool { return p.whole() }
		if err := c.iam.Do(ctx, c.admin, call); err != nil {
			return nil, op(name, err)
		}
		for _, k := range p.List.Keys {
			keys = append(keys, provider.Key{ID: k.ID, Created: k.Created})
		}
		if !p.Truncated {
			return keys, nil
		}
		in.Set("Marker", p.Marker)
	}
	return nil, &provider.Error{Op: name, Kind: provider.KindPermanent, Err: errors.New("the list does not end")}
}

// empty is the answer that only says that it was done.
type empty struct{ XMLName xml.Name }

// change sends an action that answers with nothing.
func (c *Client) change(ctx context.Context, action, id string, in url.Values) error {
	if !idForm.MatchString(id) {
		return noID(action)
	}
	var out empty
	in.Set("AccessKeyId", id)
	call := c.call(action, in)
	call.Out, call.Proof = &out, func() bool { return out.XMLName.Local == action+"Response" }
	return op("POST / "+action, c.iam.Do(ctx, c.admin, call))
}

// Revoke implements [provider.Revoker]. NoSuchEntity is said of a user that is
// gone too, and a user that has keys cannot be deleted.
func (c *Client) Revoke(ctx context.Context, id string) error {
	err := c.change(ctx, "DeleteAccessKey", id, url.Values{})
	if err != nil && provider.KindOf(err) == provider.KindNotFound {
		return nil
	}
	return err
}

// Disable implements [provider.Disabler].
func (c *Client) Disable(ctx context.Context, id string) error {
	return c.change(ctx, "UpdateAccessKey", id, url.Values{"Status": {inactive}})
}

// Enable implements [provider.Disabler].
func (c *Client) Enable(ctx context.Context, id string) error {
	return c.change(ctx, "UpdateAccessKey", id, url.Values{"Status": {active}})
}

// LastUsed implements [provider.UsageReporter]. No date means that the key was
// never used, or that there is none; how a key that is gone is refused is not
// documented. The list decides.
func (c *Client) LastUsed(ctx context.Context, id string) (time.Time, error) {
	const action = "GetAccessKeyLastUsed"
	if !idForm.MatchString(id) {
		return time.Time{}, noID(action)
	}
	var out struct {
		XMLName xml.Name  `xml:"GetAccessKeyLastUsedResponse"`
		Date    time.Time `xml:"GetAccessKeyLastUsedResult>AccessKeyLastUsed>LastUsedDate"`
		Region  string    `xml:"GetAccessKeyLastUsedResult>AccessKeyLastUsed>Region"`
		Service string    `xml:"GetAccessKeyLastUsedResult>AccessKeyLastUsed>ServiceName"`
	}
	call := c.call(action, url.Values{"AccessKeyId": {id}})
	call.Out, call.Proof = &out, func() bool { return out.Region != "" && out.Service != "" }
	err := op("POST / "+action, c.iam.Do(ctx, c.admin, call))
	if err == nil && !out.Date.IsZero() {
		return out.Date, nil
	}
	if err != nil && provider.KindOf(err) != provider.KindAuth {
		return time.Time{}, err
	}
	held, lerr := c.holds(ctx, id)
	switch {
	case err != nil && (lerr != nil || held):
		return time.Time{}, err
	case lerr != nil:
		return time.Time{}, lerr
	case !held:
		return time.Time{}, &provider.Error{Op: "POST / " + action, Kind: provider.KindNotFound}
	}
	return time.Time{}, nil
}

// holds reports whether the user has the key.
func (c *Client) holds(ctx context.Context, id string) (bool, error) {
	keys, err := c.Slots(ctx)
	return slices.ContainsFunc(keys, func(k provider.Key) bool { return k.ID == id }), err
}

// Identify implements [provider.Identifier]. The id is the value's first part;
// whether the second fits is not asked.
func (c *Client) Identify(ctx context.Context, value secret.Value) (string, error) {
	k, ok := parse(value)
	if ok {
		var err error
		if ok, err = c.holds(ctx, k.id); err != nil {
			return "", err
		}
	}
	if !ok {
		return "", &provider.Error{Op: "POST / ListAccessKeys", Kind: provider.KindNotFound}
	}
	return k.id, nil
}

// Verify implements [provider.Verifier]. Every key may ask whose it is, whatever
// its rights:
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html.
func (c *Client) Verify(ctx context.Context, key secret.Value) error {
	const name = "POST / GetCallerIdentity"
	k, ok := parse(key)
	if !ok {
		return &provider.Error{Op: name, Kind: provider.KindPermanent, Err: errors.New("the value is not an access key's id and secret")}
	}
	var out struct {
		XMLName xml.Name `xml:"GetCallerIdentityResponse"`
		Account string   `xml:"GetCallerIdentityResult>Account"`
		ARN     string   `xml:"GetCallerIdentityResult>Arn"`
	}
	return op(name, c.sts.Do(ctx, c.signed(k, "sts", c.stsRegion), httpapi.Call{
		Method: http.MethodPost, Path: "/", Want: http.StatusOK, Said: saidOfKey(name),
		In:  httpapi.Form{"Action": {"GetCallerIdentity"}, "Version": {"2011-06-15"}},
		Out: &out, Proof: func() bool { return out.Account != "" && strings.HasPrefix(out.ARN, "arn:") },
	}))
}

package awsiam

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"

	"github.com/keyturn/keyturn/shared/provider"
)

const maxDepth = 20

var errXML = errors.New("not one XML element in which everything is said once")

// decode reads one XML element in which nothing but the members of a list is
// said twice: encoding/xml would take the last and say nothing.
func decode(body []byte, out any) error {
	if !walk(xml.NewDecoder(bytes.NewReader(body)), 0) {
		return errXML
	}
	return xml.Unmarshal(body, out)
}

// walk reads what an element holds, and its end, and reports whether each child
// is there once. At depth 0 it is the document, which holds one element.
func walk(d *xml.Decoder, depth int) bool {
	seen := map[string]bool{}
	for {
		t, err := d.Token()
		switch t := t.(type) {
		case nil:
			return depth == 0 && errors.Is(err, io.EOF) && len(seen) == 1
		case xml.EndElement:
			return true
		case xml.StartElement:
			name := t.Name.Local
			twice := seen[name] && name != "member" || depth == 0 && len(seen) > 0
			if seen[name] = true; twice || depth > maxDepth || !walk(d, depth+1) {
				return false
			}
		default:
			if !plain(t, depth) {
				return false
			}
		}
	}
}

// plain reports whether what is no element may be there: text within the
// outermost element, and the declaration in front, but no comment and no
// directive.
func plain(t xml.Token, depth int) bool {
	switch t := t.(type) {
	case xml.CharData:
		return depth > 0 || len(bytes.TrimSpace(t)) == 0
	case xml.ProcInst:
		return t.Target == "xml"
	}
	return false
}

// refusal returns the code with which AWS refused a request, "" for an answer
// that is not AWS's refusal,
// https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html.
func refusal(status int, body []byte) string {
	var r struct {
		XMLName xml.Name `xml:"ErrorResponse"`
		Code    string   `xml:"Error>Code"`
	}
	if status/100 != 4 || decode(body, &r) != nil {
		return ""
	}
	return r.Code
}

// said turns a refusal into an error, for the status says too little: 409 is a
// full user and a change at the same time, and IAM throttles with 400.
func said(op string) func(int, []byte) error {
	return func(status int, body []byte) error {
		code := refusal(status, body)
		if code == "" {
			return nil
		}
		e := &provider.Error{Op: op, Kind: provider.KindPermanent, Status: status}
		switch code {
		case "LimitExceeded":
			e.Kind = provider.KindFull
		case "NoSuchEntity":
			e.Kind = provider.KindNotFound
		case "Throttling", "ThrottlingException", "RequestLimitExceeded":
			e.Kind = provider.KindRateLimited
		case "AccessDenied", "InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken", "OptInRequired",
			"IncompleteSignature", "MissingAuthenticationToken", "NotAuthorized", "RequestExpired":
			e.Kind = provider.KindAuth
		default:
			if status == http.StatusTooManyRequests {
				e.Kind = provider.KindRateLimited
			}
			return e // the code is AWS's own text, of which nobody knows what it holds
		}
		e.Err = errors.New(code)
		return e
	}
}

// saidOfKey is said for a key that is tried. InvalidClientTokenId is how AWS
// refuses an id that it does not know or that is disabled. Nothing else is a
// rejection: a signature does not match if a clock is wrong as well.
func saidOfKey(op string) func(int, []byte) error {
	return func(status int, body []byte) error {
		if status == http.StatusForbidden && refusal(status, body) == "InvalidClientTokenId" {
			return provider.ErrRejected
		}
		err := said(op)(status, body)
		if e, ok := errors.AsType[*provider.Error](err); ok && e.Kind != provider.KindRateLimited {
			e.Kind = provider.KindPermanent
		}
		return err
	}
}

package secretsmanager

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/keyturn/keyturn/shared/store"
)

// kinds holds the codes that the API reference and the list of common errors
// name. A code that is not here goes by its HTTP status.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html
//
//nolint:gochecknoglobals // a table
var kinds = map[string]store.Kind{
	"ResourceNotFoundException": store.KindNotFound,
	"ResourceExistsException":   store.KindExists,

	"AccessDeniedException":       store.KindDenied,
	"AccessDenied":                store.KindDenied,
	"ExpiredTokenException":       store.KindDenied,
	"IncompleteSignature":         store.KindDenied,
	"InvalidClientTokenId":        store.KindDenied,
	"InvalidSignatureException":   store.KindDenied,
	"MissingAuthenticationToken":  store.KindDenied,
	"NotAuthorized":               store.KindDenied,
	"OptInRequired":               store.KindDenied,
	"RequestExpired":              store.KindDenied,
	"UnrecognizedClientException": store.KindDenied,

	// The KMS key's state or policy; both are refused before anything changes.
	"DecryptionFailure": store.KindInvalid,
	"EncryptionFailure": store.KindInvalid,

	// Not a rate: a quota of versions, labels or secrets.
	"LimitExceededException": store.KindInvalid,

	"InternalFailure":         store.KindUnknown,
	"InternalServiceError":    store.KindUnknown,
	"RequestTimeout":          store.KindUnknown,
	"RequestTimeoutException": store.KindUnknown,
	"ServiceUnavailable":      store.KindUnknown,
	"UnknownError":            store.KindUnknown, // the SDK's name for an answer that is not AWS's
}

func failed(op string, err error) error {
	kind, code := classify(err)
	return &store.Error{Op: op, Kind: kind, Code: code}
}

func classify(err error) (store.Kind, string) {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return store.KindUnknown, ""
	}
	code := plain(api.ErrorCode())
	if kind, ok := kinds[code]; ok {
		return kind, code
	}
	if _, ok := retry.DefaultThrottleErrorCodes[code]; ok {
		return store.KindThrottled, code
	}
	answer, ok := errors.AsType[*smithyhttp.ResponseError](err)
	if !ok {
		return store.KindUnknown, code
	}
	switch status := answer.HTTPStatusCode(); {
	case status == http.StatusTooManyRequests:
		return store.KindThrottled, code
	case status >= 400 && status < 500 && code != "":
		return store.KindInvalid, code
	default:
		return store.KindUnknown, code
	}
}

// plain refuses a code that is no identifier: whatever answered, it was not
// AWS, and its words are not for our log.
func plain(code string) string {
	if len(code) > 64 || strings.ContainsFunc(code, func(r rune) bool {
		return r != '.' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) {
		return ""
	}
	return code
}

// attempts is how each sending of one write ended. The SDK sends again after an
// unknown outcome; where the first sending took effect, the second may be
// refused for just that reason, and the refusal would be a lie.
type attempts []store.Kind

func (a *attempts) watch(o *sm.Options) {
	note := middleware.FinalizeMiddlewareFunc("keyturn.Attempts", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
		out, md, err := next.HandleFinalize(ctx, in)
		if err != nil {
			kind, _ := classify(err)
			*a = append(*a, kind)
		}
		return out, md, err
	})
	o.APIOptions = append(slices.Clip(o.APIOptions), func(s *middleware.Stack) error {
		return s.Finalize.Insert(note, "Retry", middleware.After)
	})
}

func (a *attempts) failed(op string, err error) error {
	kind, code := classify(err)
	switch {
	case kind == store.KindExists: // says that ours is not stored, whatever came before
	case slices.Contains(*a, store.KindUnknown):
		kind = store.KindUnknown
	case code == "" && len(*a) > 0: // gave up while it waited to send again
		kind = (*a)[len(*a)-1]
	}
	return &store.Error{Op: op, Kind: kind, Code: code}
}

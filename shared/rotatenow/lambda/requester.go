package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/keyturn/keyturn/shared/rotatenow"
	"github.com/keyturn/keyturn/shared/rotation"
)

// Requester asks rotatenow for emergency rotations. It is safe for concurrent use.
type Requester struct {
	client   Client
	function string
	by       string
}

// NewRequester returns a Requester that asks the function with this ARN, which is that
// of its alias for emergencies, in the name of by.
func NewRequester(client Client, function, by string) *Requester {
	return &Requester{client, function, by}
}

// Request asks for an emergency rotation of secret, for a reason of at most 500
// characters, and returns the ID of the version that it makes. refused says why none
// began. After an error one may have begun: the request is sent again only after an
// answer that says that nothing ran.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
func (r *Requester) Request(ctx context.Context, secret, reason string) (version, refused string, err error) {
	payload, err := json.Marshal(rotatenow.Request{Version: rotatenow.Version, Mode: rotatenow.Emergency, Secret: secret, Reason: reason, Requester: r.by}) //nolint:gosec // Secret is its name
	if err != nil {
		return "", "", fmt.Errorf("encode the request: %w", err)
	}
	out, err := r.client.Invoke(ctx, &lambda.InvokeInput{FunctionName: &r.function, Payload: payload}, func(o *lambda.Options) {
		o.Retryer = retry.NewStandard(func(s *retry.StandardOptions) {
			s.Retryables = []retry.IsErrorRetryable{retry.RetryableErrorCode{Codes: map[string]struct{}{throttled: {}}}}
		})
	})
	if err != nil {
		if code := refusal(err); code != "" {
			return "", "Lambda refused the request: " + code, nil
		}
		return "", "", errors.New("rotatenow did not answer") // AWS's text may repeat the payload
	}
	if aws.ToString(out.FunctionError) != "" {
		return ended(out.Payload)
	}
	var a rotatenow.Answer
	if json.Unmarshal(out.Payload, &a) != nil || a.Token == "" {
		return "", "", errors.New("rotatenow's answer is not what this version understands")
	}
	return a.Token, "", nil
}

const throttled = "TooManyRequestsException"

// refusal returns Lambda's code, if it ran nothing.
func refusal(err error) string {
	answer, ok := errors.AsType[*smithyhttp.ResponseError](err)
	api, isAPI := errors.AsType[smithy.APIError](err)
	if !ok || !isAPI || answer.HTTPStatusCode() >= http.StatusInternalServerError {
		return ""
	}
	return api.ErrorCode()
}

// ended tells a function that refused from one that may have begun a rotation: it
// was cut short, or Secrets Manager gave no usable answer.
func ended(payload []byte) (version, refused string, err error) {
	var e struct{ ErrorType, ErrorMessage string }
	unclear := []string{"", "Timeout", string(rotation.StoreUnavailable)}
	if json.Unmarshal(payload, &e) != nil || slices.Contains(unclear, e.ErrorType) || strings.HasPrefix(e.ErrorType, "Sandbox.") || strings.HasPrefix(e.ErrorType, "Runtime.") {
		return "", "", fmt.Errorf("rotatenow failed: %q", e.ErrorType)
	}
	text := []rune(e.ErrorType + ": " + e.ErrorMessage)
	return "", string(text[:min(len(text), 300)]), nil
}

package own

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Error is a refusal of a service for which there is no SDK here.
type Error struct{ Action, Code string }

// Error says the action and AWS's code.
func (e *Error) Error() string { return e.Action + ": " + e.Code }

// Query calls an action of a service with AWS's Query protocol (IAM,
// CloudFormation), and reads the answer into out, or drops it for nil. Errors of
// AWS are an [*Error]. IAM is one for all Regions, in the partition aws.
func Query(ctx context.Context, cfg aws.Config, service, version, action string, in url.Values, out any) error {
	form := url.Values{"Action": {action}, "Version": {version}}
	maps.Copy(form, in)
	body, status, err := send(ctx, cfg, service, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, []byte(form.Encode()))
	if err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	if status/100 != 2 {
		var refused struct {
			Code string `xml:"Error>Code"`
		}
		_ = xml.Unmarshal(body, &refused)
		return &Error{action, cmpOr(refused.Code, status)}
	}
	if out == nil {
		return nil
	}
	return xml.Unmarshal(body, out)
}

// JSON calls an action of a service with AWS's JSON protocol (KMS, CloudWatch
// Logs, EventBridge); target is "TrentService.ListAliases".
func JSON(ctx context.Context, cfg aws.Config, service, target string, in, out any) error {
	b, err := json.Marshal(in)
	if err != nil {
		return err
	}
	body, status, err := send(ctx, cfg, service, http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {target}}, b)
	if err != nil {
		return fmt.Errorf("%s: %w", target, err)
	}
	if status/100 != 2 {
		var refused struct {
			Type string `json:"__type"`
		}
		_ = json.Unmarshal(body, &refused)
		return &Error{target, cmpOr(refused.Type[strings.LastIndex(refused.Type, "#")+1:], status)}
	}
	if out == nil || len(body) == 0 {
		return nil
	}
	return json.Unmarshal(body, out)
}

func cmpOr(code string, status int) string {
	if code != "" {
		return code
	}
	return fmt.Sprintf("status %d", status)
}

const maxAnswer = 8 << 20

func send(ctx context.Context, cfg aws.Config, service string, header http.Header, body []byte) ([]byte, int, error) {
	region, host := cfg.Region, service+"."+cfg.Region+".amazonaws.com"
	if service == "iam" {
		region, host = "us-east-1", "iam.amazonaws.com"
	}
	base := "https://" + host
	if cfg.BaseEndpoint != nil {
		base = *cfg.BaseEndpoint
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/", bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	r.Header = header
	who, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return nil, 0, err
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, who, r, hex.EncodeToString(sum[:]), service, region, time.Now()); err != nil {
		return nil, 0, err
	}
	client := cfg.HTTPClient
	if client == nil {
		client = http.DefaultClient
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	return text, answer.StatusCode, err
}

package audit

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/google/uuid"

	"github.com/keyturn/keyturn/shared/boot"
	"github.com/keyturn/keyturn/shared/cell"
	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/response"
	requester "github.com/keyturn/keyturn/shared/rotatenow/lambda"
)

// responder returns what starts emergency rotations; nil if the site has none. Without
// the function's ARN, which only a deployment with a response has, nothing could be sent.
func responder(e *boot.Env, site *detect.Site, state cell.Store) func(context.Context, detect.Finding) (string, error) {
	arn := e.Value(boot.RotateNowARN)
	if site.Respond == nil || arn == "" && !site.Respond.Off {
		return nil
	}
	r := &response.Responder{
		Cells: state, Requester: requester.NewRequester(lambda.NewFromConfig(e.AWS), arn, e.Value(boot.AuditRoleARN)), Rules: *site.Respond,
		Now: e.Clock.Now, NewID: uuid.NewString, Log: e.Log,
	}
	return r.Respond
}

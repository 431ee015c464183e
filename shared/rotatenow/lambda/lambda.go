// Package lambda asks functions: the rotate function for a plan, or to give up an
// unfinished rotation, and rotatenow for an emergency rotation.
package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/keyturn/keyturn/shared/rotation"
)

// Client is what a Planner needs of the SDK's client.
type Client interface {
	Invoke(context.Context, *lambda.InvokeInput, ...func(*lambda.Options)) (*lambda.InvokeOutput, error)
}

// Planner asks rotate functions. It is safe for concurrent use.
type Planner struct{ client Client }

// New returns a Planner on client.
func New(client Client) *Planner { return &Planner{client} }

// Plan asks the function with this ARN what a rotation of secret would do.
func (p *Planner) Plan(ctx context.Context, function, secret string) (rotation.Plan, error) {
	var plan rotation.Plan
	err := p.ask(ctx, function, map[string]any{"version": 1, "mode": rotation.ModePlan, "secret": secret}, &plan)
	return plan, err
}

// Free asks the function with this ARN to give up an unfinished rotation of
// secret for the one with token. Where it says why not, the error is a
// *[rotation.Error].
func (p *Planner) Free(ctx context.Context, function, secret, token string) (rotation.Freed, error) {
	var freed rotation.Freed
	err := p.ask(ctx, function, map[string]any{"version": 1, "mode": rotation.ModeFree, "secret": secret, "token": token}, &freed)
	return freed, err
}

// ask invokes a function and decodes its answer.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
func (p *Planner) ask(ctx context.Context, function string, request map[string]any, answer any) error {
	payload, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("encode the request: %w", err)
	}
	out, err := p.client.Invoke(ctx, &lambda.InvokeInput{FunctionName: &function, Payload: payload})
	if err != nil {
		return errors.New("the rotate function could not be invoked") // AWS's text may repeat the payload
	}
	if aws.ToString(out.FunctionError) != "" {
		var e struct{ ErrorType, ErrorMessage string }
		if json.Unmarshal(out.Payload, &e) != nil {
			return errors.New("the rotate function failed, and did not say why")
		}
		return &rotation.Error{Type: rotation.Type(e.ErrorType), What: e.ErrorType + ": " + e.ErrorMessage}
	}
	if err = json.Unmarshal(out.Payload, answer); err != nil {
		return errors.New("the rotate function's answer is not what was asked for")
	}
	return nil
}

// The probes' Lambda function: see [probe.Handle].
package main

import (
	"context"
	"encoding/json"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/keyturn/keyturn/test/aws/probe"
)

func main() {
	lambda.Start(func(ctx context.Context, payload json.RawMessage) error {
		cfg, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return err
		}
		return probe.Handle(ctx, cfg, payload)
	})
}

package cdk

import (
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"github.com/keyturn/keyturn/shared/iam"
)

// Short forms of the values that CloudFormation's resources are given.

func text(format string, args ...any) *string { return jsii.String(fmt.Sprintf(format, args...)) }

func number[N int | int64 | float64](n N) *float64 { return jsii.Number(float64(n)) }

// or returns what p points to, or d.
func or[T any](p *T, d T) T {
	if p == nil {
		return d
	}
	return *p
}

// orIf returns v, or d if v is nil.
func orIf[T comparable](v, d T) T {
	var none T
	if v == none {
		return d
	}
	return v
}

// need panics as the CDK does, if a property is missing.
func need(of, property string, missing bool) {
	if missing {
		panic(fmt.Sprintf("%s.%s is required", of, property))
	}
}

// plain returns a policy as the CDK takes it.
func plain(d iam.Document) map[string]any {
	m, err := d.Map()
	if err != nil {
		panic(err)
	}
	return m
}

// tags returns tags for a resource, sorted.
func tags(all map[string]string) *[]*awscdk.CfnTag {
	out := make([]*awscdk.CfnTag, 0, len(all))
	for _, k := range slices.Sorted(maps.Keys(all)) {
		if all[k] != "" {
			out = append(out, &awscdk.CfnTag{Key: jsii.String(k), Value: jsii.String(all[k])})
		}
	}
	return &out
}

package probe

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

func secretProbes() []Probe {
	return []Probe{
		{
			Name: "validation", Claims: []string{"Lengths, ranges and enumerations of the service's model"},
			Assumed: Outcome{
				"description": "ValidationException", "filter": "ValidationException", "page": "ValidationException", "token": "ValidationException",
			},
			Run: validation,
		},
		{
			Name: "token-length", Claims: []string{"A token has 32 to 64 characters"},
			Assumed: Outcome{"31": "InvalidParameterException", "32": "ok", "64": "ok", "65": "InvalidParameterException"}, Run: tokenLength,
		},
		{
			Name: "value-size", Claims: []string{"A value has 1 to 65,536 bytes"},
			Assumed: Outcome{"65536": "ok", "65537": "ValidationException", "none": "ValidationException"}, Run: valueSize,
		},
		{
			Name: "put-by-hand-and-pending", Claims: []string{"A new current version, put by hand, takes AWSPENDING off"},
			Assumed: Outcome{"pending": false, "version": "without labels"}, Run: putByHand,
		},
		{
			Name: "labels-of-all-versions", Claims: []string{"20 labels per secret"},
			Assumed: Outcome{"first": "ok", "second": "LimitExceededException"}, Run: labelLimit,
		},
		{
			Name: "forced-deletion", Claims: []string{"A forced deletion is done at once"},
			Assumed: Outcome{"again": "ok"}, Run: forcedDeletion,
		},
		{
			Name: "order-of-lists", Claims: []string{"ListSecrets is ordered by creation"},
			Assumed: Outcome{"order": "[1 2 3]"}, Run: listOrder,
		},
		{
			Name: "space-in-passwords", Claims: []string{"A space is let in by IncludeSpace"},
			Assumed: Outcome{"alone": "ok", "with a required digit": "ok: a digit", "with room": "a space"}, Run: passwordSpace,
		},
	}
}

// answers runs calls, and keeps the code of each.
func answers(calls map[string]func() error) (Outcome, error) {
	out := Outcome{}
	for name, call := range calls {
		c, err := code(call())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[name] = c
	}
	return out, nil
}

func validation(ctx context.Context, w *World) (Outcome, error) {
	s := w.scene("validation")
	return answers(map[string]func() error{
		"description": func() error { _, err := s.secret(ctx, "v", strings.Repeat("d", 2049)); return err },
		"page": func() error {
			_, err := s.sm.ListSecrets(ctx, &sm.ListSecretsInput{MaxResults: aws.Int32(101)})
			return err
		},
		"filter": func() error {
			_, err := s.sm.ListSecrets(ctx, &sm.ListSecretsInput{Filters: []types.Filter{{Key: "size", Values: []string{"red"}}}})
			return err
		},
		"token": func() error {
			_, err := s.sm.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: aws.String(s.name()), VersionId: aws.String("short")})
			return err
		},
	})
}

func tokenLength(ctx context.Context, w *World) (Outcome, error) {
	s := w.scene("token-length")
	arn, err := s.secret(ctx, "v", "")
	if err != nil {
		return nil, err
	}
	calls := map[string]func() error{}
	for _, n := range []int{31, 32, 64, 65} {
		calls[strconv.Itoa(n)] = func() error {
			_, err := s.sm.PutSecretValue(ctx, &sm.PutSecretValueInput{
				SecretId: &arn, SecretString: aws.String("v"), ClientRequestToken: aws.String(strings.Repeat("t", n)),
			})
			return err
		}
	}
	return answers(calls)
}

func valueSize(ctx context.Context, w *World) (Outcome, error) {
	s := w.scene("value-size")
	arn, err := s.secret(ctx, "v", "")
	if err != nil {
		return nil, err
	}
	put := func(in sm.PutSecretValueInput) func() error {
		return func() error { in.SecretId = &arn; _, err := s.sm.PutSecretValue(ctx, &in); return err }
	}
	return answers(map[string]func() error{
		"none":  put(sm.PutSecretValueInput{SecretString: aws.String("")}),
		"65536": put(sm.PutSecretValueInput{SecretString: aws.String(strings.Repeat("v", 65536))}),
		"65537": put(sm.PutSecretValueInput{SecretString: aws.String(strings.Repeat("v", 65537))}),
	})
}

// putByHand has AWSPENDING on a version that was never current.
func putByHand(ctx context.Context, w *World) (Outcome, error) {
	s := w.scene("put-by-hand")
	arn, err := s.secret(ctx, "one", "")
	if err != nil {
		return nil, err
	}
	pending, err := s.put(ctx, arn, "two", "AWSPENDING")
	if err != nil {
		return nil, err
	}
	if _, err := s.put(ctx, arn, "three"); err != nil {
		return nil, err
	}
	labels, err := s.labels(ctx, arn, pending)
	state := "without labels"
	if len(labels) > 0 {
		state = "with labels"
	}
	return Outcome{"pending": contains(labels, "AWSPENDING"), "version": state}, err
}

// labelLimit spreads 19 labels, AWSCURRENT and AWSPREVIOUS over two versions.
func labelLimit(ctx context.Context, w *World) (Outcome, error) {
	s := w.scene("labels")
	arn, err := s.secret(ctx, "one", "")
	if err != nil {
		return nil, err
	}
	labels := func(from, to int) (all []string) {
		for i := from; i < to; i++ {
			all = append(all, fmt.Sprintf("label-%d", i))
		}
		return all
	}
	out := Outcome{}
	_, err = s.put(ctx, arn, "two", labels(0, 15)...)
	if out["first"], err = code(err); err != nil {
		return nil, err
	}
	_, err = s.put(ctx, arn, "three", labels(15, 25)...)
	out["second"], err = code(err)
	return out, err
}

// forcedDeletion asks whether the name is free again, which takes AWS seconds.
func forcedDeletion(ctx context.Context, w *World) (Outcome, error) {
	s := w.scene("forced")
	arn, err := s.secret(ctx, "v", "")
	if err != nil {
		return nil, err
	}
	if _, err := s.sm.DeleteSecret(ctx, &sm.DeleteSecretInput{SecretId: &arn, ForceDeleteWithoutRecovery: aws.Bool(true)}); err != nil {
		return nil, err
	}
	var last string
	_, err = s.until(ctx, w.patience(), func() (bool, error) {
		s.n = 0 // the same name
		_, err := s.secret(ctx, "v", "")
		last, err = code(err)
		return last == "ok", err
	})
	return Outcome{"again": last}, err
}

func listOrder(ctx context.Context, w *World) (Outcome, error) {
	s := w.scene("list")
	for range 3 {
		if _, err := s.secret(ctx, "v", ""); err != nil {
			return nil, err
		}
	}
	var order []string
	_, err := s.until(ctx, w.patience(), func() (bool, error) {
		out, err := s.sm.ListSecrets(ctx, &sm.ListSecretsInput{Filters: []types.Filter{{Key: "name", Values: []string{s.base}}}})
		if err != nil {
			return false, err
		}
		order = nil
		for _, e := range out.SecretList {
			order = append(order, strings.TrimPrefix(aws.ToString(e.Name), s.base+"-"))
		}
		return len(order) == 3, nil
	})
	return Outcome{"order": fmt.Sprint(order)}, err
}

func passwordSpace(ctx context.Context, w *World) (Outcome, error) {
	s := w.scene("space")
	password := func(length int64, digits bool) (string, error) {
		out, err := s.sm.GetRandomPassword(ctx, &sm.GetRandomPasswordInput{
			PasswordLength: &length, IncludeSpace: aws.Bool(true), ExcludeNumbers: aws.Bool(!digits), RequireEachIncludedType: aws.Bool(digits),
			ExcludeLowercase: aws.Bool(true), ExcludeUppercase: aws.Bool(true), ExcludePunctuation: aws.Bool(true),
		})
		if err != nil {
			return "", err
		}
		return *out.RandomPassword, nil
	}
	out := Outcome{}
	_, err := password(1, false)
	if out["alone"], err = code(err); err != nil {
		return nil, err
	}
	one, err := password(1, true)
	c, err := code(err)
	if err != nil {
		return nil, err
	}
	switch {
	case c == "ok" && one == " ":
		c = "ok: a space"
	case c == "ok":
		c = "ok: a digit"
	}
	out["with a required digit"] = c
	many, err := password(4, true)
	if err != nil {
		return nil, err
	}
	out["with room"] = "no space"
	if strings.Contains(many, " ") {
		out["with room"] = "a space"
	}
	return out, nil
}

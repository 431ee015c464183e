package secretsmanager

import (
	"context"
	"strings"
)

type passwordInput struct {
	PasswordLength          *int
	ExcludeCharacters       string
	ExcludeNumbers          bool
	ExcludePunctuation      bool
	ExcludeUppercase        bool
	ExcludeLowercase        bool
	IncludeSpace            bool
	RequireEachIncludedType *bool
}

// randomPassword follows
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetRandomPassword.html.
func randomPassword(_ context.Context, s *Service, in *passwordInput) (any, error) {
	length := 32
	if in.PasswordLength != nil {
		length = *in.PasswordLength
	}
	if length < 1 || length > 4096 {
		return nil, fail("ValidationException", "1 validation error detected: Value '%d' at 'passwordLength' failed to satisfy constraint: Member must have value between 1 and 4096", length)
	}
	kinds := in.kinds()
	if len(kinds) == 0 {
		return nil, invalidParameter("Cannot generate a password without any included characters.")
	}
	each := in.RequireEachIncludedType == nil || *in.RequireEachIncludedType
	if each && length < len(kinds) {
		return nil, invalidParameter("Password length %d is too short based on the required types.", length)
	}
	all := strings.Join(kinds, "")
	for {
		password := s.pick(length, all)
		if !each || hasEach(password, kinds) {
			return struct{ RandomPassword string }{password}, nil
		}
	}
}

// kinds returns the alphabets that may be used, without what is excluded.
func (in *passwordInput) kinds() []string {
	var out []string
	for _, k := range []struct {
		use     bool
		letters string
	}{
		{!in.ExcludeLowercase, "abcdefghijklmnopqrstuvwxyz"},
		{!in.ExcludeUppercase, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
		{!in.ExcludeNumbers, "0123456789"},
		{!in.ExcludePunctuation, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"},
		{in.IncludeSpace, " "},
	} {
		left := strings.Map(func(r rune) rune {
			if strings.ContainsRune(in.ExcludeCharacters, r) {
				return -1
			}
			return r
		}, k.letters)
		if k.use && left != "" {
			out = append(out, left)
		}
	}
	return out
}

func hasEach(password string, kinds []string) bool {
	for _, k := range kinds {
		if !strings.ContainsAny(password, k) {
			return false
		}
	}
	return true
}

package secretsmanager

import (
	"context"
	"slices"
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
	each := in.RequireEachIncludedType == nil || *in.RequireEachIncludedType
	kinds, space := in.kinds()
	all := strings.Join(kinds, "") + space
	switch {
	case all == "":
		return nil, invalidParameter("All characters have been excluded from selection")
	case each && slices.Contains(kinds, ""):
		return nil, invalidParameter("All characters of the desired type have been excluded")
	case each && length < len(kinds):
		return nil, invalidParameter("Password length is too short based on the required types")
	}
	if space != "" && length > len(kinds) {
		kinds = append(kinds, space)
	}
	for {
		password := s.pick(length, all)
		if !each || hasEach(password, kinds) {
			return struct{ RandomPassword string }{password}, nil
		}
	}
}

// kinds returns the alphabets that may be used, without the characters that
// are excluded; one of which nothing is left is empty. The space, which may be
// let in and is never demanded, comes by itself.
func (in *passwordInput) kinds() (required []string, space string) {
	for _, k := range []struct {
		use     bool
		letters string
	}{
		{!in.ExcludeLowercase, "abcdefghijklmnopqrstuvwxyz"},
		{!in.ExcludeUppercase, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
		{!in.ExcludeNumbers, "0123456789"},
		{!in.ExcludePunctuation, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"},
	} {
		if !k.use {
			continue
		}
		required = append(required, strings.Map(func(r rune) rune {
			if strings.ContainsRune(in.ExcludeCharacters, r) {
				return -1
			}
			return r
		}, k.letters))
	}
	if in.IncludeSpace && !strings.Contains(in.ExcludeCharacters, " ") {
		space = " "
	}
	return required, space
}

func hasEach(password string, kinds []string) bool {
	for _, k := range kinds {
		if !strings.ContainsAny(password, k) {
			return false
		}
	}
	return true
}

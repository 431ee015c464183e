package lambda

import (
	"context"

	"github.com/keyturn/keyturn/test/cloud/wire"
)

// accountConcurrency is how many invocations may run at once in the account, as
// in an account of some age.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const accountConcurrency = 1000

type accountLimit struct {
	CodeSizeUnzipped, CodeSizeZipped, TotalCodeSize int64

	ConcurrentExecutions, UnreservedConcurrentExecutions int
}

type accountUsage struct {
	FunctionCount int
	TotalCodeSize int64
}

type accountSettings struct {
	AccountLimit accountLimit
	AccountUsage accountUsage
}

func (s *Service) getAccountSettings(context.Context, *wire.Call, *struct{}) (*accountSettings, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	most := s.options.AccountConcurrency
	out := &accountSettings{
		AccountLimit: accountLimit{
			CodeSizeUnzipped: maxUnpacked, CodeSizeZipped: 50 << 20, TotalCodeSize: 75 << 30,
			ConcurrentExecutions: most, UnreservedConcurrentExecutions: most,
		},
		AccountUsage: accountUsage{FunctionCount: len(s.functions)},
	}
	for _, f := range s.functions {
		out.AccountUsage.TotalCodeSize += int64(len(f.code))
		out.AccountLimit.UnreservedConcurrentExecutions -= f.ReservedConcurrency
	}
	return out, nil
}

type functionConcurrency struct {
	ReservedConcurrentExecutions *int `json:",omitempty"` // nil: none is reserved
}

func (s *Service) getFunctionConcurrency(_ context.Context, c *wire.Call, _ *struct{}) (*functionConcurrency, error) {
	f, _, err := s.resolve(routeOf(c.HTTP).function, "")
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.ReservedConcurrency == 0 {
		return &functionConcurrency{}, nil
	}
	return &functionConcurrency{new(f.ReservedConcurrency)}, nil
}

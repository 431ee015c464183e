package dynamodb

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/keyturn/keyturn/test/cloud/dynamodb/attr"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// reason says what became of one element of a canceled transaction.
type reason struct {
	Code    string
	Message string    `json:",omitempty"`
	Item    attr.Item `json:",omitempty"`
}

// transaction is what a ClientRequestToken stands for.
type transaction struct {
	at  time.Time
	sum [sha256.Size]byte
}

// idempotent is how long a token is remembered.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
const idempotent = 10 * time.Minute

type transactItem struct {
	Put            *write
	Update         *write
	Delete         *write
	ConditionCheck *write
}

func (i transactItem) write() (kind string, w *write, err error) {
	n := 0
	for k, one := range map[string]*write{kindPut: i.Put, kindUpdate: i.Update, kindDelete: i.Delete, kindCheck: i.ConditionCheck} {
		if one != nil {
			kind, w = k, one
			n++
		}
	}
	if n != 1 {
		return "", nil, validation("TransactItems can only contain one of Check, Put, Update or Delete")
	}
	return kind, w, nil
}

type transactWriteItemsInput struct {
	ClientRequestToken string
	TransactItems      []json.RawMessage
}

type transactWriteItemsOutput struct{}

func (s *Service) transactWriteItems(now instant, in *transactWriteItemsInput) (*transactWriteItemsOutput, error) {
	if n := len(in.TransactItems); n == 0 || n > 100 {
		return nil, validation("1 validation error detected: Value at 'transactItems' failed to satisfy constraint: Member must have length between 1 and 100")
	}
	again, err := s.remembered(now, in)
	if again || err != nil {
		return &transactWriteItemsOutput{}, err
	}
	var plans []plan
	reasons := make([]reason, len(in.TransactItems))
	canceled := false
	seen := map[string]bool{}
	for i, raw := range in.TransactItems {
		var item transactItem
		if err := json.Unmarshal(raw, &item); err != nil {
			return nil, validation(err.Error())
		}
		kind, w, err := item.write()
		if err != nil {
			return nil, err
		}
		reasons[i].Code = "None"
		p, err := s.prepare(now, kind, w)
		if failed, ok := errors.AsType[*detailedError](err); ok {
			reasons[i] = reason{"ConditionalCheckFailed", failed.err.Message, failed.item}
			canceled = true
			continue
		}
		if err != nil {
			return nil, err
		}
		id := p.table.name + "/" + p.table.id(p.key)
		if seen[id] {
			return nil, validation("Transaction request cannot include multiple operations on one item")
		}
		seen[id] = true
		plans = append(plans, p)
	}
	if canceled {
		return nil, cancel(reasons)
	}
	for _, p := range plans {
		p.apply(now)
	}
	if in.ClientRequestToken != "" {
		s.transactions[in.ClientRequestToken] = transaction{now.Time, in.sum()}
	}
	return &transactWriteItemsOutput{}, nil
}

func cancel(reasons []reason) error {
	codes := make([]string, len(reasons))
	for i, r := range reasons {
		codes[i] = r.Code
	}
	return &detailedError{err: &wire.Error{
		Code:    "TransactionCanceledException",
		Message: "Transaction cancelled, please refer cancellation reasons for specific reasons [" + strings.Join(codes, ", ") + "]", //nolint:misspell // AWS spells it so
	}, reasons: reasons}
}

// sum stands for the request whatever the order of its members, which in Go's
// SDK is random.
func (in *transactWriteItemsInput) sum() [sha256.Size]byte {
	members := make([]any, len(in.TransactItems))
	for i, raw := range in.TransactItems {
		_ = json.Unmarshal(raw, &members[i]) // it was JSON before
	}
	b, _ := json.Marshal(members) //nolint:errchkjson // as above
	return sha256.Sum256(b)
}

// remembered reports whether the token's transaction was done already.
func (s *Service) remembered(now instant, in *transactWriteItemsInput) (bool, error) {
	before, ok := s.transactions[in.ClientRequestToken]
	if !ok || now.Sub(before.at) > idempotent {
		return false, nil
	}
	if before.sum != in.sum() {
		return false, &wire.Error{Code: "IdempotentParameterMismatchException", Message: "Idempotent parameter mismatch"}
	}
	return true, nil
}

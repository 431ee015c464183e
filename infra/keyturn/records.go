package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/keyturn/keyturn/shared/awserror"
	"github.com/keyturn/keyturn/shared/keyrecord"
	records "github.com/keyturn/keyturn/shared/keyrecord/dynamodb"
)

// recordsReader reads the keys' records, with errors short enough for a person.
type recordsReader struct{ table *records.Table }

// Load returns everything recorded about a secret.
func (r recordsReader) Load(ctx context.Context, secret string) (keyrecord.Book, error) {
	b, err := r.table.Load(ctx, secret)
	if api, ok := errors.AsType[*awserror.Error](err); ok && api.Code != "" {
		return b, fmt.Errorf("read the keys' records: %s (--table, KEYTURN_TABLE)", api.Code)
	}
	if err != nil {
		return b, errors.New("read the keys' records: no usable answer")
	}
	return b, nil
}

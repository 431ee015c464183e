package awserror_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/smithy-go"

	"github.com/keyturn/keyturn/shared/awserror"
)

func TestSafe(t *testing.T) {
	t.Parallel()
	const marked = "echoed-by-aws"
	for _, tt := range []struct {
		name string
		err  error
		want string
		is   error
	}{
		{"an answer", fmt.Errorf("op: %w", &smithy.GenericAPIError{Code: "ValidationException", Message: marked}), "PutItem: ValidationException", nil},
		{"no answer", errors.New("dial " + marked), "PutItem: no answer", nil},
		{"time is up", fmt.Errorf("%s: %w", marked, context.DeadlineExceeded), "PutItem: context deadline exceeded", context.DeadlineExceeded},
	} {
		err := awserror.Safe("PutItem", tt.err)
		if err.Error() != tt.want || strings.Contains(fmt.Sprintf("%+v %#v", err, err), marked) {
			t.Errorf("%s: %#v, want %q", tt.name, err, tt.want)
		}
		if tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("%s: not %v", tt.name, tt.is)
		}
	}
	if err := awserror.Safe("PutItem", nil); err != nil {
		t.Errorf("Safe(nil) = %v", err)
	}
}

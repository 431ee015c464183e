package audit

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func TestLockOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		mode types.ObjectLockMode
		long time.Duration
		bad  bool
	}{
		{text: ""},
		{text: "GOVERNANCE 9600h0m0s", mode: types.ObjectLockModeGovernance, long: 9600 * time.Hour},
		{text: "COMPLIANCE 24h", mode: types.ObjectLockModeCompliance, long: 24 * time.Hour},
		{text: "GOVERNANCE", bad: true},
		{text: "GOVERNANCE 0s", bad: true},
		{text: "GOVERNANCE -1h", bad: true},
		{text: "governance 24h", bad: true},
		{text: "24h", bad: true},
	} {
		got, err := lockOf(tt.text, time.Now)
		if (err != nil) != tt.bad || got.Mode != tt.mode || got.For != tt.long || (got.Mode != "") != (got.Now != nil) {
			t.Errorf("%q: %+v, %v", tt.text, got, err)
		}
	}
}

func TestKeyIDs(t *testing.T) {
	t.Parallel()
	if got := keyIDs("a,b,c"); !slices.Equal(got, []string{"a", "b", "c"}) || len(keyIDs("")) != 0 {
		t.Errorf("%q", got)
	}
}

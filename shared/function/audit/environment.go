package audit

import (
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/keyturn/keyturn/shared/boot"
	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/detect/country"
	"github.com/keyturn/keyturn/shared/detect/mmdb"
	objects "github.com/keyturn/keyturn/shared/ledger/s3"
)

// lockOf reads how what stays in the ledger is locked: a mode and a duration.
// Nothing is what the bucket says.
func lockOf(text string, now func() time.Time) (objects.Lock, error) {
	if text == "" {
		return objects.Lock{}, nil
	}
	mode, length, _ := strings.Cut(text, " ")
	d, err := time.ParseDuration(length)
	m := types.ObjectLockMode(mode)
	if err != nil || d <= 0 || m != types.ObjectLockModeGovernance && m != types.ObjectLockModeCompliance {
		return objects.Lock{}, &boot.Error{Problems: []string{string(boot.LedgerLock) + " is no lock: write such as GOVERNANCE 9600h, or leave it out"}}
	}
	return objects.Lock{Mode: m, For: d, Now: now}, nil
}

// locator says where addresses are, as far as somebody's database knows.
func locator(e *boot.Env) (detect.Locator, error) {
	if e.Value(boot.Countries) == "" {
		return country.Embedded{}, nil
	}
	data, err := e.ReadFile(boot.Countries)
	if err != nil {
		return nil, err
	}
	db, err := mmdb.Open(data)
	if err != nil {
		return nil, problem("the file that "+string(boot.Countries)+" names cannot be used", err, "deploy again with another, or without detect.countries")
	}
	return db, nil
}

// keyIDs are the ids of our KMS keys, which the site's file cannot know.
func keyIDs(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

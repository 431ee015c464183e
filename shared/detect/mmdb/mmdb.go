// Package mmdb says in which country an address is, from a database of the operator's
// own in MaxMind's format: GeoLite2, DB-IP Lite, IPinfo Lite or IP2Location's.
//
// https://maxmind.github.io/MaxMind-DB/
package mmdb

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"
)

// Database is a detect.Locator. It is safe for concurrent use.
type Database struct {
	db *maxminddb.Reader
}

// Open reads a database from its bytes, which may not change as long as it is used.
func Open(data []byte) (*Database, error) {
	db, err := maxminddb.OpenBytes(data)
	if err != nil {
		return nil, fmt.Errorf("read the database of countries: %w", err)
	}
	if db.Metadata.BuildEpoch == 0 {
		return nil, errors.New("read the database of countries: it does not say of when it is")
	}
	return &Database{db}, nil
}

// Country returns the country's code, or "" for unknown addresses.
func (d *Database) Country(a netip.Addr) string {
	r := d.db.Lookup(a)
	if !r.Found() {
		return ""
	}
	// IPinfo has the code itself where the others have a record.
	for _, path := range [][]any{{"country", "iso_code"}, {"country_code"}, {"country"}} {
		var code string
		if err := r.DecodePath(&code, path...); err == nil && len(code) == 2 {
			return code
		}
	}
	return ""
}

// Dataset returns the name of the data and the day that it is of.
func (d *Database) Dataset() string {
	return d.db.Metadata.DatabaseType + " of " + d.db.Metadata.BuildTime().UTC().Format(time.DateOnly)
}

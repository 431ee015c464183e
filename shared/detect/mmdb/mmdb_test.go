package mmdb_test

import (
	"net/netip"
	"testing"

	"github.com/keyturn/keyturn/shared/detect/mmdb"
)

// field writes a control byte of MaxMind's format, for sizes below 29.
func field(kind, size byte) []byte {
	if kind > 7 {
		return []byte{size, kind - 7}
	}
	return []byte{kind<<5 | size}
}

func text(s string) []byte { return append(field(2, byte(len(s))), s...) }

func number(kind byte, n uint64) []byte {
	var b []byte
	for ; n > 0; n >>= 8 {
		b = append([]byte{byte(n)}, b...)
	}
	return append(field(kind, byte(len(b))), b...)
}

func object(parts ...[]byte) []byte {
	out := field(7, byte(len(parts)/2))
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// database is synthetic: addresses of IPv4 whose first bit is 0 have the one record, the
// others the other.
func database(built uint64, zero, one []byte) []byte {
	const nodes = 1
	at := func(offset int) []byte { n := nodes + 16 + offset; return []byte{byte(n >> 16), byte(n >> 8), byte(n)} }
	out := append(at(0), at(len(zero))...)
	out = append(out, make([]byte, 16)...)
	out = append(append(out, zero...), one...)
	out = append(out, "\xab\xcd\xefMaxMind.com"...)
	return append(out, object(
		text("binary_format_major_version"), number(5, 2), text("binary_format_minor_version"), number(5, 0),
		text("build_epoch"), number(9, built), text("database_type"), text("Test-Country"),
		text("description"), object(), text("ip_version"), number(5, 4), text("languages"), field(11, 0),
		text("node_count"), number(6, nodes), text("record_size"), number(5, 24),
	)...)
}

func TestDatabase(t *testing.T) {
	t.Parallel()
	const built = 1_790_000_000 // 2026-09-21
	record := object(text("country"), object(text("iso_code"), text("NL")))
	d, err := mmdb.Open(database(built, record, object(text("country"), text("BR"))))
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{"10.1.2.3": "NL", "203.0.113.7": "BR", "2001:db8::1": ""} {
		if got := d.Country(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s is in %q, want %q", address, got, want)
		}
	}
	if got := d.Dataset(); got != "Test-Country of 2026-09-21" {
		t.Errorf("the data is %q", got)
	}
	nothing, err := mmdb.Open(database(built, object(text("asn"), text("AS1")), object()))
	if err != nil || nothing.Country(netip.MustParseAddr("10.1.2.3")) != "" {
		t.Errorf("%v; a record without a country has one", err)
	}
}

func TestOpen_bad(t *testing.T) {
	t.Parallel()
	good := database(1, object(), object())
	for name, data := range map[string][]byte{"nothing": nil, "text": []byte("countries"), "half": good[:len(good)/2], "of no day": database(0, object(), object())} {
		if _, err := mmdb.Open(data); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

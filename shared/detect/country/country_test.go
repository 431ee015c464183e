package country

import (
	"net/netip"
	"regexp"
	"testing"
)

func TestEmbedded(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{"8.8.8.8": "US", "10.1.2.3": "", "127.0.0.1": "", "::1": "", "2001:4860:4860::8888": "US"} {
		if got := (Embedded{}).Country(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s is in %q, want %q", address, got, want)
		}
	}
	if got := (Embedded{}).Dataset(); !regexp.MustCompile(`^IP2Location LITE of \d{4}-\d\d-\d\d$`).MatchString(got) {
		t.Errorf("the data is %q, which says no day", got)
	}
}

package providertest

import "testing"

// Where keys sign, a value that does not fit must not look rejected.
func TestNoKeys_signs(t *testing.T) {
	t.Parallel()
	s := sendgridSubject()
	for _, s.Signs = range []bool{false, true} {
		c, _ := checkCalled(s, "values that are no keys")
		if found := c.run(t, s); (len(found) > 0) != s.Signs {
			t.Errorf("a package whose refusals are rejections, which signs: %v; found %v", s.Signs, found)
		}
	}
}

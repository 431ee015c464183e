package payload

import (
	"fmt"
	"slices"
	"strings"

	"github.com/keyturn/keyturn/shared/secret"
)

// join returns the key whose parts are in the fields of these names. Nothing
// but the last part may contain the ":" that joins them: the key would be read
// as another one.
func join(ms []member, names []string) (secret.Value, error) {
	parts := make([]string, len(names))
	for i, name := range names {
		v, err := filled(ms, name)
		if err != nil {
			return secret.Value{}, err
		}
		parts[i] = v.Reveal()
		if i < len(names)-1 && strings.Contains(parts[i], ":") {
			return secret.Value{}, problem(name, fmt.Sprintf("the field %q of the value has a colon in it", name), "put this part of the key there and nothing else")
		}
	}
	return secret.New(strings.Join(parts, ":")), nil
}

// split returns the parts of a key, one for each of names.
func split(key secret.Value, names []string) ([]string, error) {
	parts := strings.SplitN(key.Reveal(), ":", len(names))
	if len(parts) < len(names) || slices.Contains(parts, "") {
		return nil, problem("", fmt.Sprintf("the key does not have %d parts", len(names)), "this is a defect of Keyturn or of the vendor's adapter: report it")
	}
	return parts, nil
}

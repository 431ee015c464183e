package rules

import (
	"encoding/json"
	"fmt"
)

// Matches reports whether an event pattern accepts an event, both as JSON. An error
// is a pattern, or an operator, that this package does not know.
func Matches(text string, event []byte) (bool, error) {
	p, err := parse(text)
	if err != nil {
		return false, err
	}
	var e map[string]any
	if err := json.Unmarshal(event, &e); err != nil {
		return false, fmt.Errorf("read the event: %w", err)
	}
	return p.matches(e), nil
}

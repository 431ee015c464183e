package vault

import "encoding/json"

// refusal is what Vault says when it does not do what it was asked.
type refusal struct {
	Errors []string `json:"errors"` // nil: it does not say
	Data   struct {
		Error string `json:"error"`
	} `json:"data"`
}

// read returns the zero refusal for a body that is none.
func read(body []byte) refusal {
	var r refusal
	if json.Unmarshal(body, &r) != nil {
		return refusal{}
	}
	return r
}

package rotation

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"

	"github.com/keyturn/keyturn/shared/secret"
)

// Request is what the rotate function can be asked, by Secrets Manager or by
// the functions and the command of this project.
type Request struct {
	Event          // Mode "": a step
	Mode    Mode   // what a person or another function asks for
	Version int    // of the request's format, 1; 0 for Secrets Manager's own events
	Secret  string // name or ARN, with a Mode

	KeyID     string // adopt: the current key's at the vendor, as the operator says; "": to be found
	Observe   bool   // adopt: say what would be done, and change nothing
	Reason    string // adopt
	Requester string // adopt: as the caller says; Lambda vouches for nobody
}

// Mode is a request that does not come from Secrets Manager.
type Mode string

// The modes.
const (
	ModeInit  Mode = "init"  // make the first key
	ModePlan  Mode = "plan"  // say what a rotation would do
	ModeAdopt Mode = "adopt" // take over the key that the secret holds
	ModeFree  Mode = "free"  // give up an unfinished rotation for the one with Token, which was asked for
)

// ParseRequest decodes a request. Its errors are *[Error] and never repeat what
// was sent, for it may hold a RotationToken.
func ParseRequest(raw []byte) (Request, error) {
	var in struct {
		Step               Step
		SecretID           string `json:"SecretId"`
		ClientRequestToken string
		RotationToken      secret.Value
		Version            int    `json:"version"`
		Mode               Mode   `json:"mode"`
		Secret             string `json:"secret"`
		Token              string `json:"token"`
		KeyID              string `json:"key_id"`
		Observe            bool   `json:"observe"`
		Reason             string `json:"reason"`
		Requester          string `json:"requester"`
	}
	bad := func(what string) (Request, error) {
		return Request{}, &Error{Type: BadEvent, What: what, Next: []string{"invoke this function through RotateSecret, or with the keyturn command"}}
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return bad("the event is not the JSON object that Secrets Manager sends")
	}
	if in.Mode == "" {
		return Request{Event: Event{Step: in.Step, SecretID: in.SecretID, Token: in.ClientRequestToken, RotationToken: in.RotationToken}}, nil
	}
	switch {
	case in.Step != "" || in.SecretID != "":
		return bad("the event is a rotation step and a request at once")
	case in.Version != 1:
		return bad("the request's version is not 1")
	case !slices.Contains([]Mode{ModeInit, ModePlan, ModeAdopt, ModeFree}, in.Mode):
		return bad("the request's mode is not \"init\", \"plan\", \"adopt\" or \"free\"")
	case in.Secret == "":
		return bad("the request names no secret")
	case !plain(in.KeyID) || !plain(in.Reason) || !plain(in.Requester):
		return bad("key_id, reason or requester is over 500 characters, or has control characters in it")
	}
	return Request{
		Mode: in.Mode, Version: in.Version, Secret: in.Secret, Event: Event{Token: in.Token},
		KeyID: in.KeyID, Observe: in.Observe, Reason: in.Reason, Requester: in.Requester,
	}, nil
}

func plain(s string) bool {
	const most = 500
	return len([]rune(s)) <= most && !strings.ContainsFunc(s, unicode.IsControl)
}

package rotation

import (
	"encoding/json"

	"github.com/keyturn/keyturn/shared/secret"
)

// Request is what the rotate function can be asked, by Secrets Manager or by
// the functions and the command of this project.
type Request struct {
	Event          // Mode "": a step
	Mode    Mode   // what a person or another function asks for
	Version int    // of the request's format, 1; 0 for Secrets Manager's own events
	Secret  string // name or ARN, with a Mode
}

// Mode is a request that does not come from Secrets Manager.
type Mode string

// The modes.
const (
	ModeInit Mode = "init" // make the first key
	ModePlan Mode = "plan" // say what a rotation would do
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
	case in.Mode != ModeInit && in.Mode != ModePlan:
		return bad("the request's mode is not \"init\" or \"plan\"")
	case in.Secret == "":
		return bad("the request names no secret")
	}
	return Request{Mode: in.Mode, Version: in.Version, Secret: in.Secret, Event: Event{Token: in.Token}}, nil
}

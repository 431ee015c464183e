package trail

import "strings"

// Outcome is how a call ended.
type Outcome int

// Succeeded is the zero value.
const (
	Succeeded Outcome = iota
	Denied
	NotFound
	// Throttled is AWS's limit on calls, no sign of an attack.
	Throttled
	// Failed is every other error.
	Failed
)

// Outcome sorts the error's code. A failed rotation is a failure although its
// record has a message and no code.
func (e Event) Outcome() Outcome {
	switch c := e.ErrorCode; {
	case c == "":
		if strings.HasSuffix(e.Name, "RotationFailed") || e.Name == "RotationAbandoned" {
			return Failed
		}
		return Succeeded
	case c == "AccessDenied", c == "AccessDeniedException", c == "VpceAccessDenied", c == "UnauthorizedOperation",
		strings.HasSuffix(c, ".UnauthorizedOperation"), strings.HasSuffix(c, ".AccessDenied"):
		return Denied
	case c == "ResourceNotFoundException", c == "NotFoundException", strings.HasSuffix(c, ".NotFound"):
		return NotFound
	case strings.Contains(c, "Throttl"), strings.HasSuffix(c, "RequestLimitExceeded"), c == "TooManyRequestsException", c == "SlowDown":
		return Throttled
	default:
		return Failed
	}
}

// Refusal is what the message of a denied call says. Empty parts are not in it.
type Refusal struct {
	Action, Resource string
	// Policy is the kind of policy: identity-based, resource-based, service
	// control, resource control, permissions boundary, session, VPC endpoint.
	Policy string
	// Explicit is a statement that denies, not the absence of one that allows.
	Explicit bool
}

// Refusal reads the error's message. ok is false unless the call was denied
// and the message has AWS's usual form.
func (e Event) Refusal() (r Refusal, ok bool) {
	if e.Outcome() != Denied {
		return r, false
	}
	_, rest, ok := strings.Cut(e.ErrorMessage, " is not authorized to perform: ")
	if !ok {
		return r, false
	}
	r.Action, rest, _ = strings.Cut(rest, " ")
	if _, after, found := strings.Cut(rest, "on resource: "); found {
		r.Resource, rest, _ = strings.Cut(after, " ")
		r.Resource = strings.Trim(r.Resource, `."'`)
	}
	r.Explicit = strings.Contains(rest, "explicit deny")
	for _, p := range [...]string{"identity-based", "resource-based", "service control", "resource control", "permissions boundary", "session", "VPC endpoint"} {
		if strings.Contains(rest, p) {
			r.Policy = p
			break
		}
	}
	return r, true
}

package detect

import (
	"math/rand/v2"

	"github.com/keyturn/keyturn/shared/trail"
)

// rare makes one event in four one of those that the rules from D-15 on look at.
func rare(r *rand.Rand, e *trail.Event) {
	if r.IntN(4) > 0 {
		return
	}
	switch r.IntN(9) {
	case 0:
		e.Name, e.ErrorCode = pick(r, "RotationStarted", "RotationSucceeded", "RotationFailed"), ""
		service(e)
	case 1:
		e.Name, e.ErrorCode = trail.TypeLabel, ""
		service(e)
		e.Type = trail.TypeLabel
		set("name", "prod/mail")(e)
		set("labelUpdated", "AWSCURRENT")(e)
		set("versionId", pick(r, "v4", "v5"))(e)
		e.Resources = []byte(`["arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/mail-AbC123"]`)
	case 2:
		e.Name = "CancelRotateSecret"
	case 3:
		e.Source, e.Name = "cloudtrail.amazonaws.com", "StopLogging"
	case 4:
		e.UserAgent = pick(r, "trufflehog", "pacu/1")
	case 5:
		e.Identity = trail.Identity{Type: "AWSAccount", AccountID: "210987654321", PrincipalID: "AROA1:x"}
	case 6:
		e.Type, e.ErrorCode, e.VPCEndpoint = trail.TypeVPCE, "VpceAccessDenied", pick(r, "vpce-1", "vpce-2")
	default:
		e.Name, e.ErrorCode = "GetSecretValue", ""
		set("secretId", "prod/mail")(e)
	}
}

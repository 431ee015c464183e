package captures

import (
	"fmt"

	"github.com/keyturn/keyturn/shared/detect"
)

// stratus says how often each rule finds something in a file, all rules being
// on and every secret watched. Other files trip nothing.
var stratus = map[string]map[string]int{
	// 20 secrets read by name after one ListSecrets, with a long-term key.
	"aws.credential-access.secretsmanager-retrieve-secrets": {"D-08": 1, "D-10": 1, "D-13": 1, "D-25": 1},
	// Trails are everybody's eyes.
	"aws.defense-evasion.cloudtrail-event-selectors": {"D-22": 1},
	"aws.defense-evasion.cloudtrail-stop":            {"D-22": 1},
}

// invictus is the whole capture. The theft is 20 secrets read by name after one
// ListSecrets; 29 denied GetPasswordData and 102 throttled calls are not about
// secrets, and stay silent.
//
// 17 secrets are deleted without recovery, many at once. Two trails are deleted
// and one's events turned off; 4 calls for trails that are no longer there, and
// the selectors that put the events back, are silent. The user agent says Stratus.
var invictus = map[string]int{"D-08": 1, "D-10": 1, "D-13": 1, "D-19": 18, "D-22": 3, "D-25": 1}

// invictusTerraform is what Terraform did alone: it reads the versions that it
// wrote, and destroys what it made.
// The deletions are no false findings: nobody told the rules that they were meant.
var invictusTerraform = map[string]int{"D-08": 1, "D-19": 18, "D-22": 2, "D-25": 1}

// panther says which of our rules has the meaning of Panther's.
var panther = map[string]struct {
	rule   string
	times  int // how often the event comes
	change func(i int, fields map[string]any)
	site   func(*detect.Site)
}{
	"AWS.SecretsManager.RetrieveSecrets":              {rule: "D-02", times: 20},
	"AWS.SecretsManager.BatchRetrieveSecretsCatchAll": {rule: "D-11", times: 1},
	"AWS.SecretsManager.RetrieveSecretsMultiRegion": {rule: "D-12", times: 5, change: func(i int, f map[string]any) {
		f["awsRegion"] = fmt.Sprint("region-", i)
	}},
}

// pantherOthers says what fixtures trip of rules that are not ours; others
// trip nothing.
var pantherOthers = map[string]map[string]int{
	// A KMS key is deleted, and a trail's events are turned off.
	"aws_cloudtrail_event_selectors_disabled.00.positive": {"D-22": 1},
	"aws_kms_cmk_loss.01.positive":                        {"D-22": 1},
	"aws_kms_cmk_loss.03.positive":                        {"D-22": 1},
	// A trail is updated through an endpoint.
	"aws_vpce_sensitive_api_calls.00.positive": {"D-22": 1},
	// Not public, as Panther says, but changed by somebody who deploys nothing: medium.
	"aws_resource_made_public.12.negative": {"D-16": 1},
}

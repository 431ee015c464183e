package captures

import (
	"fmt"

	"github.com/keyturn/keyturn/shared/detect"
)

// stratus says how often each rule finds something in a file, all rules being
// on and every secret watched. Other files trip nothing.
var stratus = map[string]map[string]int{
	// 20 secrets read by name after one ListSecrets, with a long-term key.
	"aws.credential-access.secretsmanager-retrieve-secrets": {"D-08": 1, "D-10": 1, "D-13": 1},
}

// invictus is the whole capture. The theft is 20 secrets read by name after one
// ListSecrets; 29 denied GetPasswordData and 102 throttled calls are not about
// secrets, and stay silent.
var invictus = map[string]int{"D-08": 1, "D-10": 1, "D-13": 1}

// invictusTerraform is what Terraform did alone: it reads the versions that it
// wrote, and destroys what it made.
var invictusTerraform = map[string]int{"D-08": 1}

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
var pantherOthers = map[string]map[string]int{}

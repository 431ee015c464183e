// Package install makes the keys' file of the small installation that
// `make test-aws` deploys.
package install

import (
	"bytes"
	"fmt"
	"text/template"
)

// The names within an installation.
const (
	Account     = "users" // the vendor account
	Environment = "test"
)

// Props say who is who. All are required.
type Props struct {
	Name      string // of the installation, and of the user whose keys rotate
	AccountID string
	Region    string
	Caller    string // ARN of who runs the test: operates, and may end what is protected
	Reader    string // ARN of the role that may read the key
}

// Key is the name of the secret that rotates.
func (p Props) Key() string { return p.Name + "/key" }

// Admin is the name of the secret with the admin credential.
func (p Props) Admin() string { return p.Name + "/admin" }

// User is the IAM user whose keys rotate.
func (p Props) User() string { return p.Name + "-user" }

var file = template.Must(template.New("keyturn.yaml").Parse(`# Made by make test-aws, to be deployed once and removed.
version: 1
name: {{.Name}}
shards: 1
environments:
  ` + Environment + `: {account: "{{.AccountID}}", region: {{.Region}}}
defaults: {owner: test@example.com, schedule: rate(30 days), window: 3h}
vendorAccounts:
  ` + Account + `: {provider: aws-iam, admin: {{.Admin}}}
keys:
  - name: {{.Key}}
    vendorAccount: ` + Account + `
    settings: {userName: {{.User}}}
    readers: ["{{.Reader}}"]
    grace: {min: 1h, quiet: 6h, max: 72h, disabled: 24h}
access:
  operators: ["{{.Caller}}"]
  breakGlass: ["{{.Caller}}"]
  deployers: ["{{.Caller}}"]
functions: {logRetentionDays: 1}
`))

// File is keyturn.yaml.
func (p Props) File() ([]byte, error) {
	var b bytes.Buffer
	if err := file.Execute(&b, p); err != nil {
		return nil, fmt.Errorf("make the keys' file: %w", err)
	}
	return b.Bytes(), nil
}

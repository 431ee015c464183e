package explain

import (
	"strings"

	"github.com/keyturn/keyturn/infra/keyturn/internal/console"
)

// Removed says what is left of a key that is taken out of the keys' file, how
// to end it, and how to come back. It needs no entry in the file.
func Removed(name string) []Section {
	id := quoted(name)
	return []Section{
		{"What is left", []string{
			"It is rotated no more. The key at the vendor works on, and has no end.",
			"Its secret stays, with its last value. Keyturn's rules on who may read it go: then identity policies of the account decide.",
			"Older keys that have not ended yet work on as well, for nobody looks at them any more.",
		}},
		{"How to end it", []string{
			"1. Before: keyturn status " + id + " must show no older key. Wait, or decide about what is held.",
			"2. Take it out of the file, and deploy: make deploy",
			"3. See that nobody reads it any more: aws secretsmanager describe-secret --secret-id " + id + " --query LastAccessedDate",
			"4. Revoke the key at the vendor, by hand. Its id: aws dynamodb query --table-name keyturn --key-condition-expression '#s = :s' --expression-attribute-names '{\"#s\":\"secret\"}' --expression-attribute-values " + attribute(name),
			"5. Delete the secret: aws secretsmanager delete-secret --secret-id " + id + " --recovery-window-in-days 30. For 30 days it can be restored, and its name is taken.",
		}},
		{"How to come back", []string{
			"Write the entry again, with existing: true, and deploy: the secret gets its schedule and its policy back, and keeps its value. Without existing: true the deployment fails, for the secret is there already.",
			"If its value was made by hand meanwhile: keyturn adopt " + id,
		}},
	}
}

// quoted is a name as a shell takes it. Secrets' names have no quotes.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
func quoted(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_+=.@-", r)
	}) {
		return "KEY"
	}
	return name
}

func attribute(name string) string { return `'{":s":{"S":"` + quoted(name) + `"}}'` }

// RemovedText returns the sections for people. Commands are not broken.
func RemovedText(name string, p console.Palette) string {
	var b strings.Builder
	b.WriteString(p.Paint(console.Bold, console.Clean(name)+", once it is removed from the file") + "\n")
	for _, s := range Removed(name) {
		b.WriteString("\n" + p.Paint(console.Bold, s.Title) + "\n")
		for _, line := range s.Lines {
			text, command, found := strings.Cut(line, ": aws ")
			if !found {
				b.WriteString(wrap(line, indent))
				continue
			}
			command, rest, _ := strings.Cut(command, ". ")
			b.WriteString(wrap(text+":", indent) + indent + indent + indent + "aws " + command + "\n")
			if rest != "" {
				b.WriteString(wrap(rest, indent+indent))
			}
		}
	}
	return b.String()
}

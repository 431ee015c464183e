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
		{"If it is renamed", []string{
			"Another name is another secret, which gets a key of its own; this one is removed, as above. Nothing is copied.",
			"So nobody is cut off: 1. Write the new entry beside this one, and deploy. 2. Have everybody read the new name. 3. When nobody reads this one any more, remove its entry, and end it as above.",
			"If both were done in one deployment, this secret is there still, and its key works: its readers have time to move.",
		}},
	}
}

// Moved says what is left of a key whose entry names another vendor account, and
// how to move it so that nobody is cut off. It needs no entry in the file.
func Moved(name string) []Section {
	id := quoted(name)
	return []Section{
		{"What a move means", []string{
			"The secret stays where it is, and a deployment does not touch its value: the key of the old vendor account is in it until the next rotation, and works on.",
			"The next rotation makes a key in the new account and stores that. It is another key, perhaps of another vendor: everything that it opens must be there too.",
			"The key of the old account then works on, and has no end: the functions of an account end its own keys alone. It is shown as held, made in another vendor account.",
		}},
		{"How to move it without an outage", []string{
			"1. Before: keyturn status " + id + " must show no older key, for those would be held too. Wait, or decide about what is held.",
			"2. See that consumers do as well with a key of the new account. If they do not, or the value has other fields there, write a new entry with another name instead: keyturn explain " + id + " --removed",
			"3. Change vendorAccount in its entry, leave the old account in the file, and deploy: keyturn preflight, make deploy",
			"4. Look what the rotation would do, and do it when consumers are watched: keyturn rotate-now " + id + " --plan, then keyturn rotate-now " + id + " --reason \"moved\"",
			"5. If they are cut off: change vendorAccount back and deploy, then keyturn rollback " + id + " --reason \"not accepted\"",
			"6. When nothing uses the old key any more, revoke it at the vendor, by hand; keyturn status " + id + " shows its id.",
			"7. An account without keys: take it out of the file, deploy, and delete its stack: aws cloudformation delete-stack --stack-name keyturn-vendor-OLD",
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
	return sections(console.Clean(name)+", once it is removed from the file", Removed(name), p)
}

// MovedText returns the sections for people. Commands are not broken.
func MovedText(name string, p console.Palette) string {
	return sections(console.Clean(name)+", moved to another vendor account", Moved(name), p)
}

func sections(title string, all []Section, p console.Palette) string {
	var b strings.Builder
	b.WriteString(p.Paint(console.Bold, title) + "\n")
	for _, s := range all {
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

package detect

// root is D-09: the account's root user did something to our secrets. Nothing
// that Keyturn asks for needs it. Services that act for the account are not it.
//
// False positives: the first day of an account; closing it.
func root() Rule {
	return Rule{
		ID: "D-09", Title: "the root user was used", Severity: High, Technique: "T1078.004", Default: true,
		Next: "find out who has the root user's credentials, and lock them away",
		See: func(_ *Site, c *Call) []Finding {
			if c.Identity.Type != "Root" || c.Identity.InvokedBy != "" || !c.Concerns() {
				return nil
			}
			return one(c.Finding(c.Name + " by the root user"))
		},
	}
}

package fault

// takePending takes AWSPENDING off a version that is not current, as an operator
// does to give a rotation up. Where there is one key, its value is replaced
// already, so nobody does. The answer says why not; "": it is done.
func (w *World) takePending() (refused string) {
	pending := w.unfinished()
	if w.subject.rolls() || pending == "" {
		return "nothing to take"
	}
	_, err := w.do(w.cloud.SecretsManager(), "UpdateSecretVersionStage", map[string]any{
		"SecretId": secretName, "VersionStage": "AWSPENDING", "RemoveFromVersionId": pending,
	})
	return w.rivals(err)
}

// usurp stores a version of somebody else's with AWSPENDING, which takes the
// label from the rotation that is under way.
func (w *World) usurp() (refused string) {
	if w.subject.rolls() || w.unfinished() == "" {
		return "nothing to take"
	}
	_, err := w.do(w.cloud.SecretsManager(), "PutSecretValue", map[string]any{
		"SecretId": secretName, "ClientRequestToken": w.requestID(), "VersionStages": []string{"AWSPENDING"},
		"SecretString": `{"apiKey":"somebody's draft"}`,
	})
	return w.rivals(err)
}

func (w *World) rivals(err error) (refused string) {
	if err != nil {
		return err.Error()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rival = true
	return ""
}

package main

import (
	"github.com/keyturn/keyturn/shared/retire"
	"github.com/keyturn/keyturn/shared/rotation"
)

// advice says what to do about a function's errorType: what the function itself
// advises goes out as a notification, and Lambda returns no more than a text.
func advice(errorType, key string) []string { //nolint:funlen // one case for each type
	look := "see how it is: keyturn status " + key
	if next := adviceBack(retire.Type(errorType), key); next != nil {
		return append([]string{look}, next...)
	}
	switch rotation.Type(errorType) {
	case rotation.NotOurs, rotation.ConfigInvalid:
		return []string{"deploy the functions with the configuration that has this key"}
	case rotation.RotationDisabled:
		return []string{"turn rotation on: deploy the key again"}
	case rotation.NoCurrent:
		return []string{"make its first key: keyturn init " + key}
	case rotation.HasCurrent:
		return []string{"rotate it: keyturn rotate-now " + key + " --reason WHY"}
	case rotation.InProgress, rotation.Held, rotation.Superseded, rotation.NotStaged, rotation.EmptyPending:
		return []string{look}
	case rotation.AdminMissing, rotation.AdminRefused:
		return []string{"put a working admin credential into the admin secret that the configuration names", "then: keyturn rotate-now " + key + " --plan"}
	case rotation.HostNotAllowed:
		return []string{"list the host in the admin secret and in the configuration, if it really is the vendor's"}
	case rotation.VendorFull:
		return []string{"delete keys that nobody needs at the vendor; Keyturn deletes its own only"}
	case rotation.VendorRateLimited, rotation.VendorUnavailable:
		return []string{"look at the vendor's status page, and try again later"}
	case rotation.VendorRefused, rotation.WrongShape, rotation.UnexpectedValue, rotation.ScopesDiffer:
		return []string{"compare the key's settings with the secret and the vendor: keyturn rotate-now " + key + " --plan"}
	case rotation.KeyRejected:
		return []string{look, "the new key was not made current; the next rotation makes another"}
	case rotation.CreateOutcomeUnknown:
		return []string{look, "the sweep ends what was left at the vendor; then rotate again"}
	case rotation.AuditUnavailable:
		return []string{"check the audit queue, and try again"}
	case rotation.StoreDenied:
		return []string{"compare the function's role with the deployment"}
	case rotation.StoreUnavailable:
		return []string{look, "try again"}
	case rotation.UnknownStep, rotation.BadEvent:
		return []string{"use a keyturn of the same version as the deployed functions: keyturn version"}
	case rotation.CurrentEnds:
		return []string{look, "the current key may end soon: find out why the new value was not stored, then try again"}
	case rotation.Paused:
		return []string{look, "end the pause: keyturn resume " + key + " --reason WHY"}
	case rotation.Frozen:
		return []string{look, "wait until the freeze in the configuration is over, or change it and deploy"}
	case rotation.KeyClaimed, rotation.KeyUnknown:
		return []string{"see what stands against it: keyturn adopt " + key + " --observe"}
	case rotation.KeyEnded: // said by adviceBack
	case rotation.DowntimeRefused:
		return []string{"take the present value over: keyturn adopt SECRET", "or write \"acceptDowntime\": true in the key's configuration"}
	}
	return []string{look, "look at the function's log"}
}

// adviceBack is for what only a rollback or a restore says, and nil for others.
func adviceBack(t retire.Type, key string) []string {
	forward := "go forward, with a new key: keyturn rotate-now " + key + " --reason WHY"
	switch t {
	case retire.NotReversible, retire.NoPrevious, retire.PreviousEnded, retire.PreviousRefused:
		return []string{forward}
	case retire.PreviousUntried:
		return []string{"look at the vendor's status page, and try again", forward}
	case retire.Unclear:
		return []string{"ask again, which changes nothing if it has moved: keyturn rollback " + key + " --reason WHY"}
	case retire.NoDisable:
		return []string{"a key that was revoked is gone: move whoever used it to the current version"}
	case retire.NothingDisabled:
		return []string{"to go back to the previous key: keyturn rollback " + key + " --reason WHY"}
	case retire.SeveralDisabled:
		return []string{"say which: keyturn restore " + key + " --key-id ID --reason WHY"}
	case retire.KeyEnded:
		return []string{"move whoever used it to the current version: the vendor cannot bring it back"}
	case retire.KeyEnding:
		return []string{"ask again in five minutes; by then it is known whether the key has ended"}
	case retire.NotOurs, retire.NoCurrent, retire.InProgress, retire.Superseded, retire.AuditUnavailable:
	}
	return nil
}

package retire

import (
	"strings"
	"time"

	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/store"
)

// message begins a notification. id is the same for the same news.
func (r *run) message(kind notify.Kind, s notify.Severity, id, summary string) notify.Message {
	return notify.Message{
		Version: 1, ID: r.lineage + "-" + id, Time: r.Now(), Kind: kind, Severity: s,
		Secret: r.key.Secret, Vendor: r.key.Vendor, Owner: r.key.Owner, Summary: summary,
	}
}

func (r *run) messageRotated(rec keyrecord.Record) notify.Message {
	m := r.message(notify.Rotated, notify.Info, "rotated-"+rec.KeyID, r.key.Secret+" has a new current key.")
	m.Known = []string{"Key " + rec.KeyID + " is in version " + rec.Version + ", which is AWSCURRENT."}
	switch {
	case r.secret.VersionAt(store.Previous) == "":
	case r.ending != nil && r.ending.after > r.info.Settle.Within:
		m.Known = append(m.Known, "The vendor keeps the value that it replaced alive for "+notify.Duration(r.ending.after)+". Its end will be told.")
	case r.ending != nil:
		m.Known = append(m.Known, "The vendor ended the value that it replaced at once. That it is dead will be told.")
	default:
		m.Known = append(m.Known, "The key that it replaced works on for at least "+notify.Duration(r.key.Grace.Min)+". Its end will be told.")
	}
	m.Next = []string{"Nothing. Consumers that keep the value for longer than a call must read the secret again."}
	m.Detail = map[string]string{"key_id": rec.KeyID, "key_name": rec.KeyName, "version": rec.Version}
	return m
}

func (r *run) messageRetired(rec keyrecord.Record) notify.Message {
	m := r.message(notify.Retired, notify.Info, "retired-"+rec.KeyID, "An old key of "+r.key.Secret+" is dead.")
	known := "Proof: " + rec.Proof + "."
	if rec.State == keyrecord.Gone {
		m.Summary = "An old key of " + r.key.Secret + " is gone; there is no proof that it is dead."
		known = upper(rec.Why) + "."
	}
	m.Known = []string{"Key " + rec.KeyID + " ended at " + stamp(rec.Ended) + ".", known}
	m.Detail = map[string]string{"key_id": rec.KeyID, "key_name": rec.KeyName, "state": string(rec.State)}
	return m
}

func (r *run) messageOrphan(rec keyrecord.Record) notify.Message {
	m := r.message(notify.OrphanFound, notify.Warning, "orphan-"+rec.KeyID, "The vendor holds a key of "+r.key.Secret+" that no version of the secret knows.")
	m.Known = []string{
		"Key " + rec.KeyID + " is called " + rec.KeyName + ": Keyturn made it.",
		"Its value never reached Secrets Manager, so nobody should be using it.",
	}
	m.Next = []string{"Nothing: it is revoked when it is older than a day and a second look still finds it so."}
	m.Detail = map[string]string{"key_id": rec.KeyID, "key_name": rec.KeyName}
	return m
}

func (r *run) messageUnborn(ids []string) notify.Message {
	m := r.message(notify.OrphanFound, notify.Warning, "unborn", "The vendor holds keys of "+r.key.Secret+", which has no value.")
	m.Known = []string{"Keyturn made these keys, more than a day ago: " + strings.Join(ids, ", ") + ".", "Without a current key to hold them against, they are not ended."}
	m.Next = []string{
		"Make the first key (keyturn init " + r.key.Secret + "): then the sweep ends those whose value was lost.",
		"Or, if the secret is not needed, delete them at the vendor.",
	}
	return m
}

func (r *run) messageHeld(rec keyrecord.Record, name string) notify.Message {
	s := notify.Warning
	var next []string
	switch name {
	case heldInUse:
		next = []string{
			"Find who still uses the old key: a consumer that read the secret before " + stamp(rec.Replaced) + " and has not read it since.",
			"Nothing else: when it has been quiet for " + notify.Duration(r.key.Grace.Quiet) + ", its retirement goes on by itself.",
		}
	case heldNoUsage:
		next = []string{
			"If you are sure that nobody uses it, delete key " + rec.KeyID + " at the vendor: Keyturn notices, and proves that it is dead.",
			"To have Keyturn end such keys by itself, set grace.noUsage to revoke.",
		}
	case heldWasUsed:
		s = notify.Critical
		next = []string{"Find out who uses it: its value should be known to nobody. Then delete key " + rec.KeyID + " at the vendor."}
	case "still_accepted":
		s = notify.Critical
		next = []string{"Delete key " + rec.KeyID + " at the vendor by hand, and ask the vendor why its revocation had no effect."}
	case "no_proof":
		next = []string{"Look at the vendor whether key " + rec.KeyID + " is gone. Keyturn goes on trying to prove it."}
	case heldLinked:
		s = notify.Critical
		next = []string{"Find out how the two keys hang together at the vendor before you end key " + rec.KeyID + ". It works again."}
	case heldNameless:
		next = []string{"When nobody uses the key that version " + rec.Version + " holds, find it at the vendor and delete it there: Keyturn notices as long as that version is kept, and proves that it is dead."}
	case heldElsewhere:
		next = []string{
			"Delete key " + rec.KeyID + " in the vendor account where it was made, when nobody uses it any more.",
			"Or name that account for the secret again: then Keyturn retires it.",
		}
	case "label":
		next = []string{"Move its readers to AWSCURRENT, then remove the label from version " + rec.Version + "."}
	case "renamed":
		next = []string{"Give the key its name back (" + rec.KeyName + "), or delete it at the vendor yourself."}
	}
	m := r.message(notify.Held, s, "held-"+rec.KeyID+"-"+name, "An old key of "+r.key.Secret+" is held.")
	m.About = keyrecord.AboutKey
	m.Known = []string{"Key " + rec.KeyID + " is held: " + rec.Why + "."}
	m.Next = next
	m.Detail = map[string]string{"key_id": rec.KeyID, "key_name": rec.KeyName, "hold": name}
	return m
}

func (r *run) messageOverdue() notify.Message {
	m := r.message(notify.Overdue, notify.Warning, "overdue", r.key.Secret+" is overdue.")
	for _, l := range r.late {
		m.Known = append(m.Known, upper(l)+".")
	}
	m.Next = []string{"See what is tried next: keyturn status " + r.key.Secret}
	return m
}

func (r *run) messageAdmin(err error) notify.Message {
	m := r.message(notify.Failed, notify.Critical, "admin_refused", "The admin credential for "+r.key.Secret+" does not work.")
	m.ErrorType = "AdminRefused"
	m.Known = []string{upper(err.Error()) + ".", "No key was created or ended with it."}
	m.Next = []string{"Check the credential in " + r.key.Admin + ", and store a new one if it has ended. Everything goes on by itself then."}
	return m
}

func (r *run) messageRefused() notify.Message {
	m := r.message(notify.Failed, notify.Critical, "current_refused", "The vendor refuses the current key of "+r.key.Secret+".")
	m.ErrorType, m.About = "CurrentRefused", keyrecord.AboutRotation
	m.Known = []string{"Version " + r.version + " is AWSCURRENT, and the vendor does not accept its key.", "No other key of this secret is ended while that is so."}
	m.Next = []string{"Make a new key: keyturn rotate-now " + r.key.Secret + " --reason \"current key refused\""}
	m.Detail = map[string]string{"version": r.version, "key_id": r.current}
	return m
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// messageRolledBack tells that AWSCURRENT went back from one version to another.
// q is nil where who asked is not known here any more; the audit trail knows.
func (r *run) messageRolledBack(to, from, keyID string, q *Request) notify.Message {
	m := r.message(notify.RolledBack, notify.Warning, "rolled_back-"+to+"-from-"+from, r.key.Secret+" was rolled back.")
	m.Known = []string{
		"Version " + to + " is AWSCURRENT again; the vendor accepted its key.",
		"The key of version " + from + " works on for at least " + notify.Duration(r.key.Grace.Min) + ", and is then retired. Its end will be told.",
	}
	m.Next = []string{
		"Consumers that read the secret since the rotation must read it again.",
		"When what was wrong is mended, make a new key: keyturn rotate-now " + r.key.Secret + " --reason WHY",
	}
	m.Detail = map[string]string{"version": to, "replaced_version": from}
	if keyID != "" {
		m.Detail["key_id"] = keyID
	}
	q.asked(&m)
	return m
}

func (r *run) messageRestored(rec keyrecord.Record, since string, q *Request) notify.Message {
	m := r.message(notify.Restored, notify.Warning, "restored-"+rec.KeyID+"-"+since, "An old key of "+r.key.Secret+" works again.")
	m.Known = []string{
		"Key " + rec.KeyID + " had been disabled since " + since + ", and was enabled again.",
		"Its grace begins anew: it is not disabled again before " + stamp(rec.Replaced.Add(r.key.Grace.Min)) + ".",
	}
	m.Next = []string{"Move whoever still uses it to the current version."}
	m.Detail = map[string]string{"key_id": rec.KeyID, "key_name": rec.KeyName}
	q.asked(&m)
	return m
}

// asked adds who asked, and why.
func (q *Request) asked(m *notify.Message) {
	if q == nil {
		return
	}
	m.Detail["reason"] = q.Reason
	if q.Requester != "" {
		m.Detail["requester"] = q.Requester
	}
}

// messageStuck tells that a rotation is given up which blocks all others.
func (r *run) messageStuck(version string, since time.Time, s labelState) notify.Message {
	severity := notify.Warning
	if s.kind == replaced {
		severity = notify.Critical
	}
	m := r.message(notify.Failed, severity, "stuck-"+version, "A rotation of "+r.key.Secret+" never came to its end and is given up.")
	m.ErrorType = "RotationStuck"
	m.Known = []string{
		"AWSPENDING has been on version " + version + " since " + stamp(since) + ", so no rotation could begin. It is taken off.",
		"The current version and its key are left as they are.",
	}
	switch {
	case s.value == valueNone && s.kind == replaced:
		m.Known = append(m.Known, "That version has no value. The vendor may have replaced the key's value all the same: then the current one does not work, or ends soon, and the new one was not stored.")
	case s.value == valueNone:
		m.Known = append(m.Known, "That version has no value. A key that was made for it is swept.")
	case s.value == valueAccepted:
		m.Known = append(m.Known, "The vendor accepts the key in that version. It is retired like a replaced one.")
	case s.value == valueRefused:
		m.Known = append(m.Known, "The vendor refuses the key in that version.")
	case s.value == valueUntold:
		m.Known = append(m.Known, "Whether the vendor accepts the key in that version is not known. It is retired like a replaced one.")
	}
	m.Next = []string{"Rotate it now, or leave it to the schedule: keyturn rotate-now " + r.key.Secret + " --reason \"a rotation was stuck\""}
	m.Detail = map[string]string{"version": version, "value": string(s.value)}
	return m
}

// messageStuckValue tells of a rotation that stopped and may have left the only
// value that works.
func (r *run) messageStuckValue(version string, since time.Time, value pendingValue) notify.Message {
	m := r.message(notify.Failed, notify.Critical, "stuck_value", "A rotation of "+r.key.Secret+" never came to its end, and may have left the only value that works.")
	m.ErrorType = "RotationStuck"
	m.Known = []string{
		"AWSPENDING has been on version " + version + " since " + stamp(since) + ", so no rotation can begin. Nothing is changed.",
		"Whether the vendor accepts the value in that version is not known.",
		"It is made current by itself as soon as the vendor accepts it and refuses the current one.",
	}
	if value == valueAccepted {
		m.Known[1] = "The vendor accepts the value in that version."
	}
	label := "aws secretsmanager update-secret-version-stage --secret-id " + r.key.Secret + " --version-stage "
	m.Next = []string{
		"To make it current now: " + label + store.Current + " --move-to-version-id " + version + " --remove-from-version-id " + r.version,
		"Once it is known that the current value stays: " + label + store.Pending + " --remove-from-version-id " + version,
	}
	m.Detail = map[string]string{"version": version, "value": string(value)}
	return m
}

func (r *run) messageUnbornLabel(version string, since time.Time) notify.Message {
	m := r.message(notify.Overdue, notify.Warning, "unborn_label", r.key.Secret+" has no current value, and a rotation that never came to its end.")
	m.Known = []string{"AWSPENDING has been on version " + version + " since " + stamp(since) + ", and no version is AWSCURRENT. Nothing is changed."}
	m.Next = []string{"Make the first key: keyturn init " + r.key.Secret}
	m.Detail = map[string]string{"version": version}
	return m
}

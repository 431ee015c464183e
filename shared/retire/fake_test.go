package retire_test

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/keyturn/keyturn/shared/audit"
	"github.com/keyturn/keyturn/shared/config"
	"github.com/keyturn/keyturn/shared/keyrecord"
	"github.com/keyturn/keyturn/shared/notify"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/schedule"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/shared/store"
)

type fakeStore struct{ *world }

func lostStore(op string) error { return &store.Error{Op: op} }

func (w fakeStore) Describe(_ context.Context, id string) (s store.Secret, err error) {
	err = w.do("Describe", lostStore("DescribeSecret"), func() error {
		if id != name {
			return &store.Error{Op: "DescribeSecret", Kind: store.KindNotFound}
		}
		s = w.secret
		s.Stages = maps.Clone(s.Stages)
		return nil
	})
	return s, err
}

func (w fakeStore) Get(_ context.Context, id, version, stage string) (v store.Version, err error) {
	op := "Get"
	if id == admin {
		op = "GetAdmin"
	}
	err = w.do(op, lostStore("GetSecretValue"), func() error {
		if id == admin {
			v.Value = secret.New(w.admin)
			return nil
		}
		if version == "" {
			version = w.secret.VersionAt(stage)
		}
		value, ok := w.values[version]
		if !ok {
			return &store.Error{Op: "GetSecretValue", Kind: store.KindNotFound, Code: "ResourceNotFoundException"}
		}
		v = store.Version{ARN: arn, Name: name, ID: version, Stages: w.secret.Stages[version], Value: secret.New(value)}
		return nil
	})
	return v, err
}

func (w fakeStore) Versions(context.Context, string) (out []store.VersionInfo, err error) {
	err = w.do("Versions", lostStore("ListSecretVersionIds"), func() error {
		for _, v := range w.versions {
			v.Stages = w.secret.Stages[v.ID]
			out = append(out, v)
		}
		return nil
	})
	return out, err
}

func (w fakeStore) Unstage(_ context.Context, _, label, from string) error {
	return w.do("Unstage", lostStore("UpdateSecretVersionStage"), func() error {
		w.secret.Stages[from] = slices.DeleteFunc(slices.Clone(w.secret.Stages[from]), func(l string) bool { return l == label })
		return nil
	})
}

func (w fakeStore) Promote(_ context.Context, _, to, from string) error {
	return w.do("Promote", lostStore("UpdateSecretVersionStage"), func() error {
		if w.secret.VersionAt(store.Current) != from {
			return &store.Error{Op: "UpdateSecretVersionStage", Kind: store.KindInvalid, Code: "InvalidParameterException"}
		}
		if k := w.holder(to); k == nil || k.revoked || k.disabled {
			w.broken = append(w.broken, "AWSCURRENT went to a key that does not work")
		}
		for id, labels := range w.secret.Stages {
			w.secret.Stages[id] = slices.DeleteFunc(slices.Clone(labels), func(l string) bool {
				return l == store.Current && id == from || l == store.Previous
			})
		}
		w.secret.Stages[to] = append(w.secret.Stages[to], store.Current)
		w.secret.Stages[from] = append(w.secret.Stages[from], store.Previous)
		w.secret.LastChanged = w.now()
		return nil
	})
}

type fakeRecords struct{ *world }

var errRecords = errors.New("the table did not answer")

func (w fakeRecords) Load(context.Context, string) (b keyrecord.Book, err error) {
	err = w.do("Load", errRecords, func() error {
		b = w.book
		b.Keys, b.Alerts = slices.Clone(b.Keys), slices.Clone(b.Alerts)
		return nil
	})
	return b, err
}

func (w fakeRecords) Put(_ context.Context, r keyrecord.Record) (out keyrecord.Record, err error) {
	err = w.do("Put", errRecords, func() error {
		i := slices.IndexFunc(w.book.Keys, func(o keyrecord.Record) bool { return o.KeyID == r.KeyID })
		have := 0
		if i >= 0 {
			have = w.book.Keys[i].Revision
		}
		if have != r.Revision {
			return keyrecord.ErrConflict
		}
		r.Revision++
		if out = r; i >= 0 {
			w.book.Keys[i] = r
		} else {
			w.book.Keys = append(w.book.Keys, r)
		}
		return nil
	})
	return out, err
}

func (w fakeRecords) PutFailure(_ context.Context, f keyrecord.Failure) error {
	return w.do("PutFailure", errRecords, func() error { w.book.Failure = &f; return nil })
}

func (w fakeRecords) ClearFailure(context.Context, string) error {
	return w.do("ClearFailure", errRecords, func() error { w.book.Failure = nil; return nil })
}

func (w fakeRecords) First(_ context.Context, _, id string, ttl time.Duration) (first bool, err error) {
	err = w.do("First", errRecords, func() error {
		if until, ok := w.once[id]; ok && w.now().Before(until) {
			return nil
		}
		w.once[id], first = w.now().Add(ttl), true
		return nil
	})
	return first, err
}

func (w fakeRecords) Forget(_ context.Context, _, id string) error {
	return w.do("Forget", errRecords, func() error { delete(w.once, id); return nil })
}

func (w fakeRecords) PutAlert(_ context.Context, a keyrecord.Alert) (out keyrecord.Alert, err error) {
	err = w.do("PutAlert", errRecords, func() error {
		i := slices.IndexFunc(w.book.Alerts, func(o keyrecord.Alert) bool { return o.ID == a.ID })
		if i < 0 || w.book.Alerts[i].Revision != a.Revision {
			return keyrecord.ErrConflict
		}
		a.Revision++
		w.book.Alerts[i], out = a, a
		return nil
	})
	return out, err
}

func (w fakeRecords) CloseAlert(_ context.Context, _, id string) error {
	return w.do("CloseAlert", errRecords, func() error {
		w.book.Alerts = slices.DeleteFunc(w.book.Alerts, func(o keyrecord.Alert) bool { return o.ID == id })
		return nil
	})
}

// OpenAlert implements [alert.Book].
func (w fakeRecords) OpenAlert(_ context.Context, a keyrecord.Alert) error {
	return w.do("OpenAlert", errRecords, func() error {
		if !slices.ContainsFunc(w.book.Alerts, func(o keyrecord.Alert) bool { return o.ID == a.ID }) {
			a.Revision = 1
			w.book.Alerts = append(w.book.Alerts, a)
		}
		return nil
	})
}

type fakeSink struct{ *world }

func (w fakeSink) Record(_ context.Context, r audit.Record) error {
	return w.do("Audit", errors.New("the queue did not answer"), func() error {
		if slices.ContainsFunc(w.trail, func(o audit.Record) bool { return o.ID == r.ID && o.Phase == r.Phase }) {
			return nil
		}
		w.trail = append(w.trail, r)
		if w.onAudit != nil {
			w.onAudit(r)
		}
		return nil
	})
}

type fakeNotifier struct{ *world }

func (w fakeNotifier) Notify(_ context.Context, m notify.Message) error {
	return w.do("Notify", errors.New("the topic did not answer"), func() error {
		w.news = append(w.news, m)
		return nil
	})
}

type fakeScheduler struct{ *world }

func (w fakeScheduler) Schedule(_ context.Context, o schedule.Once) error {
	return w.do("Schedule", errors.New("the scheduler did not answer"), func() error {
		if !o.At.After(w.now()) {
			w.broken = append(w.broken, "a schedule in the past")
		}
		if _, ok := w.schedules[o.Name]; !ok {
			w.schedules[o.Name] = o
		}
		return nil
	})
}

type fakeVendors struct{ *world }

func (w fakeVendors) Info(string) (provider.Info, error) {
	kind := w.kind
	if _, ok := w.strategy.(provider.RollInPlace); ok {
		kind = "RollInPlace"
	}
	if _, ok := w.strategy.(provider.RollWithGrace); ok {
		kind = "RollWithGrace"
	}
	return provider.Info{
		Name: "acme", Title: "Acme", Strategy: cmp.Or(kind, "Overlap"), Settle: w.settle, LastUsed: w.usage, UsageLag: w.lag,
		Admin: []provider.Field{{Name: "token"}},
	}, nil
}

func (w fakeVendors) Open(config.Key, provider.Admin) (provider.Strategy, error) {
	v := fakeVendor(w)
	if w.strategy != nil {
		return w.strategy, nil
	}
	o := provider.Overlap{Keys: v}
	if w.usage {
		o.Usage = v
	}
	if w.disabling {
		o.Disable = v
	}
	if w.identify {
		o.Identify = v
	}
	return o, nil
}

type fakeVendor struct{ *world }

func lostVendor(op string) error { return &provider.Error{Op: op, Status: 500} }

func (w fakeVendor) Create(context.Context, string) (provider.Issued, error) {
	w.t.Error("retirement created a key")
	return provider.Issued{}, lostVendor("POST")
}

func (w fakeVendor) List(context.Context) (out []provider.Key, err error) {
	err = w.do("List", lostVendor("GET"), func() error {
		if w.onList != nil {
			w.onList()
		}
		for id, k := range w.keys {
			if !k.revoked && id != w.hidden {
				out = append(out, provider.Key{ID: id, Name: k.name})
			}
		}
		return nil
	})
	return out, err
}

func (w fakeVendor) Revoke(_ context.Context, id string) error {
	return w.do("Revoke", lostVendor("DELETE"), func() error {
		w.ended(audit.Revoke, id)
		if w.onRevoke != nil {
			w.onRevoke()
		}
		if w.stubborn > 0 && (w.stubbornK == "" || w.stubbornK == id) {
			w.stubborn--
			return nil
		}
		w.keys[id].revoked = true
		return nil
	})
}

func (w fakeVendor) Verify(_ context.Context, v secret.Value) error {
	return w.do("Verify", lostVendor("GET"), func() error {
		if w.verifies++; w.deafFrom <= w.verifies && w.verifies < w.deafTo {
			return provider.ErrRejected
		}
		for _, k := range w.keys {
			if k.value != v.Reveal() || k.disabled || k.revoked && !w.now().Before(w.limp) {
				continue
			}
			k.used = w.now()
			return nil
		}
		return provider.ErrRejected
	})
}

func (w fakeVendor) LastUsed(_ context.Context, id string) (last time.Time, err error) {
	err = w.do("LastUsed", lostVendor("GET"), func() error {
		if w.untold {
			return &provider.Error{Op: "GET", Kind: provider.KindPermanent, Err: provider.ErrNotTold}
		}
		last = w.keys[id].used
		return nil
	})
	return last, err
}

func (w fakeVendor) Disable(_ context.Context, id string) error {
	return w.do("Disable", lostVendor("PATCH"), func() error {
		w.ended(audit.Disable, id)
		w.keys[id].disabled = true
		if k := w.keys[w.linked]; k != nil {
			k.disabled = true
		}
		return nil
	})
}

func (w fakeVendor) Enable(_ context.Context, id string) error {
	return w.do("Enable", lostVendor("PATCH"), func() error {
		w.keys[id].disabled = false
		if k := w.keys[w.linked]; k != nil {
			k.disabled = false
		}
		return nil
	})
}

func (w fakeVendor) Identify(_ context.Context, v secret.Value) (id string, err error) {
	err = w.do("Identify", lostVendor("GET"), func() error {
		if w.lie != "" {
			id = w.lie
			return nil
		}
		for i, k := range w.keys {
			if k.value == v.Reveal() {
				id = i
				return nil
			}
		}
		return &provider.Error{Op: "GET", Kind: provider.KindNotFound, Status: 404}
	})
	return id, err
}

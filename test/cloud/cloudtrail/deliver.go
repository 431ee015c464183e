package cloudtrail

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// Objects are the buckets that trails deliver to, as s3's Service has them.
type Objects interface {
	Put(bucket, key string, at time.Time, body []byte, header http.Header, metadata map[string]string) error
}

// Delivery is what happens to records on their way to a trail's files. The zero value
// brings each in the next file. The same seed does the same to the same record.
type Delivery struct {
	Seed uint64
	// Every is how often files are written; 0: 5 minutes.
	Every time.Duration
	// Delay is the longest from a record to its file, beside Every; each record has
	// one of its own.
	Delay time.Duration
	// Duplicates is how many of 100 records come in another file again.
	Duplicates int
	// Backfill is how many of 100 files their hour's digest leaves out, so that a
	// backfill digest names them an hour later.
	Backfill int
	// NoDigests: log file validation is off.
	NoDigests bool
}

// deliverer writes a trail's files.
type deliverer struct {
	service *Service
	trail   Trail
	how     Delivery

	mu       sync.Mutex
	stopped  bool
	deaf     func() // ends what take is called by
	waiting  []waiting
	random   *rand.Rand // of files; records have their own
	next     time.Time  // when files are written next
	began    time.Time  // of the hour that is not in a digest yet
	files    []file     // of that hour
	missed   []hour     // what backfill digests are still to name
	chain    previous
	backfill previous
	cancel   func() bool // of the alarm
}

type waiting struct {
	record []byte
	at     time.Time // of the record
	due    time.Time
}

// file is one that was written.
type file struct {
	key, hash      string
	oldest, newest time.Time
}

// Deliver makes a trail, or begins the one of that name again, and writes its files
// and digests into t.Bucket on the local AWS's clock, until stop is called, as
// StopLogging does: the trail is then shown as stopped, and what was not written yet is
// lost. Records before are in no file.
func (s *Service) Deliver(t Trail, how Delivery) (stop func(), err error) {
	switch {
	case s.options.Clock == nil || s.options.Objects == nil || s.options.Observe == nil:
		return nil, errors.New("deliver a trail: this CloudTrail has no clock, no buckets or no records to observe")
	case t.Name == "" || t.Bucket == "":
		return nil, errors.New("deliver a trail: it has no name or no bucket")
	case how.Every == 0:
		how.Every = 5 * time.Minute
	}
	t.Stopped = false
	now := s.options.Now().Truncate(time.Second)
	d := &deliverer{
		service: s, trail: t, how: how, random: rand.New(rand.NewPCG(how.Seed, 0)),
		began: now, next: now.Truncate(how.Every).Add(how.Every),
	}
	// The bucket is tried as CreateTrail tries it.
	if err := s.options.Objects.Put(t.Bucket, path.Join(t.Prefix, "AWSLogs", t.Organization, wire.Account)+"/", now, nil, http.Header{}, nil); err != nil {
		return nil, fmt.Errorf("deliver trail %s: %w", t.Name, err)
	}
	s.trails.put(t, d)
	d.deaf = s.options.Observe(d.take)
	d.mu.Lock()
	d.arm()
	d.mu.Unlock()
	return func() { s.halt(t, d) }, nil
}

// halt ends a trail's delivery.
func (s *Service) halt(t Trail, d *deliverer) {
	d.deaf()
	d.mu.Lock()
	d.stopped = true
	d.cancel()
	d.mu.Unlock()
	t.Stopped = true
	s.trails.put(t, nil)
}

// Settle writes what trails have to write by now. The clock's alarms do so too, only
// not before whoever moved the clock goes on.
func (s *Service) Settle() {
	for _, d := range s.trails.deliverers() {
		d.work()
	}
}

// take puts a record where it waits for its file.
func (d *deliverer) take(r cloud.Record) {
	if !d.trail.logs(r) {
		return
	}
	raw, err := json.Marshal(r)
	if err != nil {
		panic(err) // a record holds JSON values only
	}
	at, _ := time.Parse(time.RFC3339, r.EventTime)
	now := d.service.options.Now()
	h := fnv.New64a()
	_, _ = h.Write([]byte(r.EventID))
	random := rand.New(rand.NewPCG(d.how.Seed, h.Sum64()))
	due := func() time.Time {
		if d.how.Delay <= 0 {
			return now
		}
		return now.Add(time.Duration(random.Int64N(int64(d.how.Delay)) + 1))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.waiting = append(d.waiting, waiting{raw, at, due()})
	if random.IntN(100) < d.how.Duplicates {
		d.waiting = append(d.waiting, waiting{raw, at, due().Add(d.how.Every)})
	}
}

// arm has work called when there is more to do; d.mu is held.
func (d *deliverer) arm() {
	if d.stopped {
		return
	}
	if d.cancel != nil {
		d.cancel()
	}
	d.cancel = d.service.options.Clock.At(d.soonest(), d.work)
}

// soonest is when files or a digest are to be written next.
func (d *deliverer) soonest() time.Time {
	if end := d.end(); end.Before(d.next) {
		return end
	}
	return d.next
}

// work writes all that is due.
func (d *deliverer) work() {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.service.options.Now()
	for at := d.soonest(); !at.After(now) && !d.stopped; at = d.soonest() {
		if at.Equal(d.next) {
			d.write(at)
			d.next = d.next.Add(d.how.Every)
		}
		if at.Equal(d.end()) {
			d.digest(at)
		}
	}
	d.arm()
}

// write puts what is due into files of up to 500 records, in no order.
func (d *deliverer) write(at time.Time) {
	var ready []waiting
	d.waiting = slices.DeleteFunc(d.waiting, func(w waiting) bool {
		if w.due.After(at) {
			return false
		}
		ready = append(ready, w)
		return true
	})
	d.random.Shuffle(len(ready), func(i, j int) { ready[i], ready[j] = ready[j], ready[i] })
	for batch := range slices.Chunk(ready, 500) {
		var records []json.RawMessage
		for _, w := range batch {
			records = append(records, w.record)
		}
		data, err := json.Marshal(struct{ Records []json.RawMessage }{records})
		if err != nil {
			panic(err) // it was JSON before
		}
		f := file{
			key:    d.key("CloudTrail", at, at.Format("20060102T1504Z")+"_"+d.unique()),
			hash:   hash(data),
			oldest: slices.MinFunc(batch, byTime).at, newest: slices.MaxFunc(batch, byTime).at,
		}
		if d.put(f.key, at, data, nil) {
			d.files = append(d.files, f)
		}
	}
}

func byTime(a, b waiting) int { return cmp.Compare(a.at.Unix(), b.at.Unix()) }

// unique is the part of a file's name that has no meaning: 16 characters.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-examples.html
func (d *deliverer) unique() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, 16)
	for i := range b {
		b[i] = letters[d.random.IntN(len(letters))]
	}
	return string(b)
}

// key is where an object of the account goes: of a kind, of a day, and what its name
// ends with.
func (d *deliverer) key(kind string, at time.Time, rest string) string {
	return path.Join(d.trail.Prefix, "AWSLogs", d.trail.Organization, wire.Account, kind, wire.Region, at.Format("2006/01/02"),
		wire.Account+"_"+kind+"_"+wire.Region+"_"+rest+".json.gz")
}

// put writes an object, compressed, and reports whether the bucket took it.
func (d *deliverer) put(key string, at time.Time, data []byte, metadata map[string]string) bool {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(data) // a buffer takes all
	_ = z.Close()
	err := d.service.options.Objects.Put(d.trail.Bucket, key, at, b.Bytes(), http.Header{
		"Content-Type": {"application/json"}, "Content-Encoding": {"gzip"},
	}, metadata)
	d.service.trails.delivered(d.trail.Name, at, metadata != nil, err)
	return err == nil
}

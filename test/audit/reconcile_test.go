package audit

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/keyturn/keyturn/shared/function/audit"
	"github.com/keyturn/keyturn/shared/history"
	"github.com/keyturn/keyturn/shared/watch"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/cloudtrail"
	"github.com/keyturn/keyturn/test/cloud/rules"
	"github.com/keyturn/keyturn/test/cloud/sns"
	"github.com/keyturn/keyturn/test/cloud/wire"
	"github.com/keyturn/keyturn/test/stack"
)

const (
	trails  = "trails-of-the-company"
	witness = "witness-of-the-company"
	company = "999999999999" // the account of both
)

// lossy is a path on which nothing comes of what the thief and the curious do.
func lossy() rules.Path {
	return rules.Path{Lost: func(event map[string]any) bool {
		detail, _ := event["detail"].(map[string]any)
		who, _ := detail["userIdentity"].(map[string]any)
		return who["accessKeyId"] == thief || who["accessKeyId"] == curious
	}}
}

// trailed has the trail of an organization deliver into a bucket of another account.
func trailed(w *world, watch *stack.Watch) {
	for _, name := range []string{trails, witness} {
		_, err := w.s3().CreateBucket(w.t.Context(), &s3.CreateBucketInput{Bucket: &name})
		w.must("make a bucket", err)
		w.must("give it away", w.region.S3.Give(name, company))
	}
	_, err := w.region.CloudTrail.Deliver(
		cloudtrail.Trail{Name: "company_trail", Bucket: trails, Prefix: "logs", Organization: "o-abcdefghij", MultiRegion: true},
		cloudtrail.Delivery{Delay: 10 * time.Minute, Duplicates: 20, Backfill: 20},
	)
	w.must("deliver", err)
	watch.Env = map[string]string{"KEYTURN_TRAIL_BUCKET": trails, "KEYTURN_TRAIL_PREFIX": "logs", "KEYTURN_TRAIL_ACCOUNT": company, "KEYTURN_CHECKPOINT_BUCKET": witness}
}

func (w *world) s3() *s3.Client { return s3.NewFromConfig(w.region.Cloud.Config()) }

// hours lets the schedules' hours pass; what fails is tried again the next hour.
func (w *world) hours(n int) (failed int) {
	for range n {
		time.Sleep(time.Hour)
		for _, task := range []string{audit.TaskSeal, audit.TaskReconcile} {
			if err := w.stack.Task(w.t.Context(), task); err != nil {
				failed++
			}
		}
	}
	return failed
}

// lost is a day of which EventBridge brought nothing of the attack.
func (w *world) lost() {
	ctx := w.t.Context()
	time.Sleep(time.Minute) // what the deployment itself did is not expected
	w.must("beat", w.stack.Task(ctx, audit.TaskCanary))
	w.must("init", w.stack.Init(ctx, key))
	w.must("enable", w.stack.Enable(ctx, key))
	time.Sleep(90 * time.Minute)
	for range 3 {
		w.must("read", w.read(app, key))
		time.Sleep(time.Minute)
	}
	w.attack()
}

// found says that all of the attack is in the ledger and was told, once.
func (w *world) found(source string, invalid ...string) {
	w.t.Helper()
	var got []string
	gaps := 0
	var sum history.Reconcile
	reads := map[string]int64{}
	for _, f := range w.facts() {
		switch {
		case f.Alert != nil && f.Alert.Rule == "D-23":
			gaps++
		case f.Alert != nil:
			got = append(got, "alert "+f.Alert.Rule+" "+f.Alert.Secret)
		case f.Call != nil && f.Call.Error != "":
			got = append(got, "denied "+f.Call.Principal)
		case f.Reads != nil:
			reads[f.Reads.Principal+" "+nameOf(f.Reads.Secret)] += f.Reads.Count
		case f.Reconcile != nil:
			if f.Reconcile.Source != source {
				w.t.Errorf("source %q", f.Reconcile.Source)
			}
			sum.Missed += f.Reconcile.Missed
			sum.Differ, sum.Invalid = append(sum.Differ, f.Reconcile.Differ...), append(sum.Invalid, f.Reconcile.Invalid...)
		}
	}
	slices.Sort(got)
	if want := []string{"alert D-01 " + key, "alert D-01 " + honey, "denied " + role("intern")}; !slices.Equal(got, want) {
		w.t.Errorf("the ledger has %q, want %q", got, want)
	}
	if reads[role("app")+" "+honey] != 1 || reads[role("app")+" "+key] != 3 {
		w.t.Errorf("reads %v", reads)
	}
	if sum.Missed != 1 || len(sum.Differ) != 1 || !strings.Contains(sum.Differ[0], honey) || !slices.Equal(sum.Invalid, invalid) {
		w.t.Errorf("reconciled %+v", sum)
	}
	if gaps == 0 {
		w.t.Error("the gap is no alert in the ledger")
	}
	told := map[string]int{}
	for _, m := range w.findings() {
		told[m.Attributes["rule"].Value]++
		if text := m.For("email"); !strings.Contains(text, "honey token") && !strings.Contains(text, "the ledger had gaps") {
			w.t.Errorf("told %s", text)
		}
	}
	if n := len(w.findings()); n < 3 || n > 4 { // two findings, the gap of the denial, and hours later that of the read
		w.t.Errorf("%d messages: %v", n, told)
	}
}

// TestReconcile wants what EventBridge lost to be found in the trail's files, written
// into the ledger, detected and told once, and the checkpoints to be elsewhere.
func TestReconcile(t *testing.T) {
	t.Parallel()
	run(t, lossy(), func(w *world) {
		w.lost()
		if n := w.hours(9); n > 0 {
			w.t.Errorf("%d tasks failed", n)
		}
		w.found(watch.SourceFiles)
		told := len(w.findings())
		w.hours(3)
		if n := len(w.findings()); n != told {
			w.t.Errorf("%d messages later, %d before", n, told)
		}
		w.witnessed()
	}, trailed)
}

// witnessed proves the ledger against each checkpoint that was given away.
func (w *world) witnessed() {
	w.t.Helper()
	list, err := w.s3().ListObjectsV2(w.t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(witness)})
	w.must("list the witness", err)
	if len(list.Contents) < 3 {
		w.t.Fatalf("%d checkpoints", len(list.Contents))
	}
	for _, o := range list.Contents {
		signed := w.object(witness, *o.Key)
		var size int64
		if _, err := fmt.Sscanf(*o.Key, "keyturn/checkpoint/%d", &size); err != nil {
			w.t.Errorf("%s: %v", *o.Key, err)
		}
		w.must(*o.Key, w.stack.Extends(w.t.Context(), signed))
	}
}

func (w *world) object(bucket, key string) []byte {
	w.t.Helper()
	out, err := w.s3().GetObject(w.t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	w.must("read "+key, err)
	data, err := io.ReadAll(out.Body)
	w.must("read "+key, err)
	return data
}

// TestReconcile_killed wants runs that are killed at any call to be gone on with.
func TestReconcile_killed(t *testing.T) {
	t.Parallel()
	run(t, lossy(), func(w *world) {
		w.lost()
		time.Sleep(5 * time.Hour)
		failed := 0
		for nth := range 12 {
			remove := w.region.Cloud.Inject(cloud.Fault{
				Nth: 2 + 4*nth, Count: 1000, Match: func(c *wire.Call) bool { return c.Service != "cloudtrail" }, Effect: cloud.FailAfter,
				Error: &wire.Error{Code: "AccessDenied", Message: "gone", Status: 403},
			})
			if w.stack.Task(w.t.Context(), audit.TaskReconcile) != nil {
				failed++
			}
			remove()
		}
		if failed < 6 {
			w.t.Errorf("only %d runs were killed", failed)
		}
		w.hours(9)
		w.found(watch.SourceFiles)
	}, trailed)
}

// TestReconcile_flipped wants a file and a digest that are not as CloudTrail
// delivered them to be told, and what is in them not to be believed.
func TestReconcile_flipped(t *testing.T) {
	t.Parallel()
	run(t, rules.Path{}, func(w *world) {
		w.lost()
		time.Sleep(2 * time.Hour)
		var files []string // the records come in more than one
		list, err := w.s3().ListObjectsV2(w.t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(trails), Prefix: aws.String("logs/AWSLogs/o-abcdefghij/" + wire.Account + "/CloudTrail/")})
		w.must("list", err)
		for _, o := range list.Contents {
			if data := unzip(w, w.object(trails, *o.Key)); bytes.Contains(data, []byte(honey)) && bytes.Contains(data, []byte("203.0.113.66")) {
				files = append(files, *o.Key)
				changed := bytes.ReplaceAll(data, []byte("203.0.113.66"), []byte("198.51.100.1"))
				_, err := w.s3().PutObject(w.t.Context(), &s3.PutObjectInput{Bucket: aws.String(trails), Key: o.Key, Body: bytes.NewReader(zip(w, changed))})
				w.must("change a file", err)
			}
		}
		if len(files) == 0 {
			w.t.Fatal("no file has the attack")
		}
		w.hours(4)
		var invalid []string
		for _, f := range w.facts() {
			if f.Reconcile != nil {
				invalid = append(invalid, f.Reconcile.Invalid...)
			}
		}
		for i := range files {
			files[i] += ": the file is another than it was"
		}
		slices.Sort(invalid)
		if !slices.Equal(invalid, files) {
			w.t.Errorf("%q, want %q", invalid, files)
		}
		gaps := slices.DeleteFunc(w.findings(), func(m sns.Message) bool { return !strings.Contains(m.For("email"), "the ledger had gaps") })
		if len(gaps) != 1 {
			w.t.Errorf("told %d times", len(gaps))
		}
	}, trailed)
}

// TestReconcile_stopped wants a trail that somebody stopped to be told, once, and a
// bucket that is not the company's not to be believed.
func TestReconcile_stopped(t *testing.T) {
	t.Parallel()
	run(t, rules.Path{}, func(w *world) {
		time.Sleep(time.Minute)
		w.must("beat", w.stack.Task(w.t.Context(), audit.TaskCanary))
		w.hours(2)
		_, err := sdk.NewFromConfig(w.region.Cloud.Config()).StopLogging(w.t.Context(), &sdk.StopLoggingInput{Name: aws.String("company_trail")})
		w.must("stop the trail", err)
		w.hours(6)
		told := w.findings()
		if len(told) != 1 || !strings.Contains(told[0].For("email"), "1 files or digests are not in order") {
			w.t.Errorf("told %d times: %v", len(told), told)
		}
		var why []string
		for _, f := range w.facts() {
			if f.Reconcile != nil {
				why = append(why, f.Reconcile.Invalid...)
			}
		}
		if len(why) != 1 || !strings.HasPrefix(why[0], "no digest has come since ") {
			w.t.Errorf("the ledger says %q", why)
		}
		w.must("give the bucket to another", w.region.S3.Give(trails, "111111111111"))
		if err := w.stack.Task(w.t.Context(), audit.TaskReconcile); err == nil {
			w.t.Error("another account's bucket was read")
		}
	}, trailed)
}

// TestReconcile_lookup wants the event history to be enough where there is no trail,
// two requests a second, and a run to end before Lambda ends it.
func TestReconcile_lookup(t *testing.T) {
	t.Parallel()
	run(t, lossy(), func(w *world) {
		w.region.CloudTrail.SetLookup(cloudtrail.Lookup{PerSecond: 2, Delay: 15 * time.Minute})
		w.lost()
		time.Sleep(48 * time.Hour)
		if n := w.hours(9); n > 0 {
			w.t.Errorf("%d tasks failed", n)
		}
		w.found(watch.SourceLookup, "there is more than a run can read: it was read only until 2000-01-01T23:01:00Z")
	})
}

// TestWitness_refused wants a witness that refuses to be told, once, and the ledger
// to go on.
func TestWitness_refused(t *testing.T) {
	t.Parallel()
	run(t, rules.Path{}, func(w *world) {
		time.Sleep(time.Minute)
		w.must("beat", w.stack.Task(w.t.Context(), audit.TaskCanary))
		_, err := w.s3().DeleteBucket(w.t.Context(), &s3.DeleteBucketInput{Bucket: aws.String(witness)})
		w.must("remove the witness", err)
		w.must("init", w.stack.Init(w.t.Context(), key))
		if n := w.hours(3); n > 0 {
			w.t.Errorf("%d tasks failed", n)
		}
		told := w.findings()
		if len(told) != 1 || !strings.Contains(told[0].For("email"), "checkpoints are kept nowhere else") {
			for _, m := range told {
				w.t.Errorf("told %.700s", m.For("email"))
			}
		}
		if len(w.facts()) < 3 {
			w.t.Error("the ledger stands still")
		}
	}, trailed)
}

func zip(w *world, data []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(data)
	w.must("zip", err)
	w.must("zip", z.Close())
	return b.Bytes()
}

func unzip(w *world, data []byte) []byte {
	w.t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(data))
	w.must("unzip", err)
	out, err := io.ReadAll(z)
	w.must("unzip", err)
	return out
}

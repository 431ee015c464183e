package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/keyturn/keyturn/shared/function/audit"
	"github.com/keyturn/keyturn/shared/history"
	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/wire"
	"github.com/keyturn/keyturn/test/demo/internal/report"
	"github.com/keyturn/keyturn/test/stack"
)

// theft has somebody use a program's stolen credentials, waits for the alert, and
// proves the ledger that all acts have written.
func (d *demo) theft(ctx context.Context) error {
	who := callers()[thief]
	d.screen.say(plain, "somebody at %s has the credentials of %s, and looks around", who.Address, runner)
	if err := d.steal(ctx); err != nil {
		return err
	}
	d.note(report.Theft, billing, "Somebody at "+who.Address+" with the role of "+runner+" reads the honey token "+honey+", and is denied this key.")
	d.screen.say(dim, "CloudTrail's records take about five minutes on AWS; here they come at once")
	if err := d.message(ctx, "finding", honey, ci); err != nil {
		return err
	}
	d.screen.say(plain, "%s has read %s in the same day, with the same role: it is in the same hands, and a finding of its own", runner, ci)
	if err := d.pass(ctx, sealed, "the hours' counts of reads are complete"); err != nil {
		return err
	}
	if err := d.stack.Task(ctx, audit.TaskSeal); err != nil {
		return err
	}
	return d.prove(ctx)
}

// sealed is after how long an hour's reads are in the ledger.
const sealed = 4 * time.Hour

// steal reads the honey token, and is denied a key.
func (d *demo) steal(ctx context.Context) error {
	client := d.client(thief)
	read := func(name string) error {
		d.screen.say(bold, "$ aws secretsmanager get-secret-value --secret-id %s", name)
		_, err := client.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: &name})
		return err
	}
	if err := read(honey); err != nil {
		return err
	}
	d.screen.say(bad, "  it is read: a honey token, which opens nothing, and which nobody reads in peace")
	// The local AWS has no IAM, and so the denial is made.
	remove := d.region.Cloud.Inject(cloud.Fault{
		Service: "secretsmanager", Match: func(c *wire.Call) bool { return c.AccessKey == thief },
		Error: &wire.Error{Code: "AccessDeniedException", Message: "User is not authorized to perform: secretsmanager:GetSecretValue", Status: 400},
	})
	defer remove()
	if err := read(billing); err == nil || !strings.Contains(err.Error(), "AccessDenied") {
		return fmt.Errorf("the thief is not denied: %w", err)
	}
	d.screen.say(plain, "  AccessDeniedException (the local AWS has no IAM; it is told to refuse this)")
	return nil
}

// prove has the operator's command prove the ledger, and says what is in it.
func (d *demo) prove(ctx context.Context) error {
	if err := d.keyturn(ctx, "ledger", "verify", "s3://"+stack.Ledger, "--key", ledgerKey); err != nil {
		return err
	}
	w := report.Watch{Expected: []string{"D-01 " + honey, "D-01 " + ci}}
	var lines strings.Builder
	proven, err := d.stack.Verify(ctx, func(_ int64, line []byte) error {
		lines.Write(line)
		lines.WriteByte('\n')
		e, err := ledger.Decode(line)
		if err != nil {
			return err
		}
		f, err := history.Of(e)
		count(&w, f)
		return err
	})
	if err != nil {
		return err
	}
	for _, m := range d.region.SNS.Inbox(stack.Topic) {
		if m.Attributes["kind"].Value == "finding" {
			w.Told++
		}
	}
	w.Entries, d.ledger = proven.Tree.N, lines.String()
	d.run.Watch = w
	if w.Entries == 0 {
		return errors.New("the ledger is empty")
	}
	d.screen.say(good, "%d entries proven: %d acts of ours, %d reads in hourly counts, %d denied, %d alerts", w.Entries, w.Acts, w.Reads, w.Denied, len(w.Alerts))
	return nil
}

func count(w *report.Watch, f history.Fact) {
	switch f.Kind {
	case history.KindAct:
		w.Acts++
	case history.KindReads:
		w.Reads += f.Reads.Count
	case history.KindAlert:
		w.Alerts = append(w.Alerts, f.Alert.Rule+" "+f.Alert.Secret)
	case history.KindCall:
		if f.Call.Error != "" {
			w.Denied++
		}
	}
}

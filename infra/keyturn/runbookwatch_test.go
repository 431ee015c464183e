package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/keyturn/keyturn/shared/history"
	"github.com/keyturn/keyturn/shared/ledger"
	"github.com/keyturn/keyturn/test/stack"
)

// soon waits for something, in real time.
func soon(ctx context.Context, what string, there func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := there(); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.New("waited in vain: " + what)
		}
	}
}

// cmdTask takes what waits in the queues first.
func (w *world) cmdTask(ctx context.Context, args []string) error {
	for _, name := range args {
		if err := w.cmdIdle(ctx, nil); err != nil {
			return err
		}
		if err := w.stack.Task(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) cmdCut(context.Context, []string) error {
	w.stack.Cut()
	return nil
}

func (w *world) cmdTold(ctx context.Context, args []string) error {
	want, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	var all []string
	err = soon(ctx, args[0]+" messages with "+args[1], func() (bool, error) {
		n := 0
		all = nil
		for _, m := range w.stack.Region.SNS.Inbox(stack.Topic) {
			text := m.For("email")
			first, _, _ := strings.Cut(text, "\n")
			all = append(all, first)
			if strings.Contains(text, args[1]) {
				n++
			}
		}
		return n == want, nil
	})
	if err != nil {
		err = fmt.Errorf("%w; there are %q", err, all)
	}
	return err
}

func (w *world) cmdMissed(ctx context.Context, args []string) error {
	var missed int64
	_, err := w.stack.Verify(ctx, func(_ int64, line []byte) error {
		e, err := ledger.Decode(line)
		if err != nil {
			return err
		}
		f, err := history.Of(e)
		if f.Reconcile != nil {
			missed += int64(f.Reconcile.Missed)
		}
		return err
	})
	if err == nil && (missed > 0) != (args[0] == "some") {
		err = fmt.Errorf("%d events were missed", missed)
	}
	return err
}

func (w *world) cmdReplicate(ctx context.Context, args []string) error {
	c, name := sm.NewFromConfig(w.cloud().Config()), "prod/mailer"
	_, err := c.ReplicateSecretToRegions(ctx, &sm.ReplicateSecretToRegionsInput{SecretId: &name, AddReplicaRegions: []smtypes.ReplicaRegionType{{Region: &args[0]}}})
	if err != nil {
		return err
	}
	w.cloud().Clock().Advance(time.Minute)
	return soon(ctx, "the replica to be in sync", func() (bool, error) {
		d, err := c.DescribeSecret(ctx, &sm.DescribeSecretInput{SecretId: &name})
		return err == nil && d.ReplicationStatus[0].Status == smtypes.StatusTypeInSync, err
	})
}

package lab

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/keyturn/keyturn/shared/detect"
	"github.com/keyturn/keyturn/shared/detect/keysite"
	records "github.com/keyturn/keyturn/shared/keyrecord/dynamodb"
	"github.com/keyturn/keyturn/shared/keysfile"
	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/provider/sendgrid/sendgridtest"
	"github.com/keyturn/keyturn/shared/store"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/clock"
	"github.com/keyturn/keyturn/test/cloud/region"
	"github.com/keyturn/keyturn/test/cloud/secretsmanager"
	"github.com/keyturn/keyturn/test/cloud/sqs"
	"github.com/keyturn/keyturn/test/cloud/wire"
	"github.com/keyturn/keyturn/test/stack"
)

// Account is the vendor account of every exercise, in which all of its keys are.
const Account = "sendgrid-main"

// Files in the folder.
const (
	keysName  = "keyturn.yaml"
	baseName  = "before.yaml" // the keys' file as it was deployed before
	ledgerKey = "ledger.pub"
	trailDir  = "trail"
)

// world is what an exercise takes place in.
type world struct {
	dir, host string
	vendors   []provider.Definition
	region    *region.Region
	stack     *stack.Stack
	records   *records.Table
	vendor    *vendor
	http      *http.Client
	programs  []*program
	server    *http.Server
	still     sync.RWMutex // held for writing while the clock is moved

	mu       sync.Mutex
	deployed *keysfile.File
	first    map[string]string // version at AWSCURRENT when the trainee began
	called   int               // the last call then
	blocked  map[string]func()
	harm     []Harm
	stranger *stranger // nil: there is none

	// What the exercises keep.
	leaked      string         // beginning of the ID of the leaked key
	halted      string         // version whose rotation is stuck
	before      *keysfile.File // as it was deployed before
	spoiledFrom string         // version before the bad one
}

func (w *world) now() time.Time { return w.region.Cloud.Clock().Now() }

// build makes the local AWS, the vendor and the deployment of keys, which is the text
// of a keys' file with HOST where the vendor's address belongs. The local AWS's clock is
// behind by ago, so that what is brought about can lie in the past.
func build(ctx context.Context, dir, keys string, ago time.Duration, vendors []provider.Definition) (w *world, err error) {
	past := clock.New()
	past.Advance(-ago)
	w = &world{
		dir: dir, vendors: vendors, blocked: map[string]func(){}, first: map[string]string{},
		http:   &http.Client{Transport: &http.Transport{}, Timeout: 5 * time.Second},
		region: region.New(region.Options{Cloud: cloud.Options{Clock: past, SecretsManager: secretsmanager.Options{RetryDelay: time.Millisecond}}}),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	seed := make([]byte, 16)
	_, _ = rand.Read(seed) // it never fails
	w.vendor = &vendor{Server: sendgridtest.New(w.now, sendgridtest.Options{Seed: base64.StdEncoding.EncodeToString(seed)}), revoked: w.revoking}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the vendor: %w", err)
	}
	w.host = l.Addr().String()
	w.server = &http.Server{Handler: w.vendor, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = w.server.Serve(l) }()
	if err := w.write(keysName, keys); err != nil {
		return nil, err
	}
	if err := w.load(); err != nil {
		return nil, err
	}
	return w, w.deploy(ctx)
}

// close ends everything.
func (w *world) close() error {
	if w.server != nil {
		_ = w.server.Close()
	}
	if w.stack != nil {
		w.stack.Close()
	}
	w.http.CloseIdleConnections()
	return w.region.Close()
}

// write writes a file in the folder, with the vendor's address for HOST.
func (w *world) write(name, text string) error {
	return os.WriteFile(filepath.Join(w.dir, name), []byte(strings.ReplaceAll(text, "HOST", w.host)), 0o600)
}

// load reads the keys' file, to be deployed.
func (w *world) load() error {
	f, err := keysfile.LoadFiles(keysfile.Options{Vendors: w.vendors}, filepath.Join(w.dir, keysName))
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deployed = f
	return nil
}

func (w *world) file() *keysfile.File {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.deployed
}

func (w *world) deploy(ctx context.Context) error {
	f := w.file()
	o := stack.Options{
		Accounts:  map[string]stack.Account{Account: {Provider: "sendgrid", Hosts: []string{w.host}, Admin: w.vendor.Admin(w.host)}},
		Keys:      map[string]stack.Key{},
		Configure: func(account string) []byte { return w.file().Config(account) },
		Timeout:   30 * time.Second, Sweep: true,
		Watch: &stack.Watch{
			Callers: callers(f), Deployers: []string{"arn:aws:iam::" + wire.Account + ":user/local"},
			Know: func(s *detect.Site) {
				declared := keysite.Site(w.file(), wire.Account, wire.Region)
				s.Secrets = slices.DeleteFunc(declared.Secrets, func(one detect.Secret) bool { return one.Canary })
				s.Secrets = append(s.Secrets, detect.Secret{Name: stack.Canary, Canary: true, Readers: []string{stack.FunctionRole(stack.Auditor)}})
			},
		},
	}
	for _, k := range f.Keys {
		o.Keys[k.Name] = stack.Key{Account: k.VendorAccount, Owner: k.Owner, Schedule: k.Schedule}
	}
	s, err := stack.Deploy(ctx, w.region, o)
	if err != nil {
		return err
	}
	w.stack = s
	w.records = records.New(dynamodb.NewFromConfig(w.region.Cloud.Config()), stack.Table)
	w.records.Now = w.now
	key, err := s.VerifierKey(ctx)
	if err != nil {
		return err
	}
	if err := w.write(ledgerKey, key+"\n"); err != nil {
		return err
	}
	for _, k := range f.Keys {
		if err := errors.Join(s.Init(ctx, k.Name), s.Enable(ctx, k.Name)); err != nil {
			return err
		}
	}
	for _, k := range f.Keys {
		w.programs = append(w.programs, newProgram(w, reader(k.Name), k.Name))
	}
	return w.settle(ctx)
}

// redeploy takes the keys' file as it is in the folder.
func (w *world) redeploy(ctx context.Context) error {
	if err := w.load(); err != nil {
		return err
	}
	return w.stack.Redeploy(ctx)
}

// reader is the program that reads a key: "prod/mailer" is read by mailer.
func reader(key string) string { return key[strings.LastIndexByte(key, '/')+1:] }

func role(name string) string { return "arn:aws:iam::" + wire.Account + ":role/" + name }

// callers are whose access keys are, which are the programs' names.
func callers(f *keysfile.File) map[string]cloud.Caller {
	out := map[string]cloud.Caller{thief: {Role: role(thiefRole), Session: "i-0f3c9a", Address: "203.0.113.66"}}
	for i, k := range f.Keys {
		name := reader(k.Name)
		out[name] = cloud.Caller{Role: role(name), Session: name, Address: fmt.Sprintf("10.0.0.%d", 10+i)}
	}
	return out
}

// settle waits until nothing is under way. What was tried in vain and waits in a queue
// for its next time is not waited for.
func (w *world) settle(ctx context.Context) error {
	const patience = 3 * time.Second
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	for calm := 0; calm < 3; {
		if err := w.region.Cloud.Idle(ctx); err != nil {
			return err
		}
		calm++
		if !w.rested() && time.Since(began) < patience {
			calm = 0
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// rested reports whether no message waits in the queues.
func (w *world) rested() bool {
	waits := func(m sqs.Message) bool { return !m.Deleted && !m.DeadLetter }
	return w.stack.Drained() && !slices.ContainsFunc(w.region.SQS.Messages("keyturn-labels-"+Account), waits)
}

// steps is in how many steps a long time passes.
const steps = 8

// pass lets time pass in steps, of an hour or more, so that what is due in between is
// done, and what comes of it too.
func (w *world) pass(ctx context.Context, d time.Duration) error {
	step := max(time.Hour, d/steps)
	for d > 0 {
		by := min(d, step)
		d -= by
		if err := w.tick(ctx, by); err != nil {
			return err
		}
	}
	return nil
}

// tick moves the clock while no program is at work: a message that is under way would
// come twice.
func (w *world) tick(ctx context.Context, by time.Duration) error {
	w.still.Lock()
	err := w.settle(ctx)
	w.region.Cloud.Clock().Advance(by)
	w.still.Unlock()
	return errors.Join(err, w.settle(ctx))
}

// current returns the version at AWSCURRENT and the ID of the key in it.
func (w *world) current(name string) (version, id string) {
	version, text := w.region.Cloud.SecretsManager().Peek(name, store.Current)
	id, _ = keyIn(text)
	return version, id
}

// revoking sees that a key is about to be revoked.
func (w *world) revoking(id string) {
	for _, k := range w.file().Keys {
		if _, current := w.current(k.Name); current == id {
			w.hurt(Harm{What: "the key that is current in " + k.Name + " was revoked", Cost: costLive})
		}
	}
}

func (w *world) hurt(h Harm) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Contains(w.harm, h) {
		w.harm = append(w.harm, h)
	}
}

// record writes what CloudTrail has recorded into the folder.
func (w *world) record() error {
	dir := filepath.Join(w.dir, trailDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return writeJSON(filepath.Join(dir, "cloudtrail.json"), map[string]any{"Records": w.region.Cloud.Trail()})
}

package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"github.com/keyturn/keyturn/shared/provider/sendgrid/sendgridtest"
	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/test/cloud"
)

// cached is for how long, on the local AWS's clock, a program keeps what it fetched.
const cached = 5 * time.Second

// program reads a secret and uses its key the whole time, as the programs do for which
// keys are rotated. It is safe for concurrent use.
type program struct {
	name, secret string
	world        *world
	client       *sm.Client

	mu      sync.Mutex
	key     secret.Value
	fetched time.Time
	once    bool      // it was accepted before
	broken  time.Time // since when it fails; zero: it works, or has not begun
	why     string    // of the failure
	breaks  []string  // how it came to fail after it had worked
	uses    int       // that were accepted
}

func newProgram(w *world, name, secret string) *program {
	cfg := w.region.Cloud.Config()
	cfg.Credentials = credentials.NewStaticCredentialsProvider(name, cloud.SecretKey, "")
	return &program{name: name, secret: secret, world: w, client: sm.NewFromConfig(cfg)}
}

// run uses the key until ctx ends.
func (p *program) run(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		p.step(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (p *program) step(ctx context.Context) {
	p.world.still.RLock()
	defer p.world.still.RUnlock()
	err := p.use(ctx)
	if ctx.Err() != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.once, p.broken, p.why = true, time.Time{}, ""
		p.uses++
		return
	}
	p.why = err.Error()
	if p.broken.IsZero() {
		p.broken = p.world.now()
		if p.once {
			p.breaks = append(p.breaks, p.why)
		}
	}
}

func (p *program) use(ctx context.Context) error {
	now := p.world.now()
	p.mu.Lock()
	key, old := p.key, now.Sub(p.fetched) >= cached
	p.mu.Unlock()
	if key.Empty() || old {
		out, err := p.client.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: &p.secret})
		if err != nil {
			code := "no answer"
			if api, ok := errors.AsType[smithy.APIError](err); ok {
				code = api.ErrorCode()
			}
			return fmt.Errorf("AWS does not let it read %s: %s", p.secret, code)
		}
		if out.SecretString != nil {
			_, key = keyIn(*out.SecretString)
		}
		if key.Empty() {
			return fmt.Errorf("there is no key in %s", p.secret)
		}
		p.mu.Lock()
		p.key, p.fetched = key, now
		p.mu.Unlock()
	}
	status, err := p.world.send(ctx, key)
	switch {
	case err != nil:
		return err
	case status != http.StatusAccepted:
		return fmt.Errorf("the vendor answers %d to its key", status)
	}
	return nil
}

// send uses a key at the vendor, and returns the status of the answer.
func (w *world) send(ctx context.Context, key secret.Value) (int, error) {
	r, err := sendgridtest.Consume("http://"+w.host, key)
	if err != nil {
		return 0, fmt.Errorf("make a request: %w", err)
	}
	answer, err := w.http.Do(r.WithContext(ctx))
	if err != nil {
		return 0, fmt.Errorf("use a key: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, nil
}

// state is how a program is.
type state struct {
	works  bool // it was accepted at its last try
	why    string
	breaks []string
	uses   int
}

func (p *program) state() state {
	p.mu.Lock()
	defer p.mu.Unlock()
	return state{p.once && p.broken.IsZero(), p.why, p.breaks, p.uses}
}

// begin forgets what was before, and uses the key once.
func (p *program) begin(ctx context.Context) {
	p.world.still.Lock() // no use is under way
	p.mu.Lock()
	p.key, p.once, p.broken, p.breaks = secret.Value{}, false, time.Time{}, nil
	p.mu.Unlock()
	p.world.still.Unlock()
	p.step(ctx)
}

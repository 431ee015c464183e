package lab

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/keyturn/keyturn/shared/secret"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// The stranger has stolen what the role's programs have: a session of the role.
const (
	thief     = "stranger"
	thiefRole = "ci-runner"
)

// revoke ends a key in the vendor's console.
func (w *world) revoke(ctx context.Context, id string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodDelete, "http://"+w.host+"/v3/api_keys/"+id, nil)
	if err != nil {
		return fmt.Errorf("make a request: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+w.vendor.valid().Reveal())
	answer, err := w.http.Do(r)
	if err != nil {
		return fmt.Errorf("revoke the key: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusNoContent {
		return fmt.Errorf("revoke the key: the vendor answers %d", answer.StatusCode)
	}
	return nil
}

// block has AWS refuse what a role asks for, or ends that. The local AWS has no IAM:
// whose access key it is decides. It is false if there is no such role.
func (w *world) block(name string, undo bool) bool {
	key := name
	if name == thiefRole {
		key = thief
	}
	if _, known := callers(w.file())[key]; !known || name == thief {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	remove := w.blocked[name]
	switch {
	case undo && remove != nil:
		remove()
		delete(w.blocked, name)
	case !undo && remove == nil:
		w.blocked[name] = w.deny(key, "")
	}
	return true
}

// deny has AWS refuse what an access key asks for, about one secret or ("") all.
func (w *world) deny(key, target string) (remove func()) {
	return w.region.Cloud.Inject(cloud.Fault{
		Match: func(c *wire.Call) bool {
			return c.AccessKey == key && (target == "" || c.Service == "secretsmanager" && named(c.Body, target))
		},
		Error: &wire.Error{Code: "AccessDeniedException", Message: "User is not authorized to perform this action", Status: http.StatusBadRequest},
	})
}

// isBlocked reports whether a role's sessions were ended.
func (w *world) isBlocked(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.blocked[name] != nil
}

// stranger reads a secret again and again. It is safe for concurrent use.
type stranger struct {
	world  *world
	secret string
	client *sm.Client

	mu    sync.Mutex
	taken map[string]secret.Value // by ID
}

func newStranger(w *world, name string) *stranger {
	cfg := w.region.Cloud.Config()
	cfg.Credentials = credentials.NewStaticCredentialsProvider(thief, cloud.SecretKey, "")
	return &stranger{world: w, secret: name, client: sm.NewFromConfig(cfg), taken: map[string]secret.Value{}}
}

func (t *stranger) run(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			t.world.still.RLock()
			_ = t.read(ctx, t.secret) // who is refused comes again
			t.world.still.RUnlock()
		case <-ctx.Done():
			return
		}
	}
}

func (t *stranger) read(ctx context.Context, name string) error {
	out, err := t.client.GetSecretValue(ctx, &sm.GetSecretValueInput{SecretId: &name})
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if out.SecretString == nil {
		return nil
	}
	if id, key := keyIn(*out.SecretString); id != "" {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.taken[id] = key
	}
	return nil
}

// working returns how many of the keys that the stranger has the vendor still accepts.
func (t *stranger) working() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, key := range t.taken {
		if t.world.vendor.Works(key) {
			n++
		}
	}
	return n
}

package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/keyturn/keyturn/shared/secret"
)

// note is how a session is found.
type note struct {
	Exercise string `json:"exercise"`
	Endpoint string `json:"endpoint"`
	PID      int    `json:"pid"`
}

// ErrNone says that no exercise is held in a folder.
var ErrNone = errors.New("no exercise is held here")

// ErrDead says that the folder of an exercise is there, and it itself is not.
var ErrDead = errors.New("the exercise has ended without its end being asked for")

// Client asks the session of a folder. Use [Open].
type Client struct {
	// Exercise is the name of what is held.
	Exercise string

	endpoint string
	http     *http.Client
}

// Open finds the session of a folder. The error is ErrNone if there is none.
func Open(dir string) (*Client, error) {
	data, err := os.ReadFile(filepath.Join(dir, noteName)) //nolint:gosec // G304: the caller says where
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNone
	}
	if err != nil {
		return nil, err
	}
	var n note
	if err := json.Unmarshal(data, &n); err != nil || n.Endpoint == "" {
		return nil, ErrNone
	}
	return &Client{n.Exercise, n.Endpoint, &http.Client{Transport: &http.Transport{}}}, nil
}

// RefusedError is why a session does not do what it was asked for.
type RefusedError struct{ What string }

func (r *RefusedError) Error() string { return r.What }

// Check judges how the exercise stands.
func (c *Client) Check(ctx context.Context) (r Report, err error) {
	return r, c.ask(ctx, http.MethodGet, "check", byName{}, &r)
}

// Hint takes a hint, which costs points. A *RefusedError says that there is none.
func (c *Client) Hint(ctx context.Context) (h Hint, err error) {
	return h, c.ask(ctx, http.MethodPost, "hint", byName{}, &h)
}

// Scenario is what the trainee is told.
func (c *Client) Scenario(ctx context.Context) (string, error) {
	var out struct{ Scenario string }
	err := c.ask(ctx, http.MethodGet, "scenario", byName{}, &out)
	return out.Scenario, err
}

// Mail is what was sent to the people who are told.
func (c *Client) Mail(ctx context.Context) (m Mail, err error) {
	return m, c.ask(ctx, http.MethodGet, "mail", byName{}, &m)
}

// VendorKeys are those that the vendor has.
func (c *Client) VendorKeys(ctx context.Context) (all []VendorKey, err error) {
	return all, c.ask(ctx, http.MethodGet, "vendor", byName{}, &all)
}

// Revoke ends a key in the vendor's console.
func (c *Client) Revoke(ctx context.Context, id string) error {
	return c.ask(ctx, http.MethodPost, "revoke", byName{Name: id}, nil)
}

// NewAdmin makes an admin credential in the vendor's console; the one before is ended.
func (c *Client) NewAdmin(ctx context.Context) (secret.Value, error) {
	var out struct {
		Key secret.Value `json:"apiKey"`
	}
	err := c.ask(ctx, http.MethodPost, "admin", byName{}, &out)
	return out.Key, err
}

// Block ends a role's sessions, or with undo lets it begin others.
func (c *Client) Block(ctx context.Context, role string, undo bool) error {
	return c.ask(ctx, http.MethodPost, "block", byName{Name: role, Undo: undo}, nil)
}

// Deploy deploys the keys' file of the folder.
func (c *Client) Deploy(ctx context.Context) error {
	return c.ask(ctx, http.MethodPost, "deploy", byName{}, nil)
}

// Wait lets time pass, and returns the local AWS's time.
func (c *Client) Wait(ctx context.Context, d time.Duration) (time.Time, error) {
	var out waited
	err := c.ask(ctx, http.MethodPost, "wait", byName{Name: d.String()}, &out)
	return out.Now, err
}

// End ends the exercise and returns how it stood; its folder goes, unless it is kept.
func (c *Client) End(ctx context.Context, keep bool) (r Report, err error) {
	return r, c.ask(ctx, http.MethodPost, "end", byName{Keep: keep}, &r)
}

func (c *Client) ask(ctx context.Context, method, path string, in byName, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encode the request: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.endpoint+prefix+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make a request: %w", err)
	}
	answer, err := c.http.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return ErrDead
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		var bad struct{ Error string }
		_ = json.NewDecoder(answer.Body).Decode(&bad)
		return &RefusedError{bad.Error}
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(answer.Body).Decode(out); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}

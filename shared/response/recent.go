package response

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/keyturn/keyturn/shared/cell"
)

// place is that of a request among the recent ones.
type place struct {
	Name   string    `json:"name"` // of the finding and the secret
	Secret string    `json:"secret"`
	At     time.Time `json:"at"`
}

// place takes a place for the request, or says why there is none. One that this
// request took before, and did not use, is taken anew. One of a time that is far from
// now, before or after, holds nobody up: a clock was wrong then.
func (r *Responder) place(ctx context.Context, name, secret string) (refused string, err error) {
	cooldown := cmp.Or(r.Rules.Cooldown, defaultCooldown)
	var wrong error
	for range attempts {
		recent, at, err := r.recent(ctx)
		if err != nil {
			return "", err
		}
		now := r.Now()
		recent = slices.DeleteFunc(recent, func(p place) bool { return p.Name == name || now.Sub(p.At).Abs() >= max(cooldown, time.Hour) })
		if refused := r.limits(recent, secret, cooldown, now); refused != "" {
			return refused, nil
		}
		if at.Data, err = json.Marshal(append(recent, place{name, secret, now})); err != nil { //nolint:gosec // Secret is its name
			return "", errors.New("store the recent requests: a time that JSON does not know")
		}
		// It may be stored even after an error: then the next attempt finds its own.
		if wrong = r.Cells.Put(ctx, at); wrong == nil {
			return "", nil
		}
	}
	return "", fmt.Errorf("store the recent requests: %w", wrong)
}

// giveBack frees the place of a request that began nothing: else what is refused, and
// what an attacker reads then, would use up the hour and the secret's cooldown. If it
// cannot, the limits are reached earlier, and no rotation too many is asked for.
func (r *Responder) giveBack(ctx context.Context, name string) {
	var wrong error
	for range attempts {
		recent, at, err := r.recent(ctx)
		if wrong = err; err != nil {
			break
		}
		kept := slices.DeleteFunc(slices.Clone(recent), func(p place) bool { return p.Name == name })
		if len(kept) == len(recent) {
			return
		}
		if at.Data, wrong = json.Marshal(kept); wrong != nil { //nolint:gosec // names of secrets
			break
		}
		if wrong = r.Cells.Put(ctx, at); wrong == nil {
			return
		}
	}
	if wrong != nil {
		r.Log.LogAttrs(ctx, slog.LevelWarn, "the place of a refused rotation was not given back", slog.String("error", wrong.Error()))
	}
}

// limits says why no other rotation of secret is asked for now, "" if one may be.
func (r *Responder) limits(recent []place, secret string, cooldown time.Duration, now time.Time) string {
	lastHour := 0
	for _, p := range recent {
		if p.Secret == secret && now.Sub(p.At) < cooldown {
			return "not started: a rotation was asked for at " + p.At.UTC().Format("15:04 UTC") + ", and again after " + cooldown.String() + " at the earliest"
		}
		if now.Sub(p.At) < time.Hour {
			lastHour++
		}
	}
	if most := cmp.Or(r.Rules.Hourly, defaultHourly); lastHour >= most {
		return fmt.Sprintf("not started: %d rotations were asked for within an hour, the most", lastHour)
	}
	return ""
}

func (r *Responder) recent(ctx context.Context) ([]place, cell.Cell, error) {
	at := cell.Cell{Part: partRecent, Name: "requests"}
	cells, err := r.Cells.Load(ctx, at.Part, []string{at.Name})
	if err != nil {
		return nil, at, fmt.Errorf("load the recent requests: %w", err)
	}
	if len(cells) == 0 {
		return nil, at, nil
	}
	var out []place
	if json.Unmarshal(cells[0].Data, &out) != nil {
		return nil, at, errors.New("load the recent requests: they are not as they were stored")
	}
	return out, cells[0], nil
}

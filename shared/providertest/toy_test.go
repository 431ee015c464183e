package providertest

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/keyturn/keyturn/shared/provider"
	"github.com/keyturn/keyturn/shared/secret"
)

type toySettings struct {
	URL       string `json:"baseURL"`
	Principal string `json:"principal" principal:"true"`
}

func (s toySettings) BaseURL() string            { return s.URL }
func (toySettings) Problems() []provider.Problem { return nil }

// sharedSettings do not say what they hand over.
type sharedSettings struct {
	URL       string `json:"baseURL"`
	Principal string `json:"principal"`
}

func (s sharedSettings) BaseURL() string            { return s.URL }
func (sharedSettings) Problems() []provider.Problem { return nil }

// toy is a subject whose package can be spoiled.
type toy struct {
	strategy string
	place    bool // DualSlot: by Place
	only     bool // RollInPlace: by Roll only
	info     func(*provider.Info)
	shared   bool // nothing names the principal
	spoil    func(*toyClient)
}

func (y toy) subject() Subject {
	rolls := y.strategy != "DualSlot"
	o := toyOptions{held: rolls}
	if !rolls {
		o.max = 5
	}
	slow := o
	slow.lag = 20 * time.Second
	info := provider.Info{
		Name: "toy", Title: "Toy", Strategy: y.strategy, Shape: "toy_[0-9a-f]{32}", LastUsed: !rolls,
		Admin:  []provider.Field{{Name: "token"}},
		Settle: provider.Settle{Within: 30 * time.Second, Every: 3 * time.Second, Successes: 2},
	}
	if y.info != nil {
		y.info(&info)
	}
	open := func(admin provider.Admin, hc *http.Client) provider.Strategy {
		c := newToyClient(admin, hc)
		if y.spoil != nil {
			y.spoil(c)
		}
		return y.strategyOf(c)
	}
	definition := provider.Define(info, func(_ toySettings, a provider.Admin, hc *http.Client) provider.Strategy { return open(a, hc) })
	if y.shared {
		definition = provider.Define(info, func(_ sharedSettings, a provider.Admin, hc *http.Client) provider.Strategy { return open(a, hc) })
	}
	return Subject{
		Definition: definition,
		Settings: func(base string) json.RawMessage {
			return json.RawMessage(`{"baseURL":"` + base + `","principal":"p"}`)
		},
		New:  func(clock func() time.Time) Fake { return newToy(clock, o) },
		Slow: func(clock func() time.Time) Fake { return newToy(clock, slow) },
		Consume: func(base string, v secret.Value) (*http.Request, error) {
			req, err := http.NewRequest(http.MethodGet, base+"/v1/data", nil)
			if err == nil {
				req.Header.Set("Authorization", "Bearer "+v.Reveal())
			}
			return req, err
		},
	}
}

func (y toy) strategyOf(c *toyClient) provider.Strategy {
	switch {
	case y.strategy == "RollWithGrace":
		return provider.RollWithGrace{ID: "one", Key: c, MinGrace: c.grace[0], MaxGrace: c.grace[1]}
	case y.only:
		return provider.RollInPlace{ID: "one", Key: c, Roll: c}
	case y.strategy == "RollInPlace":
		return provider.RollInPlace{ID: "one", Key: c, Set: c, Roll: c, Read: c}
	case y.place:
		return provider.DualSlot{Slots: c, Max: c.slots, Place: c, Usage: c, Disable: c}
	}
	return provider.DualSlot{Slots: c, Max: c.slots, Fill: c, Usage: c, Disable: c}
}

func TestRun_acceptsSoundPackages(t *testing.T) {
	t.Parallel()
	for name, y := range map[string]toy{
		"DualSlot with Place":    {strategy: "DualSlot", place: true},
		"DualSlot with Fill":     {strategy: "DualSlot"},
		"RollInPlace":            {strategy: "RollInPlace"},
		"RollInPlace, Roll only": {strategy: "RollInPlace", only: true},
		"RollWithGrace":          {strategy: "RollWithGrace"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			Run(t, y.subject())
		})
	}
}

func TestGrace_fixed(t *testing.T) {
	t.Parallel()
	fixed := toy{strategy: "RollWithGrace", spoil: func(c *toyClient) {
		capped(time.Hour, time.Hour, [2]time.Duration{time.Hour, time.Hour})(c)
	}}
	if found := scenario(grace)(t, fixed.subject()); len(found) > 0 {
		t.Error(found)
	}
}

package main

import (
	"errors"
	"fmt"

	"github.com/keyturn/keyturn/infra/access"
)

// proven is what access --all prints as JSON.
type proven struct {
	Version int         `json:"version"`
	Cells   int         `json:"cells"`
	Shapes  int         `json:"shapes"`
	Keys    int         `json:"keys"`
	Wrong   []wrongCell `json:"wrong"`
	Open    []string    `json:"open"` // keys without readers
}

// wrongCell is a cell of the proof that is not as the rule says, and the
// statement to blame; without one nothing allows it.
type wrongCell struct {
	Actor    string   `json:"actor"`
	Network  string   `json:"network"`
	Action   string   `json:"action"`
	Resource string   `json:"resource"`
	Expected string   `json:"expected"`
	Got      string   `json:"got"`
	If       []string `json:"if,omitempty"`
	Policy   string   `json:"policy,omitempty"`
	Sid      string   `json:"sid,omitempty"`
	Why      string   `json:"why,omitempty"`
}

func (a *app) runAccessAll() error {
	f, err := a.keysFile()
	if err != nil {
		return err
	}
	env, err := a.placeFor("")
	if err != nil {
		return err
	}
	proof, err := access.Prove(f, env)
	if _, wrong := errors.AsType[*access.WrongError](err); err != nil && !wrong {
		return failed(typeConfig, err.Error(), "see all that is wrong: keyturn validate")
	}
	a.printProof(proof, len(f.Keys))
	if len(proof.Wrong) > 0 {
		return exit(exitFailed)
	}
	return nil
}

func (a *app) printProof(proof access.Proof, keys int) {
	if a.flags.json {
		out := proven{Version: 1, Cells: proof.Cells, Shapes: proof.Shapes, Keys: keys, Wrong: []wrongCell{}, Open: append([]string{}, proof.Open...)}
		for _, c := range proof.Wrong {
			expected := "denied"
			if c.Expected {
				expected = "allowed"
			}
			d := c.Got
			out.Wrong = append(out.Wrong, wrongCell{c.Actor, c.Network, c.Action, c.Resource, expected, d.Effect.String(), d.If, d.Policy, d.Sid, d.Why})
		}
		a.printJSON(out)
		return
	}
	a.say("%d cells, of %s in %s, and of the admin credentials.", proof.Cells, count(keys, "key"), count(proof.Shapes, "shape"))
	for _, c := range proof.Wrong {
		a.say("wrong: %s", c)
	}
	for _, k := range proof.Open {
		a.say("open: %s has no readers, so identity policies decide who may read it", k)
	}
	if len(proof.Wrong) > 0 {
		_, _ = fmt.Fprintln(a.err, "keyturn: "+count(len(proof.Wrong), "cell")+" other than the file means: do not deploy this, and report it")
		return
	}
	a.say("None is other than the file means.")
}

package rotatenow_test

import (
	"testing"

	"github.com/keyturn/keyturn/shared/rotatenow"
)

func TestCheckAlias(t *testing.T) {
	t.Parallel()
	const arn = "arn:aws:lambda:eu-west-1:111122223333:function:keyturn-rotatenow"
	modes := []rotatenow.Mode{rotatenow.Rotate, rotatenow.Plan, rotatenow.Pause, rotatenow.Resume, rotatenow.Ack, rotatenow.Emergency}
	for alias, admits := range map[string][]rotatenow.Mode{
		":rotate": {rotatenow.Rotate}, ":plan": {rotatenow.Plan}, ":control": {rotatenow.Pause, rotatenow.Resume, rotatenow.Ack}, ":emergency": {rotatenow.Emergency},
		"": modes, ":$LATEST": modes, ":live": modes,
	} {
		want := map[rotatenow.Mode]bool{}
		for _, m := range admits {
			want[m] = true
		}
		for _, m := range modes {
			if got := (rotatenow.Request{Mode: m}).CheckAlias(arn+alias) == nil; got != want[m] {
				t.Errorf("%q admits %s: %v", alias, m, got)
			}
		}
	}
	if err := (rotatenow.Request{Mode: rotatenow.Emergency}).CheckAlias(""); err != nil {
		t.Errorf("outside Lambda: %v", err)
	}
}

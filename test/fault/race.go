package fault

// Race says which invocations run beside each other.
type Race struct{ Seed uint64 }

// Racing returns a run in which several invocations race, as its seed says.
func Racing(s Subject, seed uint64) Run { return Run{Subject: s, Race: &Race{seed}} }

// race lets several invocations run beside each other, one request at a time.
type race struct{}

func (r *Race) begin(*World) *race { return nil }

// actor is one invocation of a race.
type actor struct{}

func (a *actor) wait() {}

func (r *race) step([]byte) ([]byte, string) { return nil, "" }

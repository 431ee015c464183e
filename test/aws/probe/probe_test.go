package probe_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/test/aws/probe"
	"github.com/keyturn/keyturn/test/cloud"
	"github.com/keyturn/keyturn/test/cloud/lambda"
	"github.com/keyturn/keyturn/test/cloud/region"
)

// bus is the local AWS's.
type bus struct{ cloud *cloud.Cloud }

func (b bus) Labels(_ context.Context, arn string) (func(context.Context) (int, error), error) {
	var mu sync.Mutex
	n := 0
	cancel := b.cloud.Subscribe(func(e cloud.Event) bool {
		return e.DetailType == "Secret Label Updated" && len(e.Resources) > 0 && e.Resources[0] == arn
	}, func(context.Context, []byte) {
		mu.Lock()
		defer mu.Unlock()
		n++
	})
	return func(context.Context) (int, error) {
		cancel()
		mu.Lock()
		defer mu.Unlock()
		return n, nil
	}, nil
}

// local runs a probe on a local AWS of its own.
func local(t *testing.T, p probe.Probe) (out probe.Outcome) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := region.New(region.Options{})
		defer func() {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}()
		cfg := r.Cloud.Config()
		err := r.Lambda.Register(lambda.Function{Name: "probe", Timeout: time.Minute, Handler: func(ctx context.Context, payload []byte) ([]byte, error) {
			return []byte("null"), probe.Handle(ctx, cfg, payload)
		}})
		if err != nil {
			t.Fatal(err)
		}
		out, err = p.Run(t.Context(), &probe.World{
			Config: cfg, Name: "kt-test-0123abcd", Bus: bus{r.Cloud},
			Function: "arn:aws:lambda:us-east-1:123456789012:function:probe", Role: "arn:aws:iam::123456789012:role/probe",
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	return out
}

// TestProbes runs each probe on the local AWS: it does what is assumed there, and
// what was recorded of AWS, once there is a recording.
func TestProbes(t *testing.T) {
	t.Parallel()
	recorded := map[string]probe.Outcome{}
	b, err := os.ReadFile("../recorded.json")
	switch {
	case os.IsNotExist(err):
		t.Log("nothing was recorded of AWS yet: make test-aws")
	case err != nil:
		t.Fatal(err)
	default:
		if err := json.Unmarshal(b, &recorded); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range probe.All() {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			got := local(t, p)
			if diff := cmp.Diff(p.Assumed, got); diff != "" {
				t.Errorf("not what is assumed (-assumed +local):\n%s", diff)
			}
			want, ok := recorded[p.Name]
			if !ok {
				return
			}
			for _, d := range probe.Diff(map[string]probe.Outcome{p.Name: want}, map[string]probe.Outcome{p.Name: got}) {
				t.Errorf("AWS does it otherwise: change test/cloud, and what is assumed here\n%s", d)
			}
		})
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	name := probe.All()[0].Name
	want := map[string]probe.Outcome{name: {"a": 1, "b": "x"}}
	if d := probe.Diff(want, map[string]probe.Outcome{name: {"b": "x", "a": float64(1)}}); len(d) != 0 {
		t.Errorf("the same differs: %v", d)
	}
	for _, got := range []probe.Outcome{{"a": 2, "b": "x"}, {"a": 1}, nil} {
		if d := probe.Diff(want, map[string]probe.Outcome{name: got}); len(d) != 1 || !strings.Contains(d[0], name) {
			t.Errorf("%v: %v, want one difference that names the probe", got, d)
		}
	}
}

// assumption finds an A in the last column of test/cloud's list: at its beginning, or
// after "; ".
var assumption = regexp.MustCompile(`(^|[;:,] )(?:[^;]* is )?A( |$|\.|;|,)|\bA (for|that|elsewhere)\b`)

// TestClaims fails for an assumption that is neither probed nor explained, and
// for a claim that is no assumption any more.
func TestClaims(t *testing.T) {
	t.Parallel()
	said := sources(t)
	claims := map[string]bool{}
	for _, p := range probe.All() {
		if len(p.Claims) == 0 || len(p.Assumed) == 0 {
			t.Errorf("the probe %s claims nothing", p.Name)
		}
		for _, c := range p.Claims {
			claims[c] = true
		}
	}
	for _, u := range probe.NotProbed() {
		if claims[u.Claim] = true; u.Reason == "" {
			t.Errorf("no reason why %q is not probed", u.Claim)
		}
	}
	for claim := range claims {
		found := false
		for _, s := range said {
			found = found || strings.Contains(s, claim)
		}
		if !found {
			t.Errorf("nobody assumes %q any more", claim)
		}
	}
	for _, s := range said {
		found := false
		for claim := range claims {
			found = found || strings.Contains(s, claim)
		}
		if !found {
			t.Errorf("assumed, and neither probed nor explained: %s", s)
		}
	}
}

// sources are the assumptions: lines of test/cloud's list, and clauses of comments
// behind "package: ".
func sources(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile("../../cloud/BEHAVIOUR.md") //nolint:misspell // its name
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for line := range strings.Lines(string(b)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) == 2 && assumption.MatchString(strings.TrimSpace(cells[1])) {
			all = append(all, strings.TrimSpace(cells[0])+" ("+strings.TrimSpace(cells[1])+")")
		}
	}
	if len(all) < 25 {
		t.Fatalf("%d assumptions in the list: this test does not see them any more", len(all))
	}
	for _, dir := range []string{"sns", "dynamodb", "dynamodb/expr", "sqs", "lambda", "scheduler", "sts", "cloudtrail", "ssm"} {
		all = append(all, comments(t, dir)...)
	}
	return all
}

func comments(t *testing.T, dir string) (all []string) {
	t.Helper()
	files, err := filepath.Glob("../../cloud/" + dir + "/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(b), "\n// ", " ")
		_, text, found := strings.Cut(text, "Assumed, n")
		if !found {
			continue
		}
		_, text, _ = strings.Cut(text, ": ")
		text, _, _ = strings.Cut(text, "\n")
		text, _, _ = strings.Cut(text, ". ")
		for clause := range strings.SplitSeq(text, "; ") {
			all = append(all, dir+": "+clause)
		}
	}
	if len(all) == 0 {
		t.Fatalf("%s assumes nothing: this test does not see it any more", dir)
	}
	return all
}

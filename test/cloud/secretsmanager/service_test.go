package secretsmanager_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/keyturn/keyturn/test/cloud/clock"
	"github.com/keyturn/keyturn/test/cloud/secretsmanager"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

type object = map[string]any

// bench asks a Secrets Manager without HTTP in between.
type bench struct {
	t       *testing.T
	clock   *clock.Clock
	service *secretsmanager.Service
}

func newBench(t *testing.T, opt secretsmanager.Options) *bench {
	t.Helper()
	opt.Clock = clock.New()
	b := &bench{t: t, clock: opt.Clock, service: secretsmanager.New(opt)}
	t.Cleanup(b.service.Close)
	t.Cleanup(opt.Clock.Stop)
	return b
}

// ask returns the answer, or the code of the error.
func (b *bench) ask(op string, in object) (object, string) {
	b.t.Helper()
	switch op {
	case "CreateSecret", "PutSecretValue", "UpdateSecret", "RotateSecret":
		if in["ClientRequestToken"] == nil {
			in["ClientRequestToken"] = uuid.NewString()
		}
	}
	body, err := json.Marshal(in)
	if err != nil {
		b.t.Fatal(err)
	}
	reply, err := b.service.Serve(b.t.Context(), &wire.Call{Service: "secretsmanager", Operation: op, Body: body, HTTP: new(http.Request)})
	if err != nil {
		return nil, wire.AsError(err).Code
	}
	out := object{}
	if len(reply.Body) > 0 {
		if err := json.Unmarshal(reply.Body, &out); err != nil {
			b.t.Fatal(err)
		}
	}
	return out, ""
}

// must is ask that cannot fail.
func (b *bench) must(op string, in object) object {
	b.t.Helper()
	out, code := b.ask(op, in)
	if code != "" {
		b.t.Fatalf("%s: %s", op, code)
	}
	return out
}

// refused checks the code of the error.
func (b *bench) refused(code, op string, in object) {
	b.t.Helper()
	if _, got := b.ask(op, in); got != code {
		b.t.Errorf("%s: %q, want %q", op, got, code)
	}
}

const name = "prod/mailer"

func on(pairs ...any) object {
	out := object{"SecretId": name}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i].(string)] = pairs[i+1]
	}
	return out
}

func (b *bench) create() (version string) {
	b.t.Helper()
	return b.must("CreateSecret", object{"Name": name, "SecretString": "first"})["VersionId"].(string)
}

func (b *bench) put(value string, labels ...string) (version string) {
	b.t.Helper()
	in := on("SecretString", value)
	if len(labels) > 0 {
		in["VersionStages"] = labels
	}
	return b.must("PutSecretValue", in)["VersionId"].(string)
}

func (b *bench) labels(version string) []string {
	b.t.Helper()
	stages, _ := b.must("DescribeSecret", on())["VersionIdsToStages"].(object)
	var out []string
	labels, _ := stages[version].([]any)
	for _, l := range labels {
		out = append(out, l.(string))
	}
	slices.Sort(out)
	return out
}

func TestLabelsMove(t *testing.T) {
	t.Parallel()
	b := newBench(t, secretsmanager.Options{})
	v0 := b.create()
	v1 := b.put("second", "AWSPENDING")
	move := func(pairs ...any) object { return on(append(pairs, "VersionStage", "AWSCURRENT")...) }

	b.refused("InvalidParameterException", "UpdateSecretVersionStage", move("MoveToVersionId", v1))
	b.refused("InvalidParameterException", "UpdateSecretVersionStage", move("MoveToVersionId", v1, "RemoveFromVersionId", v1))
	b.refused("ResourceNotFoundException", "UpdateSecretVersionStage", move("MoveToVersionId", uuid.NewString(), "RemoveFromVersionId", v0))
	b.refused("InvalidParameterException", "UpdateSecretVersionStage", move("RemoveFromVersionId", v0))
	b.refused("InvalidParameterException", "UpdateSecretVersionStage", move())
	if diff := cmp.Diff([]string{"AWSCURRENT"}, b.labels(v0)); diff != "" {
		t.Fatalf("a refused move changed something (-want +got):\n%s", diff)
	}

	b.must("UpdateSecretVersionStage", move("MoveToVersionId", v1, "RemoveFromVersionId", v0))
	if diff := cmp.Diff([]string{"AWSCURRENT", "AWSPENDING"}, b.labels(v1)); diff != "" {
		t.Errorf("AWSPENDING stays where it is (-want +got):\n%s", diff)
	}
	b.must("UpdateSecretVersionStage", move("MoveToVersionId", v1)) // it is there already
	b.must("UpdateSecretVersionStage", move("MoveToVersionId", v0, "RemoveFromVersionId", v1))
	if diff := cmp.Diff([]string{"AWSPENDING", "AWSPREVIOUS"}, b.labels(v1)); diff != "" {
		t.Errorf("going back turns the labels around (-want +got):\n%s", diff)
	}
	b.must("UpdateSecretVersionStage", on("VersionStage", "AWSPENDING", "RemoveFromVersionId", v1))
	if diff := cmp.Diff([]string{"AWSPREVIOUS"}, b.labels(v1)); diff != "" {
		t.Errorf("a label can be taken off (-want +got):\n%s", diff)
	}
}

func TestTokensAreIdempotent(t *testing.T) {
	t.Parallel()
	b := newBench(t, secretsmanager.Options{})
	b.create()
	token := uuid.NewString()
	put := func(value string) object { return on("SecretString", value, "ClientRequestToken", token) }
	b.must("PutSecretValue", put("second"))
	b.put("third")
	b.must("PutSecretValue", put("second"))
	if diff := cmp.Diff([]string{"AWSPREVIOUS"}, b.labels(token)); diff != "" {
		t.Errorf("the same again does nothing (-want +got):\n%s", diff)
	}
	b.refused("ResourceExistsException", "PutSecretValue", put("other"))
	b.refused("ResourceExistsException", "PutSecretValue", on("SecretBinary", "c2Vjb25k", "ClientRequestToken", token))
	b.refused("ResourceExistsException", "UpdateSecret", put("other"))
	b.refused("InvalidParameterException", "PutSecretValue", on("SecretString", "x", "ClientRequestToken", "short"))
	b.refused("InvalidRequestException", "PutSecretValue", on())
	b.refused("InvalidParameterException", "PutSecretValue", on("SecretString", "x", "SecretBinary", "eA=="))
}

func TestFirstVersionIsCurrent(t *testing.T) {
	t.Parallel()
	b := newBench(t, secretsmanager.Options{})
	b.must("CreateSecret", object{"Name": name})
	v := b.put("first", "AWSPENDING")
	if diff := cmp.Diff([]string{"AWSCURRENT", "AWSPENDING"}, b.labels(v)); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	b := newBench(t, secretsmanager.Options{})
	b.create()
	b.must("PutSecretValue", on("SecretString", strings.Repeat("x", 65536)))
	b.refused("ValidationException", "PutSecretValue", on("SecretString", strings.Repeat("x", 65537)))
	var labels []string
	for i := range 18 { // AWSCURRENT and AWSPREVIOUS are there
		labels = append(labels, "l"+strconv.Itoa(i))
	}
	b.put("labeled", labels...)
	b.refused("LimitExceededException", "PutSecretValue", on("SecretString", "x", "VersionStages", []string{"one too many"}))
	b.refused("ValidationException", "CreateSecret", object{"Name": strings.Repeat("n", 513), "SecretString": "x"})
}

func TestOldVersionsArePruned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, secretsmanager.Options{})
		b.create()
		for i := range 130 {
			b.put("value " + strconv.Itoa(i))
		}
		count := func() int {
			n, in := 0, on("IncludeDeprecated", true)
			for {
				out := b.must("ListSecretVersionIds", in)
				n += len(out["Versions"].([]any))
				next, more := out["NextToken"]
				if !more {
					return n
				}
				in["NextToken"] = next
			}
		}
		if got := count(); got != 131 {
			t.Errorf("%d versions within a day, want all 131", got)
		}
		b.clock.Advance(25 * time.Hour)
		b.put("a day later")
		if got := count(); got != 100 {
			t.Errorf("%d versions a day later, want 100", got)
		}
	})
}

func TestStaleReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, secretsmanager.Options{ReadLag: 3 * time.Second})
		b.create()
		b.refused("ResourceNotFoundException", "GetSecretValue", on())
		b.clock.Advance(4 * time.Second)
		v := b.put("second", "AWSPENDING")
		b.refused("ResourceNotFoundException", "GetSecretValue", on("VersionId", v, "VersionStage", "AWSPENDING"))
		if got := b.labels(v); got != nil {
			t.Errorf("the description knows %v too early", got)
		}
		b.clock.Advance(4 * time.Second)
		b.must("GetSecretValue", on("VersionId", v, "VersionStage", "AWSPENDING"))
	})
}

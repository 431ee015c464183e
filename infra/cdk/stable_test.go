//go:build !race

package cdk

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/keysfile"
)

// stateful are the types whose resources hold what cannot be made again.
var stateful = []string{
	"AWS::SecretsManager::Secret", "AWS::KMS::Key", "AWS::KMS::Alias", "AWS::DynamoDB::Table", "AWS::Logs::LogGroup", "AWS::SQS::Queue", "AWS::SNS::Topic",
	"AWS::EC2::EIP", "AWS::S3::Bucket",
}

// places returns every stateful resource by stack and logical id, with its
// properties.
func (a *assembly) places() map[string]string {
	out := map[string]string{}
	for _, kind := range stateful {
		for id, r := range a.of(kind) {
			out[id] = kind + " " + written(r.Properties)
		}
	}
	return out
}

// change adds, removes and renames a few keys, and puts all in another order.
func change(f *keysfile.File, n int, random *rand.Rand) (*keysfile.File, map[string]bool) {
	out := *f
	out.Keys = slices.Clone(f.Keys)
	touched := map[string]bool{}
	for i := range n {
		j := random.IntN(len(out.Keys))
		switch old := out.Keys[j]; i % 3 {
		case 0:
			old.Name = fmt.Sprintf("added/%x", random.Uint64())
			out.Keys = append(out.Keys, old)
			touched[old.Name] = true
		case 1:
			touched[old.Name] = true
			out.Keys = slices.Delete(out.Keys, j, j+1)
		default:
			touched[old.Name] = true
			out.Keys[j].Name = fmt.Sprintf("renamed/%x", random.Uint64())
			touched[out.Keys[j].Name] = true
		}
	}
	random.Shuffle(len(out.Keys), func(i, j int) { out.Keys[i], out.Keys[j] = out.Keys[j], out.Keys[i] })
	return &out, touched
}

// TestStable_places works on the rule alone, for a thousand keys: where a key
// is depends on its name and on nothing else.
func TestStable_places(t *testing.T) {
	type place struct {
		shard int
		id    string
	}
	places := func(f *keysfile.File) map[string]place {
		out := map[string]place{}
		ids := map[string]string{}
		for _, k := range f.Keys {
			p := place{keysfile.Shard(k.Name, f.Shards), KeyID(k.Name)}
			if other := ids[p.id]; other != "" {
				t.Errorf("%s and %s have one id", other, k.Name)
			}
			ids[p.id], out[k.Name] = k.Name, p
		}
		return out
	}
	random := rand.New(rand.NewPCG(1, 2))
	f := fileOf(1000)
	before := places(f)
	for range 50 {
		next, _ := change(f, 30, random)
		after := places(next)
		for name, p := range before {
			if q, ok := after[name]; ok && q != p {
				t.Fatalf("%s moved from %v to %v", name, p, q)
			}
		}
		f, before = next, after
	}
}

// TestStable_templates looks at the templates themselves: no other stateful
// resource changes its stack, its logical id or its properties.
func TestStable_templates(t *testing.T) {
	f := fileOf(48)
	f.Shards = 4
	next, touched := change(f, 9, rand.New(rand.NewPCG(3, 4)))
	var all [2]map[string]string
	for i, file := range []*keysfile.File{f, next} {
		a, err := synth(StacksProps{File: file, Environment: home, Code: stub{}}, false)
		if err != nil {
			t.Fatal(err)
		}
		all[i] = a.places()
	}
	kept := func(m map[string]string) map[string]string {
		out := map[string]string{}
		for id, r := range m {
			if !touched[nameIn(r)] {
				out[id] = r
			}
		}
		return out
	}
	if d := cmp.Diff(kept(all[0]), kept(all[1])); d != "" {
		t.Errorf("stateful resources of keys that did not change (-before +after):\n%s", d)
	}
	if len(kept(all[0])) < 40 || len(all[0]) == len(kept(all[0])) || len(all[1]) == len(kept(all[1])) {
		t.Errorf("%d and %d resources, %d kept: nothing was changed", len(all[0]), len(all[1]), len(kept(all[0])))
	}
}

// TestStable_lastOfShard removes the only key of a shard. Its two stacks are
// still there, without a resource: that is how the CDK's command comes to delete
// what is deployed.
func TestStable_lastOfShard(t *testing.T) {
	one := fileOf(1)
	shard := keysfile.Shard(one.Keys[0].Name, one.Shards)
	names := []string{fmt.Sprintf("keyturn-keys-%02d", shard), fmt.Sprintf("keyturn-schedules-%02d", shard)}
	for _, f := range []*keysfile.File{one, fileOf(0)} {
		a, err := synth(StacksProps{File: f, Environment: home, Code: stub{}}, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if rs, ok := a.resources[name]; !ok || (len(rs) > 0) != (len(f.Keys) > 0) {
				t.Errorf("%d keys: %s is there: %v, with %d resources", len(f.Keys), name, ok, len(rs))
			}
		}
	}
}

var secretName = regexp.MustCompile(`"Name":"([^"]+)"`)

// nameIn is the secret's name in what places returns.
func nameIn(resource string) string {
	if m := secretName.FindStringSubmatch(resource); m != nil {
		return m[1]
	}
	return ""
}

// TestStable_movedBetweenAccounts moves a key to another vendor account: its
// secret stays where it is, and its first value is another resource, since
// CloudFormation refuses to change whom a custom resource asks.
func TestStable_movedBetweenAccounts(t *testing.T) {
	var secrets, firsts [2]string
	for i, account := range []string{"sendgrid-main", "sendgrid-other"} {
		f := fileOf(1)
		f.VendorAccounts["sendgrid-other"] = f.VendorAccounts["sendgrid-main"]
		f.Keys[0].VendorAccount = account
		a, err := synth(StacksProps{File: f, Environment: home, Code: stub{}}, false)
		if err != nil {
			t.Fatal(err)
		}
		for id, r := range a.of("AWS::SecretsManager::Secret") {
			if r.Properties["Name"] == f.Keys[0].Name {
				secrets[i] = id
			}
		}
		for id := range a.of(FirstValueType) {
			firsts[i] = id
		}
	}
	if secrets[0] == "" || secrets[0] != secrets[1] || firsts[0] == "" || firsts[0] == firsts[1] {
		t.Errorf("secrets %q, first values %q", secrets, firsts)
	}
}

// identity are the properties whose change makes CloudFormation replace a
// stateful resource, or, of a CMK and of local indexes, is one that it refuses.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-kms-key.html
var identity = map[string][]string{
	"AWS::SecretsManager::Secret": {"Name"},
	"AWS::KMS::Key":               {"KeySpec", "KeyUsage", "MultiRegion", "Origin"},
	"AWS::KMS::Alias":             {"AliasName"},
	"AWS::DynamoDB::Table":        {"TableName", "KeySchema", "AttributeDefinitions", "LocalSecondaryIndexes", "ImportSourceSpecification"},
	"AWS::Logs::LogGroup":         {"LogGroupName"},
	"AWS::SQS::Queue":             {"QueueName", "FifoQueue"},
	"AWS::SNS::Topic":             {"TopicName", "FifoTopic"},
	"AWS::S3::Bucket":             {"BucketName", "ObjectLockEnabled"},
	"AWS::EC2::EIP":               {"Domain", "Address", "IpamPoolId", "NetworkBorderGroup", "PublicIpv4Pool"},
}

// identified is a resource's type with the properties that make it what it is.
func identified(r resource) string {
	out := []string{r.Type}
	for _, p := range identity[r.Type] {
		v := r.Properties[p]
		if all, ok := v.([]any); ok && p == "AttributeDefinitions" { // others are of global indexes, which may come and go
			v = slices.DeleteFunc(slices.Clone(all), func(a any) bool {
				return !strings.Contains(written(r.Properties["KeySchema"]), written(a.(map[string]any)["AttributeName"]))
			})
		}
		if v != nil {
			out = append(out, p+"="+written(v))
		}
	}
	return strings.Join(out, " ")
}

// TestStable_identity changes each property whose change replaces a resource.
func TestStable_identity(t *testing.T) {
	for _, kind := range stateful {
		if len(identity[kind]) == 0 {
			t.Errorf("nothing tells two of %s apart", kind)
		}
		for _, p := range identity[kind] {
			before, after := identified(resource{Type: kind}), identified(resource{Type: kind, Properties: map[string]any{p: "other"}})
			if before == after {
				t.Errorf("%s: another %s is not seen", kind, p)
			}
		}
	}
	index := func(key string) resource {
		return resource{Type: "AWS::DynamoDB::Table", Properties: map[string]any{"LocalSecondaryIndexes": []any{map[string]any{"IndexName": "byState", "KeySchema": key}}}}
	}
	if identified(index("a")) == identified(index("b")) {
		t.Error("another local index is not seen")
	}
	table := func(attributes ...any) resource {
		return resource{Type: "AWS::DynamoDB::Table", Properties: map[string]any{"KeySchema": []any{map[string]any{"AttributeName": "secret"}}, "AttributeDefinitions": attributes}}
	}
	attribute := func(name, kind string) any { return map[string]any{"AttributeName": name, "AttributeType": kind} }
	if identified(table(attribute("secret", "S"))) == identified(table(attribute("secret", "N"))) {
		t.Error("another type of the key is not seen")
	}
	if identified(table(attribute("secret", "S"))) != identified(table(attribute("secret", "S"), attribute("due", "N"))) {
		t.Error("an attribute of a global index is taken for another table")
	}
}

// TestStable_upgrade holds the example's stateful resources against those of
// every version before: none may go or be replaced. With -update new ones are
// added to the list; one that is to go must be taken out of it by hand.
func TestStable_upgrade(t *testing.T) {
	const path = "testdata/stateful.json"
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before := map[string]string{}
	if err = json.Unmarshal(raw, &before); err != nil {
		t.Fatal(err)
	}
	a := synthesized(t)
	now := map[string]string{}
	for _, kind := range stateful {
		for id, r := range a.of(kind) {
			now[id] = identified(r)
		}
	}
	for id, was := range before {
		if now[id] != was {
			t.Errorf("%s was %q and is %q: what it holds would be lost", id, was, now[id])
		}
	}
	if len(now) != len(before) && !t.Failed() && !*update {
		t.Errorf("%d stateful resources, %d of which are listed: run go test ./infra/cdk -run TestStable_upgrade -update", len(now), len(before))
	}
	if !*update || t.Failed() {
		return
	}
	if raw, err = json.MarshalIndent(now, "", "  "); err == nil {
		err = os.WriteFile(path, append(raw, '\n'), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

package expr_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/test/cloud/dynamodb/attr"
	"github.com/keyturn/keyturn/test/cloud/dynamodb/expr"
)

func item(t testing.TB, text string) attr.Item {
	t.Helper()
	var out attr.Item
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

const sample = `{
	"id":{"S":"k1"}, "n":{"N":"10"}, "s":{"S":"hello"}, "yes":{"BOOL":true},
	"tags":{"SS":["a","b"]}, "l":{"L":[{"N":"1"},{"S":"two"},{"M":{"deep":{"S":"x"}}}]},
	"m":{"M":{"a":{"N":"1"},"b":{"N":"2"}}}, "size_":{"N":"3"}
}`

const values = `{
	":nine":{"N":"9"}, ":ten":{"N":"10.0"}, ":eleven":{"N":"11"}, ":hel":{"S":"hel"}, ":hello":{"S":"hello"},
	":a":{"S":"a"}, ":two":{"S":"two"}, ":true":{"BOOL":true}, ":N":{"S":"N"}, ":three":{"N":"3"}, ":five":{"N":"5"},
	":l":{"L":[{"N":"7"}]}, ":ab":{"SS":["a","c"]}, ":one":{"N":"1"}
}`

func scope(t testing.TB) *expr.Scope {
	t.Helper()
	s, err := expr.NewScope(map[string]string{"#n": "n", "#name": "name", "#dot": "a.b", "#list": "l", "#s": "s"}, item(t, values))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCondition(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		want bool
	}{
		{"#n = :ten", true},
		{"#n <> :ten", false},
		{"n < :eleven", true},
		{"n <= :ten AND n >= :ten", true},
		{"n > :ten", false},
		{"n BETWEEN :nine AND :eleven AND s = :hello", true},
		{"n IN (:nine, :ten)", true},
		{"n in (:nine)", false},
		{"s = :ten", false},
		{"s < :ten OR s >= :ten", false},
		{"attribute_exists(m.a)", true},
		{"attribute_exists(m.c)", false},
		{"attribute_not_exists(nothing)", true},
		{"attribute_not_exists(id)", false},
		{"attribute_type(n, :N)", true},
		{"begins_with(s, :hel)", true},
		{"begins_with(n, :hel)", false},
		{"contains(s, :hel)", true},
		{"contains(tags, :a)", true},
		{"contains(l, :two)", true},
		{"contains(tags, :two)", false},
		{"size(tags) < :three", true},
		{"size(s) = :five", true},
		{"size(n) = :five", false},
		{"l[1] = :two", true},
		{"#list[2].deep <> :two", true},
		{"l[9] = :two", false},
		{"absent = :two", false},
		{"absent <> :two", true},
		{"absent < :ten", false},
		{"NOT absent = :two", true},
		{"yes = :true", true},
		{"NOT (n = :nine OR s = :hello)", false},
		{"n = :nine OR n = :ten AND s = :hello", true},
		{"(n = :nine OR n = :ten) AND s = :two", false},
		{"NOT n = :nine AND NOT n = :eleven", true},
		{":ten = n", true},
	} {
		t.Run(tt.text, func(t *testing.T) {
			t.Parallel()
			c, err := expr.ParseCondition(scope(t), tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Match(item(t, sample)); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestConditionRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{"", "can not be empty"},
		{"n = ", `Syntax error; token: "<EOF>"`},
		{"n == :ten", `Syntax error; token: "="`},
		{"n = :ten AND", "<EOF>"},
		{"(n = :ten", "<EOF>"},
		{"n = :ten)", `token: ")"`},
		{"n ! :ten", `token: "!"`},
		{"name = :ten", "Attribute name is a reserved keyword; reserved keyword: name"},
		{"n = :undefined", "attribute value used in expression is not defined; attribute value: :undefined"},
		{"#undefined = :ten", "attribute name used in the document path is not defined; attribute name: #undefined"},
		{"exists(n)", "Invalid function name; function: exists"},
		{"attribute_exists(:ten)", "requires a document path"},
		{"begins_with(s)", "number of operands: 1"},
		{"l[x] = :ten", `token: "x"`},
		{"n", "Syntax error"},
		{"n = :ten " + strings.Repeat(" ", expr.MaxLength), "maximum allowed size"},
	} {
		t.Run(tt.want, func(t *testing.T) {
			t.Parallel()
			_, err := expr.ParseCondition(scope(t), tt.text)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%q: got %v", tt.text, err)
			}
		})
	}
}

func TestUpdate(t *testing.T) {
	t.Parallel()
	const start = `{"id":{"S":"k1"},"n":{"N":"10"},"l":{"L":[{"N":"1"},{"N":"2"},{"N":"3"}]},"m":{"M":{"a":{"N":"1"}}},"tags":{"SS":["a","b"]}}`
	for _, tt := range []struct{ name, text, want string }{
		{"set", "SET n = :one, #name = :hello", `"name":{"S":"hello"},"n":{"N":"1"}`},
		{"from another, as it was", "SET n = :one, former = n", `"n":{"N":"1"},"former":{"N":"10"}`},
		{"plus", "SET n = n + :one", `"n":{"N":"11"}`},
		{"minus", "SET n = n - :nine", `"n":{"N":"1"}`},
		{"if_not_exists", "SET c = if_not_exists(c, :one) + :nine, n = if_not_exists(n, :one)", `"c":{"N":"10"}`},
		{"list_append", "SET l = list_append(l, :l)", `"l":{"L":[{"N":"1"},{"N":"2"},{"N":"3"},{"N":"7"}]}`},
		{"list element", "SET l[1] = :nine, l[77] = :eleven", `"l":{"L":[{"N":"1"},{"N":"9"},{"N":"3"},{"N":"11"}]}`},
		{"nested", "SET m.b = :one REMOVE m.a", `"m":{"M":{"b":{"N":"1"}}}`},
		{"a name with a dot", "SET #dot = :one", `"a.b":{"N":"1"}`},
		{"remove elements", "REMOVE l[0], l[1]", `"l":{"L":[{"N":"3"}]}`},
		{"remove what is not there", "REMOVE nothing, l[9]", `"n":{"N":"10"}`},
		{"add to a number", "ADD n :one, fresh :nine", `"n":{"N":"11"},"fresh":{"N":"9"}`},
		{"add to a set", "add tags :ab", `"tags":{"SS":["a","b","c"]}`},
		{"delete from a set", "DELETE tags :ab", `"tags":{"SS":["b"]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u, err := expr.ParseUpdate(scope(t), tt.text)
			if err != nil {
				t.Fatal(err)
			}
			before := item(t, start)
			got, err := u.Apply(before)
			if err != nil {
				t.Fatal(err)
			}
			want := item(t, start)
			maps.Copy(want, item(t, "{"+tt.want+"}"))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(item(t, start), before); diff != "" {
				t.Errorf("the item itself changed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestUpdateRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{"n = :one", "Syntax error"},
		{"SET n = :one SET s = :a", `The "SET" section can only be used once`},
		{"SET n = :one, n = :nine", "Two document paths overlap"},
		{"SET m = :one, m.a = :nine", "Two document paths overlap"},
		{"ADD s :hello", "Incorrect operand type for operator or function; operator: ADD, operand type: S"},
		{"DELETE tags :one", "operator: DELETE, operand type: N"},
		{"SET n = absent", "refers to an attribute that does not exist in the item"},
		{"SET absent.a = :one", "document path provided in the update expression is invalid for update"},
		{"SET n.a = :one", "document path provided in the update expression is invalid for update"},
		{"SET n = s + :one", "incorrect data type"},
		{"ADD s :one", "incorrect data type"},
		{"SET n = nonsense(n, :one)", "Invalid function name"},
		{"SET n = if_not_exists(:one, :one)", "requires a document path"},
	} {
		t.Run(tt.text, func(t *testing.T) {
			t.Parallel()
			u, err := expr.ParseUpdate(scope(t), tt.text)
			if err == nil {
				_, err = u.Apply(item(t, sample))
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{ // want "": accepted
		{"id = :a", ""},
		{"id = :a AND n > :one", ""},
		{"n BETWEEN :one AND :ten AND id = :a", ""},
		{"id = :a AND begins_with(n, :hel)", ""},
		{"n > :one", "Query condition missed key schema element: id"},
		{"id > :a", "Query key condition not supported"},
		{"id = :a OR n = :one", "Invalid operator used in KeyConditionExpression: OR"},
		{"id = :a AND n <> :one", "Query key condition not supported"},
		{"id = :a AND s = :one", "Query key condition not supported"},
		{"id = n", "operands must be values"},
	} {
		t.Run(tt.text, func(t *testing.T) {
			t.Parallel()
			_, err := expr.ParseKey(scope(t), tt.text, "id", "n")
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestProjection(t *testing.T) {
	t.Parallel()
	paths, err := expr.Projection(scope(t), "id, m.b, l[2].deep, l[0], absent, s.x")
	if err != nil {
		t.Fatal(err)
	}
	want := item(t, `{"id":{"S":"k1"},"m":{"M":{"b":{"N":"2"}}},"l":{"L":[{"N":"1"},{"M":{"deep":{"S":"x"}}}]}}`)
	if diff := cmp.Diff(want, expr.Project(item(t, sample), paths)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestUnused(t *testing.T) {
	t.Parallel()
	s, err := expr.NewScope(map[string]string{"#n": "n"}, item(t, `{":a":{"N":"1"},":b":{"N":"1"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := expr.ParseCondition(s, "#n = :a"); err != nil {
		t.Fatal(err)
	}
	if err := s.Unused(); err == nil || err.Error() != "Value provided in ExpressionAttributeValues unused in expressions: keys: {:b}" {
		t.Errorf("got %v", err)
	}
}

func FuzzExpressions(f *testing.F) {
	for _, s := range []string{
		"a = :a AND NOT (b[0].c BETWEEN :a AND :b OR size(d) > :b)", "SET a = if_not_exists(a, :a) + :b REMOVE l[0] ADD n :b DELETE s :c",
		"id = :a AND begins_with(n, :b)", "a, b[0].#n", "attribute_exists(a) and contains(tags, :c)",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := expr.NewScope(map[string]string{"#n": "n"}, item(t, `{":a":{"S":"x"},":b":{"N":"1"},":c":{"SS":["a"]}}`))
		if err != nil {
			t.Fatal(err)
		}
		it := item(t, sample)
		if c, err := expr.ParseCondition(s, text); err == nil {
			c.Match(it)
			c.Match(nil)
			c.Attributes()
		}
		if u, err := expr.ParseUpdate(s, text); err == nil {
			_, _ = u.Apply(it)
			_, _ = u.Apply(nil)
		}
		if k, err := expr.ParseKey(s, text, "id", "n"); err == nil {
			k.Match(it, "id")
		}
		if p, err := expr.Projection(s, text); err == nil {
			expr.Project(it, p)
		}
		_ = s.Unused()
	})
}

package attr_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/test/cloud/dynamodb/attr"
)

func TestJSON(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, want string }{ // want "": refused
		{"string", `{"S":""}`, `{"S":""}`},
		{"number", `{"N":"+1.50e2"}`, `{"N":"150"}`},
		{"small number", `{"N":"-0.00120"}`, `{"N":"-0.0012"}`},
		{"zero", `{"N":"-0.0"}`, `{"N":"0"}`},
		{"largest", `{"N":"9.9999999999999999999999999999999999999E+125"}`, `{"N":"99999999999999999999999999999999999999` + zeros(88) + `"}`},
		{"binary", `{"B":"AAE="}`, `{"B":"AAE="}`},
		{"bool", `{"BOOL":false}`, `{"BOOL":false}`},
		{"null", `{"NULL":true}`, `{"NULL":true}`},
		{"nested", `{"M":{"a":{"L":[{"S":"x"},{"M":{}}]}}}`, `{"M":{"a":{"L":[{"S":"x"},{"M":{}}]}}}`},
		{"empty list", `{"L":[]}`, `{"L":[]}`},
		{"sets", `{"M":{"b":{"BS":["AQ==","AA=="]},"n":{"NS":["2","1"]},"s":{"SS":["b","a"]}}}`, `{"M":{"b":{"BS":["AA==","AQ=="]},"n":{"NS":["1","2"]},"s":{"SS":["a","b"]}}}`},
		{"two kinds", `{"S":"a","N":"1"}`, ""},
		{"no kind", `{}`, ""},
		{"unknown kind", `{"X":"a"}`, ""},
		{"wrong form", `{"S":1}`, ""},
		{"no number", `{"N":"ten"}`, ""},
		{"empty number", `{"N":""}`, ""},
		{"39 digits", `{"N":"123456789012345678901234567890123456789"}`, ""},
		{"too large", `{"N":"1e126"}`, ""},
		{"too small", `{"N":"1e-131"}`, ""},
		{"absurd exponent", `{"N":"1e999999999"}`, ""},
		{"empty set", `{"SS":[]}`, ""},
		{"same elements", `{"NS":["1","1.0"]}`, ""},
		{"false null", `{"NULL":false}`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var v attr.Value
			err := json.Unmarshal([]byte(tt.in), &v)
			if tt.want == "" {
				if !errors.Is(err, attr.ErrInvalid) {
					t.Errorf("got %v, %v", v, err)
				}
				return
			}
			got, encodeErr := json.Marshal(v)
			if err := errors.Join(err, encodeErr); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func zeros(n int) string {
	out := make([]byte, n)
	for i := range out {
		out[i] = '0'
	}
	return string(out)
}

func TestAdd(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b, want string
		minus      bool
	}{
		{"1", "2", "3", false},
		{"0.1", "0.2", "0.3", false},
		{"1", "1", "0", true},
		{"1", "2.5", "-1.5", true},
	} {
		got, err := attr.Add(attr.Value{Kind: attr.Number, Text: tt.a}, attr.Value{Kind: attr.Number, Text: tt.b}, tt.minus)
		if err != nil || got.Text != tt.want {
			t.Errorf("%s, %s: got %s, %v, want %s", tt.a, tt.b, got.Text, err, tt.want)
		}
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	number := func(s string) attr.Value { return attr.Value{Kind: attr.Number, Text: s} }
	for _, tt := range []struct {
		name string
		a, b attr.Value
		want int
		ok   bool
	}{
		{"numbers by value", number("9"), number("10"), -1, true},
		{"negative", number("-9"), number("-10"), 1, true},
		{"strings by bytes", attr.Value{Kind: attr.String, Text: "9"}, attr.Value{Kind: attr.String, Text: "10"}, 1, true},
		{"other kinds", number("1"), attr.Value{Kind: attr.String, Text: "1"}, 0, false},
		{"no order", attr.Value{Kind: attr.Bool}, attr.Value{Kind: attr.Bool}, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got, ok := attr.Compare(tt.a, tt.b); got != tt.want || ok != tt.ok {
				t.Errorf("got %d, %v", got, ok)
			}
		})
	}
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"N":"1e5"}`, `{"M":{"a":{"L":[{"NULL":true}]}}}`, `{"NS":["-0.001","5"]}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		var v, again attr.Value
		if json.Unmarshal([]byte(in), &v) != nil || v.Kind == "" {
			return
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &again); err != nil || !attr.Equal(v, again) {
			t.Errorf("%s became %s: %v", in, b, err)
		}
	})
}

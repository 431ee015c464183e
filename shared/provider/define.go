package provider

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
)

// Define builds a Definition from a vendor's facts and its constructor. S is
// the vendor's settings, a struct.
func Define[S Settings](info Info, open func(S, Admin, *http.Client) Strategy) Definition {
	d := describe[S](info)
	d.open = func(raw json.RawMessage, admin Admin, hc *http.Client) (Strategy, error) {
		s, err := settingsOf[S](info, raw)
		if err != nil {
			return nil, err
		}
		return open(s, admin, hc), nil
	}
	return d
}

// DefineNet is [Define] for a vendor that does not speak HTTP.
func DefineNet[S Settings](info Info, open func(S, Admin, Dialer) Strategy) Definition {
	d := describe[S](info)
	d.openNet = func(raw json.RawMessage, admin Admin, dial Dialer) (Strategy, error) {
		s, err := settingsOf[S](info, raw)
		if err != nil {
			return nil, err
		}
		return open(s, admin, dial), nil
	}
	return d
}

func describe[S Settings](info Info) Definition {
	var zero S
	return Definition{Info: info, example: zero, check: func(raw json.RawMessage) (Settings, []Problem) {
		s, p := decode[S](raw)
		return s, p
	}}
}

func settingsOf[S Settings](info Info, raw json.RawMessage) (S, error) {
	s, p := decode[S](raw)
	if len(p) > 0 {
		return s, &Error{Op: "settings of " + info.Name, Kind: KindPermanent, Err: errors.New(p[0].What)}
	}
	return s, nil
}

// decode reads settings strictly, and tells every problem at once.
func decode[S Settings](raw json.RawMessage) (S, []Problem) {
	var s S
	if len(bytes.TrimSpace(raw)) == 0 {
		raw = json.RawMessage("{}")
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return s, []Problem{{What: "settings are not a JSON object", Hint: "write {\"name\": value, ...}"}}
	}
	known := names(reflect.TypeFor[S]())
	var problems []Problem
	v := reflect.ValueOf(&s).Elem()
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		i, ok := known[name]
		if !ok {
			problems = append(problems, Problem{
				Field: name, What: fmt.Sprintf("unknown setting %q", name),
				Hint: "known settings: " + strings.Join(slices.Sorted(maps.Keys(known)), ", "),
			})
			continue
		}
		if err := json.Unmarshal(fields[name], v.Field(i).Addr().Interface()); err != nil {
			problems = append(problems, Problem{
				Field: name, What: fmt.Sprintf("setting %q is not a %s", name, kindName(v.Field(i).Type())),
				Hint: v.Type().Field(i).Tag.Get("doc"),
			})
		}
	}
	if len(problems) > 0 {
		return s, problems
	}
	return s, s.Problems()
}

// principal joins the fields tagged principal:"true", as they are written. One
// that is left out names a principal too: the vendor's default.
func principal(settings any) string {
	v := reflect.ValueOf(settings)
	var out []string
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("principal") == "true" {
			out = append(out, fmt.Sprintf("%q", fmt.Sprint(v.Field(i).Interface())))
		}
	}
	return strings.Join(out, ",")
}

func names(t reflect.Type) map[string]int {
	out := map[string]int{}
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name != "" && name != "-" {
			out[name] = i
		}
	}
	return out
}

func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return kindName(t.Elem())
	case reflect.Slice:
		return "list of " + kindName(t.Elem()) + "s"
	case reflect.Int, reflect.Int64:
		return "number"
	case reflect.Map, reflect.Struct:
		return "object"
	case reflect.Bool:
		return "true or false"
	default:
		return t.Kind().String()
	}
}

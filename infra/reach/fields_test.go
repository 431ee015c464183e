package reach_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/keyturn/keyturn/infra/reach"
	"github.com/keyturn/keyturn/shared/keysfile"
)

// TestEveryField changes every field of the file: what is not a change in reach
// is named here.
func TestEveryField(t *testing.T) {
	t.Parallel()
	ignored := []string{
		".Version", ".Defaults.", ".Concurrency", ".Window", ".RotateNow", ".Keys[0].Owner", ".Suppressions[0].Owner", ".Respond.Until", ".Countries.MMDB", ".Value.", ".Tags[",
		".Reason", ".RolePath", ".RolePrefix", ".Tracing", ".At.",
		"[fixed].Network.", // a VPC of our own has no other fields
		"[fixed].AllowPrivate",
	}
	for _, path := range empties(reflect.ValueOf(full()).Elem()) {
		t.Errorf("%s holds nothing, so it is not tried: add it to full", path)
	}
	n := len(leaves(reflect.ValueOf(full()).Elem()))
	for i := range n {
		next := full()
		l := leaves(reflect.ValueOf(next).Elem())[i]
		l.change()
		changes := reach.Compare(full(), next)
		skip := false
		for _, s := range ignored {
			skip = skip || strings.Contains(l.path+".", s) || strings.HasSuffix(l.path, s)
		}
		if len(changes) == 0 && !skip {
			t.Errorf("%s changes, and nothing is said", l.path)
		}
	}
	if n < 60 {
		t.Errorf("only %d fields were changed", n)
	}
}

// empties returns the lists and maps of the file's types that hold nothing in v,
// of each type the fullest one counts.
func empties(v reflect.Value) []string {
	seen := map[string]bool{} // by type and field: was it ever filled?
	var look func(v reflect.Value)
	look = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() {
				look(v.Elem())
			}
		case reflect.Slice:
			for i := range v.Len() {
				look(v.Index(i))
			}
		case reflect.Map:
			for _, name := range v.MapKeys() {
				look(v.MapIndex(name))
			}
		case reflect.Struct:
			if v.Type() == reflect.TypeFor[keysfile.Date]() {
				return
			}
			for i := range v.NumField() {
				f := v.Field(i)
				switch f.Kind() {
				case reflect.Slice, reflect.Map, reflect.Pointer:
					name := v.Type().Name() + "." + v.Type().Field(i).Name
					seen[name] = seen[name] || !f.IsZero()
				default:
				}
				look(f)
			}
		default:
		}
	}
	look(v)
	var out []string
	for name, filled := range seen {
		if !filled {
			out = append(out, name)
		}
	}
	return out
}

type leafOf struct {
	path   string
	change func()
}

// leaves returns every value under v that can be changed.
func leaves(v reflect.Value) []leafOf { return walk(v, "", func() {}) }

func walk(v reflect.Value, path string, stored func()) []leafOf {
	set := func(change func()) []leafOf { return []leafOf{{path, func() { change(); stored() }}} }
	switch v.Kind() {
	case reflect.Struct:
		if d, ok := reflect.TypeAssert[*keysfile.Date](v.Addr()); ok {
			return set(func() { d.Time = d.AddDate(0, 1, 0) })
		}
		var out []leafOf
		for i := range v.NumField() {
			out = append(out, walk(v.Field(i), path+"."+v.Type().Field(i).Name, stored)...)
		}
		return out
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return walk(v.Elem(), path, stored)
	case reflect.Slice:
		var out []leafOf
		for i := range v.Len() {
			out = append(out, walk(v.Index(i), fmt.Sprintf("%s[%d]", path, i), stored)...)
		}
		return out
	case reflect.Map:
		var out []leafOf
		for _, name := range v.MapKeys() {
			copied := reflect.New(v.Type().Elem()).Elem()
			copied.Set(v.MapIndex(name))
			out = append(out, walk(copied, fmt.Sprintf("%s[%v]", path, name), func() { v.SetMapIndex(name, copied); stored() })...)
		}
		return out
	case reflect.String:
		return set(func() { v.SetString(v.String() + "x") })
	case reflect.Bool:
		return set(func() { v.SetBool(!v.Bool()) })
	case reflect.Int, reflect.Int64:
		return set(func() { v.SetInt(v.Int() + 1) })
	case reflect.Interface:
		return set(func() { v.Set(reflect.ValueOf("another")) })
	default:
		panic("a field of kind " + v.Kind().String())
	}
}

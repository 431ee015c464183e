package dynamodb

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/keyturn/keyturn/test/cloud/dynamodb/attr"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

var tableForm = regexp.MustCompile(`^[a-zA-Z0-9_.-]{3,255}$`)

// keySchema is the key of a table or index. sort is "" if there is no sort key.
type keySchema struct{ hash, sort string }

func (k keySchema) attributes() []string {
	if k.sort == "" {
		return []string{k.hash}
	}
	return []string{k.hash, k.sort}
}

type table struct {
	name    string
	key     keySchema
	kinds   map[string]attr.Kind // of key attributes
	indexes map[string]index
	create  createTableInput // as it was asked for
	created time.Time
	ttl     string // attribute, "" for none
	rows    map[string]*row
}

type index struct {
	key     keySchema
	global  bool
	project []string // nil: everything
}

// row is one item and what stale reads see of it.
type row struct {
	id      string // of its key; orders a scan
	item    attr.Item
	before  attr.Item // nil: there was none
	changed time.Time
}

func (t *table) keyOf(item attr.Item) attr.Item {
	out := attr.Item{}
	for _, name := range t.key.attributes() {
		out[name] = item[name]
	}
	return out
}

// id is where a key is stored; its order is that of a scan.
func (t *table) id(key attr.Item) string {
	h := sha256.New()
	for _, name := range t.key.attributes() {
		v := key[name]
		sum := sha256.Sum256([]byte(v.Text))
		h.Write([]byte(v.Kind))
		h.Write(sum[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// checkKey refuses what is no key of the table and nothing else.
func (t *table) checkKey(key attr.Item) error {
	if len(key) != len(t.key.attributes()) {
		return validation("The provided key element does not match the schema")
	}
	for _, name := range t.key.attributes() {
		v, ok := key[name]
		if !ok || v.Kind != t.kinds[name] {
			return validation("The provided key element does not match the schema")
		}
		if v.Text == "" {
			return emptyKey(name, v.Kind)
		}
	}
	return nil
}

func emptyKey(name string, kind attr.Kind) error {
	what := "string"
	if kind == attr.Binary {
		what = "binary"
	}
	return validation("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty " + what + " value. Key: " + name)
}

// checkItem refuses an item that cannot be stored.
func (t *table) checkItem(item attr.Item, tooBig string) error {
	for _, name := range t.key.attributes() {
		v, ok := item[name]
		switch {
		case !ok:
			return validation("One or more parameter values were invalid: Missing the key " + name + " in the item")
		case v.Kind != t.kinds[name]:
			return validation("One or more parameter values were invalid: Type mismatch for key " + name + " expected: " + string(t.kinds[name]) + " actual: " + string(v.Kind))
		case v.Text == "":
			return emptyKey(name, v.Kind)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.indexes)) {
		for _, a := range t.indexes[name].key.attributes() {
			if v, ok := item[a]; ok && v.Kind != t.kinds[a] {
				return validation("One or more parameter values were invalid: Type mismatch for Index Key " + a + " Expected: " + string(t.kinds[a]) + " Actual: " + string(v.Kind) + " IndexName: " + name)
			}
		}
	}
	if item.Size() > maxItem {
		return validation(tooBig)
	}
	return nil
}

// get returns the stored item, or nil.
func (t *table) get(key attr.Item) attr.Item {
	if r := t.rows[t.id(key)]; r != nil {
		return r.item
	}
	return nil
}

// set stores item under its key, or deletes key if item is nil.
func (t *table) set(now instant, key, item attr.Item) {
	id := t.id(key)
	r := t.rows[id]
	if r == nil {
		r = &row{id: id}
		t.rows[id] = r
	}
	r.before, r.item, r.changed = r.item, item, now.Time
}

// expire deletes what outlived its time to live.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/howitworks-ttl.html
func (t *table) expire(now instant, lag time.Duration) {
	if t.ttl == "" {
		return
	}
	for _, r := range t.rows {
		if at, ok := r.item[t.ttl].Unix(); ok && !now.Before(time.Unix(at, 0).Add(lag)) && now.Sub(time.Unix(at, 0)) < 5*365*24*time.Hour {
			r.item, r.before = nil, nil
		}
	}
}

// view returns the items that a read sees, and keep keeps, in a scan's order.
func (t *table) view(now instant, consistent bool, keep func(attr.Item) bool) []attr.Item {
	var rows []*row
	for _, r := range t.rows {
		if item := r.seen(now, consistent); item != nil && keep(item) {
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(a, b *row) int { return strings.Compare(a.id, b.id) })
	out := make([]attr.Item, len(rows))
	for i, r := range rows {
		out[i] = r.seen(now, consistent)
	}
	return out
}

func (r *row) seen(now instant, consistent bool) attr.Item {
	if !consistent && now.Sub(r.changed) < now.staleFor {
		return r.before
	}
	return r.item
}

// table returns the table of that name or ARN without its expired items.
func (s *Service) table(now instant, name string) (*table, error) {
	if name == "" {
		return nil, validation("The parameter 'TableName' is required but was not present in the request")
	}
	t := s.tables[name[strings.LastIndexByte(name, '/')+1:]]
	if t == nil {
		return nil, &wire.Error{Code: "ResourceNotFoundException", Message: "Requested resource not found"}
	}
	t.expire(now, s.options.ExpiryLag)
	return t, nil
}

func validTableName(name string) bool {
	return tableForm.MatchString(name)
}

// Items returns a copy of what the table holds now, in the order of a scan; nil
// for an unknown table.
func (s *Service) Items(tableName string) []attr.Item {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := instant{Time: s.clock.Now()}
	t, err := s.table(now, tableName)
	if err != nil {
		return nil
	}
	var out []attr.Item
	for _, item := range t.view(now, true, func(attr.Item) bool { return true }) {
		out = append(out, maps.Clone(item))
	}
	return out
}

package dynamodb

import (
	"slices"
	"strings"

	"github.com/keyturn/keyturn/test/cloud/dynamodb/attr"
	"github.com/keyturn/keyturn/test/cloud/dynamodb/expr"
)

type readInput struct {
	placeholders

	TableName              string
	IndexName              string
	KeyConditionExpression *string
	FilterExpression       *string
	ProjectionExpression   *string
	ConsistentRead         bool
	ExclusiveStartKey      attr.Item
	Limit                  *int
	ScanIndexForward       *bool
	Select                 string
}

type readOutput struct {
	Items            []attr.Item `json:",omitzero"`
	Count            int
	ScannedCount     int
	LastEvaluatedKey attr.Item `json:",omitempty"`
}

// reading is a checked Query or Scan.
type reading struct {
	table   *table
	key     keySchema // of the table or index
	project []string  // what the index holds; nil: everything
	query   *expr.Key // nil: a scan
	filter  *expr.Condition
	paths   []expr.Path // nil: everything
}

func (s *Service) query(now instant, in *readInput) (*readOutput, error) {
	if in.KeyConditionExpression == nil {
		return nil, validation("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	}
	return s.read(now, in)
}

func (s *Service) scan(now instant, in *readInput) (*readOutput, error) {
	in.KeyConditionExpression = nil
	return s.read(now, in)
}

func (s *Service) read(now instant, in *readInput) (*readOutput, error) {
	t, err := s.table(now, in.TableName)
	if err != nil {
		return nil, err
	}
	if in.Limit != nil && *in.Limit < 1 {
		return nil, validation("1 validation error detected: Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1")
	}
	r, err := in.parse(t)
	if err != nil {
		return nil, err
	}
	items := t.view(now, in.ConsistentRead, r.selects)
	if r.query != nil {
		slices.SortStableFunc(items, r.compare)
		if in.backward() {
			slices.Reverse(items)
		}
	}
	if in.ExclusiveStartKey != nil {
		if items, err = r.after(items, in); err != nil {
			return nil, err
		}
	}
	return r.page(items, in), nil
}

func (in *readInput) parse(t *table) (*reading, error) {
	r := &reading{table: t, key: t.key}
	if in.IndexName != "" {
		x, ok := t.indexes[in.IndexName]
		if !ok {
			return nil, validation("The table does not have the specified index: " + in.IndexName)
		}
		if x.global && in.ConsistentRead {
			return nil, validation("Consistent reads are not supported on global secondary indexes")
		}
		r.key, r.project = x.key, x.project
	}
	scope, err := in.scope()
	if err != nil {
		return nil, err
	}
	if in.KeyConditionExpression != nil {
		key, err := expr.ParseKey(scope, *in.KeyConditionExpression, r.key.hash, r.key.sort)
		if err != nil {
			return nil, validation("Invalid KeyConditionExpression: " + err.Error())
		}
		if key.Hash.Kind != t.kinds[r.key.hash] {
			return nil, validation("One or more parameter values were invalid: Condition parameter type does not match schema type")
		}
		r.query = &key
	}
	if err := r.parseFilter(scope, in); err != nil {
		return nil, err
	}
	if in.ProjectionExpression != nil {
		if r.paths, err = expr.Projection(scope, *in.ProjectionExpression); err != nil {
			return nil, validation("Invalid ProjectionExpression: " + err.Error())
		}
	}
	if err := scope.Unused(); err != nil {
		return nil, validation(err.Error())
	}
	return r, nil
}

func (r *reading) parseFilter(scope *expr.Scope, in *readInput) error {
	if in.FilterExpression == nil {
		return nil
	}
	filter, err := expr.ParseCondition(scope, *in.FilterExpression)
	if err != nil {
		return validation("Invalid FilterExpression: " + err.Error())
	}
	for _, a := range filter.Attributes() {
		if r.query != nil && slices.Contains(r.key.attributes(), a) {
			return validation("Filter Expression can only contain non-primary key attributes: Primary key attribute: " + a)
		}
	}
	r.filter = filter
	return nil
}

// selects reports whether the key condition selects item; an index holds only
// items that have its key.
func (r *reading) selects(item attr.Item) bool {
	for _, a := range r.key.attributes() {
		if _, ok := item[a]; !ok {
			return false
		}
	}
	return r.query == nil || r.query.Match(item, r.key.hash)
}

func (in *readInput) backward() bool { return in.ScanIndexForward != nil && !*in.ScanIndexForward }

// compare is the order of a query: the sort key, then the table's key.
func (r *reading) compare(a, b attr.Item) int {
	if order, ok := attr.Compare(a[r.key.sort], b[r.key.sort]); ok && order != 0 {
		return order
	}
	return strings.Compare(r.table.id(a), r.table.id(b))
}

// after drops what comes before and at the start key, which need not exist
// any more.
func (r *reading) after(items []attr.Item, in *readInput) ([]attr.Item, error) {
	start := in.ExclusiveStartKey
	for _, name := range slices.Concat(r.table.key.attributes(), r.key.attributes()) {
		if v, ok := start[name]; !ok || v.Kind != r.table.kinds[name] {
			return nil, validation("The provided starting key is invalid")
		}
	}
	if r.query != nil && !attr.Equal(start[r.key.hash], r.query.Hash) {
		return nil, validation("The provided starting key is outside query boundaries based on provided conditions")
	}
	return slices.DeleteFunc(items, func(item attr.Item) bool {
		order := strings.Compare(r.table.id(item), r.table.id(start))
		if r.query != nil {
			order = r.compare(item, start)
			if in.backward() {
				order = -order
			}
		}
		return order <= 0
	}), nil
}

// page reads items up to the limit or a megabyte; the filter comes after both.
func (r *reading) page(items []attr.Item, in *readInput) *readOutput {
	out := &readOutput{Items: []attr.Item{}}
	size := 0
	for i, item := range items {
		out.ScannedCount++
		size += item.Size()
		if r.filter == nil || r.filter.Match(item) {
			out.Count++
			out.Items = append(out.Items, r.shape(item))
		}
		if in.Limit != nil && out.ScannedCount == *in.Limit || size >= page && i < len(items)-1 {
			out.LastEvaluatedKey = attr.Item{}
			for _, name := range slices.Concat(r.table.key.attributes(), r.key.attributes()) {
				out.LastEvaluatedKey[name] = item[name]
			}
			break
		}
	}
	if in.Select == "COUNT" {
		out.Items = nil
	}
	return out
}

func (r *reading) shape(item attr.Item) attr.Item {
	if r.project != nil {
		kept := attr.Item{}
		for _, name := range r.project {
			if v, ok := item[name]; ok {
				kept[name] = v
			}
		}
		item = kept
	}
	if r.paths != nil {
		return expr.Project(item, r.paths)
	}
	return item
}

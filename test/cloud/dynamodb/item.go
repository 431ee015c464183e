package dynamodb

import (
	"fmt"
	"maps"
	"slices"

	"github.com/keyturn/keyturn/test/cloud/dynamodb/attr"
	"github.com/keyturn/keyturn/test/cloud/dynamodb/expr"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

// placeholders are the names and values of a request's expressions.
type placeholders struct {
	ExpressionAttributeNames  map[string]string
	ExpressionAttributeValues attr.Item
}

func (p placeholders) scope() (*expr.Scope, error) {
	s, err := expr.NewScope(p.ExpressionAttributeNames, p.ExpressionAttributeValues)
	if err != nil {
		return nil, validation(err.Error())
	}
	return s, nil
}

// write is one change: the input of PutItem, UpdateItem and DeleteItem, and an
// element of a transaction.
type write struct {
	placeholders

	TableName                           string
	Key                                 attr.Item
	Item                                attr.Item
	UpdateExpression                    string
	ConditionExpression                 string
	ReturnValues                        string
	ReturnValuesOnConditionCheckFailure string
}

// plan is a checked write: from old to new, either nil if there is none.
type plan struct {
	table    *table
	key      attr.Item
	old, new attr.Item
	changed  []expr.Path // by an update
	check    bool        // a condition check, which writes nothing
}

func (p plan) apply(now instant) {
	if !p.check {
		p.table.set(now, p.key, p.new)
	}
}

// conditionFailed is the outcome of a condition that does not hold.
func conditionFailed(w *write, old attr.Item) error {
	e := &detailedError{err: &wire.Error{Code: "ConditionalCheckFailedException", Message: "The conditional request failed"}}
	if w.ReturnValuesOnConditionCheckFailure == "ALL_OLD" {
		e.item = old
	}
	return e
}

// The kinds of a write.
const (
	kindPut    = "Put"
	kindUpdate = "Update"
	kindDelete = "Delete"
	kindCheck  = "ConditionCheck"
)

// prepare checks a write and computes its outcome without storing it.
func (s *Service) prepare(now instant, kind string, w *write) (plan, error) {
	t, err := s.table(now, w.TableName)
	if err != nil {
		return plan{}, err
	}
	p := plan{table: t, check: kind == kindCheck}
	if kind == kindPut {
		if err := t.checkItem(w.Item, "Item size has exceeded the maximum allowed size"); err != nil {
			return plan{}, err
		}
		p.key = t.keyOf(w.Item)
	} else {
		if err := t.checkKey(w.Key); err != nil {
			return plan{}, err
		}
		p.key = w.Key
	}
	condition, update, err := w.parse(kind)
	if err != nil {
		return plan{}, err
	}
	p.old = t.get(p.key)
	if condition != nil && !condition.Match(p.old) {
		return plan{}, conditionFailed(w, p.old)
	}
	switch kind {
	case kindPut:
		p.new = w.Item
	case kindUpdate:
		p.new, p.changed, err = p.updated(update)
	}
	return p, err
}

func (w *write) parse(kind string) (condition *expr.Condition, update *expr.Update, err error) {
	scope, err := w.scope()
	if err != nil {
		return nil, nil, err
	}
	if kind == kindUpdate && w.UpdateExpression != "" {
		if update, err = expr.ParseUpdate(scope, w.UpdateExpression); err != nil {
			return nil, nil, validation("Invalid UpdateExpression: " + err.Error())
		}
	}
	if w.ConditionExpression != "" {
		if condition, err = expr.ParseCondition(scope, w.ConditionExpression); err != nil {
			return nil, nil, validation("Invalid ConditionExpression: " + err.Error())
		}
	} else if kind == kindCheck {
		return nil, nil, validation("The expression can not be empty;")
	}
	if err := scope.Unused(); err != nil {
		return nil, nil, validation(err.Error())
	}
	return condition, update, nil
}

func (p plan) updated(u *expr.Update) (attr.Item, []expr.Path, error) {
	base := attr.Item{}
	maps.Copy(base, p.old)
	maps.Copy(base, p.key)
	if u == nil {
		return base, nil, nil
	}
	for _, path := range u.Paths() {
		if slices.Contains(p.table.key.attributes(), path[0].Name) {
			return nil, nil, validation("One or more parameter values were invalid: Cannot update attribute " + path[0].Name + ". This attribute is part of the key")
		}
	}
	item, err := u.Apply(base)
	if err != nil {
		return nil, nil, validation(err.Error())
	}
	return item, u.Paths(), p.table.checkItem(item, "Item size to update has exceeded the maximum allowed size")
}

type attributesOutput struct {
	Attributes attr.Item `json:",omitempty"`
}

func (s *Service) writeOne(now instant, kind string, w *write, returns ...string) (*attributesOutput, error) {
	if w.ReturnValues != "" && w.ReturnValues != "NONE" && !slices.Contains(returns, w.ReturnValues) {
		return nil, validation(fmt.Sprintf("ReturnValues can only be one of NONE, %v", returns))
	}
	p, err := s.prepare(now, kind, w)
	if err != nil {
		return nil, err
	}
	p.apply(now)
	out := &attributesOutput{}
	switch w.ReturnValues {
	case "ALL_OLD":
		out.Attributes = p.old
	case "ALL_NEW":
		out.Attributes = p.new
	case "UPDATED_OLD":
		out.Attributes = expr.Project(p.old, p.changed)
	case "UPDATED_NEW":
		out.Attributes = expr.Project(p.new, p.changed)
	}
	return out, nil
}

func (s *Service) putItem(now instant, in *write) (*attributesOutput, error) {
	return s.writeOne(now, kindPut, in, "ALL_OLD")
}

func (s *Service) updateItem(now instant, in *write) (*attributesOutput, error) {
	return s.writeOne(now, kindUpdate, in, "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW")
}

func (s *Service) deleteItem(now instant, in *write) (*attributesOutput, error) {
	return s.writeOne(now, kindDelete, in, "ALL_OLD")
}

type getItemInput struct {
	placeholders

	TableName            string
	Key                  attr.Item
	ConsistentRead       bool
	ProjectionExpression string
}

type getItemOutput struct {
	Item attr.Item `json:",omitempty"`
}

func (s *Service) getItem(now instant, in *getItemInput) (*getItemOutput, error) {
	t, err := s.table(now, in.TableName)
	if err != nil {
		return nil, err
	}
	if err := t.checkKey(in.Key); err != nil {
		return nil, err
	}
	paths, err := in.paths(in.ProjectionExpression)
	if err != nil {
		return nil, err
	}
	r := t.rows[t.id(in.Key)]
	if r == nil {
		return &getItemOutput{}, nil
	}
	item := r.seen(now, in.ConsistentRead)
	if paths != nil && item != nil {
		item = expr.Project(item, paths)
	}
	return &getItemOutput{item}, nil
}

// paths parses a projection that is the request's only expression.
func (p placeholders) paths(projection string) ([]expr.Path, error) {
	scope, err := p.scope()
	if err != nil {
		return nil, err
	}
	var paths []expr.Path
	if projection != "" {
		if paths, err = expr.Projection(scope, projection); err != nil {
			return nil, validation("Invalid ProjectionExpression: " + err.Error())
		}
	}
	if err := scope.Unused(); err != nil {
		return nil, validation(err.Error())
	}
	return paths, nil
}

package dynamodb

import (
	"github.com/keyturn/keyturn/test/cloud/dynamodb/attr"
	"github.com/keyturn/keyturn/test/cloud/dynamodb/expr"
)

type batchGet struct {
	placeholders

	Keys                 []attr.Item
	ConsistentRead       bool
	ProjectionExpression string
}

type batchGetItemInput struct{ RequestItems map[string]batchGet }

type batchGetItemOutput struct {
	Responses       map[string][]attr.Item
	UnprocessedKeys map[string]batchGet
}

func (s *Service) batchGetItem(now instant, in *batchGetItemInput) (*batchGetItemOutput, error) {
	out := &batchGetItemOutput{Responses: map[string][]attr.Item{}, UnprocessedKeys: map[string]batchGet{}}
	total := 0
	for name, get := range in.RequestItems {
		t, err := s.table(now, name)
		if err != nil {
			return nil, err
		}
		paths, err := get.paths(get.ProjectionExpression)
		if err != nil {
			return nil, err
		}
		out.Responses[name] = []attr.Item{}
		seen := map[string]bool{}
		for _, key := range get.Keys {
			total++
			if err := t.checkKey(key); err != nil {
				return nil, err
			}
			id := t.id(key)
			if seen[id] {
				return nil, validation("Provided list of item keys contains duplicates")
			}
			seen[id] = true
			r := t.rows[id]
			if r == nil {
				continue
			}
			item := r.seen(now, get.ConsistentRead)
			if item == nil {
				continue
			}
			if paths != nil {
				item = expr.Project(item, paths)
			}
			out.Responses[name] = append(out.Responses[name], item)
		}
	}
	if total == 0 || total > 100 {
		return nil, validation("Too many items requested for the BatchGetItem call, or none: 1 to 100 are allowed")
	}
	return out, nil
}

type batchWrite struct {
	PutRequest    *struct{ Item attr.Item }
	DeleteRequest *struct{ Key attr.Item }
}

type batchWriteItemInput struct{ RequestItems map[string][]batchWrite }

type batchWriteItemOutput struct {
	UnprocessedItems map[string][]batchWrite
}

func (s *Service) batchWriteItem(now instant, in *batchWriteItemInput) (*batchWriteItemOutput, error) {
	var plans []plan
	seen := map[string]bool{}
	for name, writes := range in.RequestItems {
		for _, b := range writes {
			kind, w := kindPut, &write{TableName: name}
			switch {
			case b.PutRequest != nil && b.DeleteRequest == nil:
				w.Item = b.PutRequest.Item
			case b.DeleteRequest != nil && b.PutRequest == nil:
				kind, w.Key = kindDelete, b.DeleteRequest.Key
			default:
				return nil, validation("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
			}
			p, err := s.prepare(now, kind, w)
			if err != nil {
				return nil, err
			}
			id := name + "/" + p.table.id(p.key)
			if seen[id] {
				return nil, validation("Provided list of item keys contains duplicates")
			}
			seen[id] = true
			plans = append(plans, p)
		}
	}
	if len(plans) == 0 || len(plans) > 25 {
		return nil, validation("Too many items requested for the BatchWriteItem call, or none: 1 to 25 are allowed")
	}
	for _, p := range plans {
		p.apply(now)
	}
	return &batchWriteItemOutput{map[string][]batchWrite{}}, nil
}

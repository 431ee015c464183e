package dynamodb

import (
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/keyturn/keyturn/test/cloud/dynamodb/attr"
	"github.com/keyturn/keyturn/test/cloud/wire"
)

type keyElement struct{ AttributeName, KeyType string }

type attributeDefinition struct {
	AttributeName string
	AttributeType attr.Kind
}

type projection struct {
	ProjectionType   string   `json:",omitempty"`
	NonKeyAttributes []string `json:",omitempty"`
}

type secondaryIndex struct {
	IndexName  string
	KeySchema  []keyElement
	Projection projection
}

type createTableInput struct {
	TableName              string
	KeySchema              []keyElement
	AttributeDefinitions   []attributeDefinition
	GlobalSecondaryIndexes []secondaryIndex `json:",omitempty"`
	LocalSecondaryIndexes  []secondaryIndex `json:",omitempty"`
	BillingMode            string           `json:",omitempty"`
}

type tableDescription struct {
	createTableInput

	TableStatus      string
	TableArn         string
	TableID          string `json:"TableId"`
	CreationDateTime float64
	ItemCount        int
	TableSizeBytes   int
}

type describeTableOutput struct{ Table tableDescription }

type createTableOutput struct{ TableDescription tableDescription }

// ARN returns the ARN of the table of that name.
func ARN(name string) string {
	return "arn:aws:dynamodb:" + wire.Region + ":" + wire.Account + ":table/" + name
}

func (s *Service) createTable(now instant, in *createTableInput) (*createTableOutput, error) {
	if !validTableName(in.TableName) {
		return nil, validation("1 validation error detected: Value '" + in.TableName + "' at 'tableName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+ and have length between 3 and 255")
	}
	if s.tables[in.TableName] != nil {
		return nil, &wire.Error{Code: "ResourceInUseException", Message: "Table already exists: " + in.TableName}
	}
	t := &table{name: in.TableName, kinds: map[string]attr.Kind{}, indexes: map[string]index{}, create: *in, created: now.Time, rows: map[string]*row{}}
	for _, d := range in.AttributeDefinitions {
		if d.AttributeType != attr.String && d.AttributeType != attr.Number && d.AttributeType != attr.Binary {
			return nil, validation("One or more parameter values were invalid: attribute types must be S, N or B")
		}
		t.kinds[d.AttributeName] = d.AttributeType
	}
	key, err := t.parseKey(in.KeySchema)
	if err != nil {
		return nil, err
	}
	t.key = key
	used := t.key.attributes()
	for i, x := range slices.Concat(in.GlobalSecondaryIndexes, in.LocalSecondaryIndexes) {
		key, err := t.parseKey(x.KeySchema)
		if err != nil {
			return nil, err
		}
		entry := index{key: key, global: i < len(in.GlobalSecondaryIndexes)}
		if x.Projection.ProjectionType != "ALL" {
			entry.project = slices.Concat(t.key.attributes(), key.attributes(), x.Projection.NonKeyAttributes)
		}
		t.indexes[x.IndexName] = entry
		used = append(used, key.attributes()...)
	}
	for name := range t.kinds {
		if !slices.Contains(used, name) {
			return nil, validation("One or more parameter values were invalid: Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions")
		}
	}
	s.tables[in.TableName] = t
	out := t.describe()
	out.TableStatus = "CREATING"
	return &createTableOutput{out}, nil
}

func (t *table) parseKey(elements []keyElement) (keySchema, error) {
	var key keySchema
	for _, e := range elements {
		if _, ok := t.kinds[e.AttributeName]; !ok {
			return key, validation("One or more parameter values were invalid: Some index key attributes are not defined in AttributeDefinitions. Keys: [" + e.AttributeName + "]")
		}
		switch {
		case e.KeyType == "HASH" && key.hash == "":
			key.hash = e.AttributeName
		case e.KeyType == "RANGE" && key.sort == "" && key.hash != "":
			key.sort = e.AttributeName
		default:
			return key, validation("Invalid KeySchema: The first KeySchemaElement is not a HASH key type, or there are too many")
		}
	}
	if key.hash == "" {
		return key, validation("1 validation error detected: Value '[]' at 'keySchema' failed to satisfy constraint: Member must have length greater than or equal to 1")
	}
	return key, nil
}

func (t *table) describe() tableDescription {
	out := tableDescription{
		createTableInput: t.create, TableStatus: "ACTIVE", TableArn: ARN(t.name),
		TableID:          uuid.NewSHA1(uuid.NameSpaceURL, []byte(t.name+t.created.String())).String(),
		CreationDateTime: float64(t.created.UnixMilli()) / 1000,
	}
	for _, r := range t.rows {
		if r.item != nil {
			out.ItemCount++
			out.TableSizeBytes += r.item.Size()
		}
	}
	return out
}

type tableInput struct{ TableName string }

func (s *Service) describeTable(now instant, in *tableInput) (*describeTableOutput, error) {
	t, err := s.table(now, in.TableName)
	if err != nil {
		return nil, named(err, in.TableName)
	}
	return &describeTableOutput{t.describe()}, nil
}

// named adds the table to an error, as the operations on tables do.
func named(err error, table string) error {
	e := *wire.AsError(err)
	if e.Code == "ResourceNotFoundException" {
		e.Message += ": Table: " + table + " not found"
	}
	return &e
}

func (s *Service) deleteTable(now instant, in *tableInput) (*createTableOutput, error) {
	t, err := s.table(now, in.TableName)
	if err != nil {
		return nil, named(err, in.TableName)
	}
	delete(s.tables, t.name)
	out := t.describe()
	out.TableStatus = "DELETING"
	return &createTableOutput{out}, nil
}

type listTablesInput struct {
	ExclusiveStartTableName string
	Limit                   int
}

type listTablesOutput struct {
	TableNames             []string
	LastEvaluatedTableName string `json:",omitempty"`
}

func (s *Service) listTables(_ instant, in *listTablesInput) (*listTablesOutput, error) {
	out := &listTablesOutput{TableNames: []string{}}
	limit := in.Limit
	if limit == 0 {
		limit = 100
	}
	for _, name := range slices.Sorted(maps.Keys(s.tables)) {
		if name <= in.ExclusiveStartTableName {
			continue
		}
		if len(out.TableNames) == limit {
			out.LastEvaluatedTableName = out.TableNames[limit-1]
			break
		}
		out.TableNames = append(out.TableNames, name)
	}
	return out, nil
}

type timeToLive struct {
	Enabled       bool
	AttributeName string
}

type updateTimeToLiveInput struct {
	TableName               string
	TimeToLiveSpecification timeToLive
}

type updateTimeToLiveOutput struct{ TimeToLiveSpecification timeToLive }

func (s *Service) updateTimeToLive(now instant, in *updateTimeToLiveInput) (*updateTimeToLiveOutput, error) {
	t, err := s.table(now, in.TableName)
	if err != nil {
		return nil, named(err, in.TableName)
	}
	spec := in.TimeToLiveSpecification
	switch {
	case strings.TrimSpace(spec.AttributeName) == "":
		return nil, validation("1 validation error detected: Value '' at 'timeToLiveSpecification.attributeName' failed to satisfy constraint: Member must have length greater than or equal to 1")
	case spec.Enabled && t.ttl != "":
		return nil, validation("TimeToLive is already enabled")
	case !spec.Enabled && t.ttl == "":
		return nil, validation("TimeToLive is already disabled")
	}
	t.ttl = ""
	if spec.Enabled {
		t.ttl = spec.AttributeName
	}
	return &updateTimeToLiveOutput{spec}, nil
}

type timeToLiveDescription struct {
	TimeToLiveStatus string
	AttributeName    string `json:",omitempty"`
}

type describeTimeToLiveOutput struct{ TimeToLiveDescription timeToLiveDescription }

func (s *Service) describeTimeToLive(now instant, in *tableInput) (*describeTimeToLiveOutput, error) {
	t, err := s.table(now, in.TableName)
	if err != nil {
		return nil, named(err, in.TableName)
	}
	status := "ENABLED"
	if t.ttl == "" {
		status = "DISABLED"
	}
	return &describeTimeToLiveOutput{timeToLiveDescription{status, t.ttl}}, nil
}

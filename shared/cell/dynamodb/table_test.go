package dynamodb_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	gocmp "github.com/google/go-cmp/cmp"

	"github.com/keyturn/keyturn/shared/cell"
	"github.com/keyturn/keyturn/shared/cell/dynamodb"
	"github.com/keyturn/keyturn/test/cloud/clock"
	local "github.com/keyturn/keyturn/test/cloud/dynamodb"
	"github.com/keyturn/keyturn/test/cloud/wire/wiretest"
)

func newTable(t *testing.T) (*dynamodb.Table, *sdk.Client) {
	t.Helper()
	clk := clock.New()
	t.Cleanup(clk.Stop)
	c := sdk.NewFromConfig(wiretest.Config("dynamodb", local.New(clk, local.Options{}), clk))
	if _, err := c.CreateTable(t.Context(), &sdk.CreateTableInput{
		TableName: new("watch"), BillingMode: types.BillingModePayPerRequest,
		KeySchema:            []types.KeySchemaElement{{AttributeName: new(dynamodb.Part), KeyType: "HASH"}, {AttributeName: new(dynamodb.Name), KeyType: "RANGE"}},
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: new(dynamodb.Part), AttributeType: "S"}, {AttributeName: new(dynamodb.Name), AttributeType: "S"}},
	}); err != nil {
		t.Fatal(err)
	}
	return dynamodb.New(c, "watch"), c
}

// Both stores do the same.
func TestStore(t *testing.T) {
	t.Parallel()
	table, _ := newTable(t)
	for name, s := range map[string]cell.Store{"dynamodb": table, "memory": &cell.Memory{}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			put := func(c cell.Cell, want error) {
				t.Helper()
				if err := s.Put(ctx, c); !errors.Is(err, want) {
					t.Fatalf("put %s at %d: %v, want %v", c.Name, c.Revision, err, want)
				}
			}
			a := cell.Cell{Part: "p", Name: "a", Data: []byte("1"), Expires: time.Unix(4e9, 0).UTC()}
			put(a, nil)
			put(a, cell.ErrConflict)
			a.Revision, a.Data = 1, []byte("2")
			put(a, nil)
			put(a, cell.ErrConflict)
			put(cell.Cell{Part: "q", Name: "a", Data: []byte("other")}, nil)
			put(cell.Cell{Part: "p", Name: "c", Data: []byte("3")}, nil)
			put(cell.Cell{Part: "p", Name: "b", Data: []byte{}}, nil)
			put(cell.Cell{Part: "p", Name: "d", Revision: 7, Data: []byte("4")}, cell.ErrConflict)

			a.Revision = 2
			got, err := s.Load(ctx, "p", []string{"a", "x", "a"})
			got = slices.CompactFunc(got, func(a, b cell.Cell) bool { return a.Name == b.Name })
			if diff := gocmp.Diff([]cell.Cell{a}, got); err != nil || diff != "" {
				t.Errorf("load: %v (-want +got):\n%s", err, diff)
			}
			if got, err := s.Load(ctx, "p", nil); err != nil || len(got) != 0 {
				t.Errorf("load nothing: %v %v", got, err)
			}
			for before, want := range map[string]string{"": "abc", "c": "ab", "a": ""} {
				var names strings.Builder
				if err := s.Walk(ctx, "p", before, func(c cell.Cell) error { names.WriteString(c.Name); return nil }); err != nil || names.String() != want {
					t.Errorf("walk before %q: %q, want %q: %v", before, names.String(), want, err)
				}
			}
			stop := errors.New("stop")
			if err := s.Walk(ctx, "p", "", func(cell.Cell) error { return stop }); !errors.Is(err, stop) {
				t.Errorf("walk goes on after an error: %v", err)
			}

			a.Revision = 1
			if err := s.Remove(ctx, a); !errors.Is(err, cell.ErrConflict) {
				t.Errorf("remove of an older revision: %v", err)
			}
			a.Revision = 2
			for range 2 { // what is gone is no error
				if err := s.Remove(ctx, a); err != nil {
					t.Errorf("remove: %v", err)
				}
			}
			put(cell.Cell{Part: "p", Name: "a", Data: []byte("again")}, nil)
		})
	}
}

// More than DynamoDB gives at once.
func TestTable_many(t *testing.T) {
	t.Parallel()
	s, _ := newTable(t)
	var names []string
	for i := range 230 {
		names = append(names, fmt.Sprintf("%03d", i))
		if err := s.Put(t.Context(), cell.Cell{Part: "p", Name: names[i], Data: make([]byte, 10<<10)}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Load(t.Context(), "p", names)
	if err != nil || len(got) != len(names) {
		t.Fatalf("loaded %d of %d: %v", len(got), len(names), err)
	}
	slices.SortFunc(got, func(a, b cell.Cell) int { return cmp.Compare(a.Name, b.Name) })
	for i, c := range got {
		if c.Name != names[i] || len(c.Data) != 10<<10 {
			t.Fatalf("cell %d is %s with %d bytes", i, c.Name, len(c.Data))
		}
	}
	walked := 0
	if err := s.Walk(t.Context(), "p", "", func(cell.Cell) error { walked++; return nil }); err != nil || walked != len(names) {
		t.Errorf("walked %d of %d: %v", walked, len(names), err)
	}
}

func TestTable_tooLarge(t *testing.T) {
	t.Parallel()
	s, _ := newTable(t)
	err := s.Put(t.Context(), cell.Cell{Part: "p", Name: "a", Data: make([]byte, cell.MaxData+1)})
	if err == nil || !strings.Contains(err.Error(), "limit") {
		t.Errorf("%v", err)
	}
	if err := s.Put(t.Context(), cell.Cell{Part: "p", Name: "a", Data: make([]byte, cell.MaxData)}); err != nil {
		t.Errorf("the largest: %v", err)
	}
}

// What somebody else wrote is an error that names the cell, not an empty cell.
func TestTable_foreign(t *testing.T) {
	t.Parallel()
	s, c := newTable(t)
	if _, err := c.PutItem(t.Context(), &sdk.PutItemInput{TableName: new("watch"), Item: map[string]types.AttributeValue{
		dynamodb.Part: &types.AttributeValueMemberS{Value: "p"}, dynamodb.Name: &types.AttributeValueMemberS{Value: "a"},
	}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Load(t.Context(), "p", []string{"a"}); err == nil || !strings.Contains(err.Error(), `"a"`) {
		t.Errorf("%v", err)
	}
}

// Errors of AWS carry its code and nothing else.
func TestTable_errors(t *testing.T) {
	t.Parallel()
	_, c := newTable(t)
	s := dynamodb.New(c, "no-such-table")
	for name, err := range map[string]error{
		"load":   second(s.Load(t.Context(), "p", []string{"a"})),
		"put":    s.Put(t.Context(), cell.Cell{Part: "p", Name: "a", Data: []byte("x")}),
		"remove": s.Remove(t.Context(), cell.Cell{Part: "p", Name: "a", Revision: 1}),
		"walk":   s.Walk(t.Context(), "p", "", func(cell.Cell) error { return nil }),
	} {
		if err == nil || !strings.Contains(err.Error(), "ResourceNotFoundException") || errors.Is(err, cell.ErrConflict) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

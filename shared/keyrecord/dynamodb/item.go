package dynamodb

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/keyturn/keyturn/shared/keyrecord"
)

type item = map[string]types.AttributeValue

// The stored forms. Each converts to and from its type in keyrecord, so that a
// field which is added there and forgotten here does not compile. Zero values
// are not stored.
type (
	record struct {
		Secret        string           `json:"secret"`
		KeyID         string           `json:"key_id"`
		KeyName       string           `json:"key_name,omitempty"`
		Vendor        string           `json:"vendor,omitempty"`
		VendorAccount string           `json:"vendor_account,omitempty"`
		Origin        keyrecord.Origin `json:"origin,omitempty"`
		Version       string           `json:"version,omitempty"`
		State         keyrecord.State  `json:"state,omitempty"`
		Promoted      time.Time        `json:"promoted,omitzero"`
		Replaced      time.Time        `json:"replaced,omitzero"`
		Disabled      time.Time        `json:"disabled,omitzero"`
		Revoked       time.Time        `json:"revoked,omitzero"`
		Ended         time.Time        `json:"ended,omitzero"`
		Hurried       time.Time        `json:"hurried,omitzero"`
		Ending        time.Time        `json:"ending,omitzero"`
		Wanted        time.Time        `json:"wanted,omitzero"`
		LastUsed      time.Time        `json:"last_used,omitzero"`
		LastSeen      time.Time        `json:"last_seen,omitzero"`
		Missing       time.Time        `json:"missing,omitzero"`
		Seen          int              `json:"seen,omitempty"`
		Attempts      int              `json:"attempts,omitempty"`
		Stuck         time.Time        `json:"stuck,omitzero"`
		LastErr       string           `json:"last_err,omitempty"`
		Next          time.Time        `json:"next,omitzero"`
		Why           string           `json:"why,omitempty"`
		Proof         string           `json:"proof,omitempty"`
		Told          []string         `json:"told,omitempty"`
		Revision      int              `json:"revision"`
		More          any              `json:"-"`
	}
	request struct {
		Secret    string    `json:"secret"`
		Rotation  string    `json:"rotation"`
		Mode      string    `json:"mode,omitempty"`
		Reason    string    `json:"reason,omitempty"`
		Requester string    `json:"requester,omitempty"`
		At        time.Time `json:"at,omitzero"`
	}
	failure struct {
		Secret    string    `json:"secret"`
		Version   string    `json:"version,omitempty"`
		Step      string    `json:"step,omitempty"`
		ErrorType string    `json:"error_type,omitempty"`
		Text      string    `json:"text,omitempty"`
		At        time.Time `json:"at,omitzero"`
		Count     int       `json:"count,omitempty"`
	}
	pause struct {
		Secret   string    `json:"secret"`
		ID       string    `json:"id,omitempty"`
		Until    time.Time `json:"until,omitzero"`
		Reason   string    `json:"reason,omitempty"`
		Owner    string    `json:"owner,omitempty"`
		By       string    `json:"by,omitempty"`
		At       time.Time `json:"at,omitzero"`
		Ended    time.Time `json:"ended,omitzero"`
		EndedBy  string    `json:"ended_by,omitempty"`
		Revision int       `json:"revision"`
		More     any       `json:"-"`
	}
	alert struct {
		Secret    string    `json:"secret"`
		ID        string    `json:"id,omitempty"`
		Kind      string    `json:"kind,omitempty"`
		Severity  string    `json:"severity,omitempty"`
		Summary   string    `json:"summary,omitempty"`
		About     string    `json:"about,omitempty"`
		KeyID     string    `json:"key_id,omitempty"`
		At        time.Time `json:"at,omitzero"`
		Acked     time.Time `json:"acked,omitzero"`
		By        string    `json:"by,omitempty"`
		Reason    string    `json:"reason,omitempty"`
		Escalated time.Time `json:"escalated,omitzero"`
		Revision  int       `json:"revision"`
		More      any       `json:"-"`
	}
)

// encode writes a stored form as an item: strings as S, numbers as N, lists as
// L, times as S in RFC 3339.
func encode[T record | request | failure | pause | alert](v T, secret, kind string) item {
	out := item{}
	b, err := json.Marshal(v)
	if err == nil {
		var fields map[string]any
		err = json.Unmarshal(b, &fields)
		for name, f := range fields {
			out[name] = attribute(f)
		}
	}
	if err != nil { // the forms hold strings, numbers and times of this era only
		panic(fmt.Sprintf("encode %T: %v", v, err))
	}
	out[attrSecret], out[attrItem] = text(secret), text(kind)
	return out
}

// rest are an item's attributes that this version does not know. It is not
// changed, so that records may share it.
type rest struct{ attributes item }

// Equal compares what they hold.
func (r *rest) Equal(o *rest) bool { return reflect.DeepEqual(r, o) }

// restOf returns what an item has besides the fields of its form, or nil.
func restOf[T record | pause | alert](it item) any {
	other := maps.Clone(it)
	for _, ours := range []string{attrSecret, attrItem, attrExpires} {
		delete(other, ours)
	}
	for field := range reflect.TypeFor[T]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		delete(other, name)
	}
	if len(other) == 0 {
		return nil
	}
	return &rest{other}
}

// with puts back what came with a record: a version that goes back for a while
// must not lose what the newer one knows.
func with(it item, more any) item {
	if r, ok := more.(*rest); ok {
		for name, a := range r.attributes {
			if _, ours := it[name]; !ours {
				it[name] = a
			}
		}
	}
	return it
}

func attribute(v any) types.AttributeValue {
	switch v := v.(type) {
	case float64:
		return number(int64(v))
	case []any:
		l := make([]types.AttributeValue, len(v))
		for i, e := range v {
			l[i] = attribute(e)
		}
		return &types.AttributeValueMemberL{Value: l}
	default:
		s, _ := v.(string)
		return text(s)
	}
}

func decode[T record | request | failure | pause | alert](it item) (T, error) {
	var v T
	fields := make(map[string]any, len(it))
	for name, a := range it {
		if f := plain(a); f != nil {
			fields[name] = f
		}
	}
	b, err := json.Marshal(fields)
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if err != nil {
		return v, fmt.Errorf("decode item %q: %w", textOf(it[attrItem]), err)
	}
	return v, nil
}

// plain returns nil for a type of attribute that we never write.
func plain(a types.AttributeValue) any {
	switch a := a.(type) {
	case *types.AttributeValueMemberS:
		return a.Value
	case *types.AttributeValueMemberN:
		return json.Number(a.Value)
	case *types.AttributeValueMemberL:
		l := make([]any, 0, len(a.Value))
		for _, e := range a.Value {
			l = append(l, plain(e))
		}
		return l
	}
	return nil
}

func textOf(a types.AttributeValue) string {
	s, _ := plain(a).(string)
	return s
}

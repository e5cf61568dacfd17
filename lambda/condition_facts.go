package lambda

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"tocsin/dispatch"
)

// facts is what one evaluation knows. It resolves CEL's variables; attributes
// and payload are decoded when an expression first asks for them.
type facts struct {
	alert      dispatch.Alert
	ticket     *dispatch.Ticket
	now        time.Time
	attributes ref.Val
	payload    ref.Val
	verdicts   []verdict // by clause
	shown      int       // bytes of values told so far
}

// variables are what a condition can name.
var variables = []string{"alert", "ticket", "now"}

// ResolveName gives the value of a variable.
func (f *facts) ResolveName(name string) (any, bool) {
	switch name {
	case "alert":
		return record{alertShape, f}, true
	case "ticket":
		if f.ticket == nil {
			return types.NullValue, true
		}
		return record{ticketShape, f}, true
	case "now":
		return types.Timestamp{Time: f.now.UTC()}, true
	}
	return nil, false
}

// Parent is none: these are all the variables that there are.
func (f *facts) Parent() cel.Activation { return nil }

// column is one field of the alert or the ticket. Absent tells that the API
// would show null.
type column struct {
	name   string
	kind   *types.Type
	value  func(f *facts) ref.Val
	absent func(f *facts) bool
	json   func(f *facts) (raw dispatch.JSON, decoded ref.Val) // nil: no JSON; decoded is nil before it was asked for
}

var alertShape = newShape("Alert", []column{
	plain("behaviorModel", func(f *facts) string { return f.alert.BehaviorModel }),
	optional("behavior", func(f *facts) *string { return f.alert.Behavior }),
	optional("key", func(f *facts) *string { return f.alert.Key }),
	optional("keyType", func(f *facts) *string { return f.alert.KeyType }),
	plain("severity", func(f *facts) string { return string(f.alert.Severity) }),
	{"riskScore", types.IntType, func(f *facts) ref.Val { return whole(f.alert.RiskScore) }, func(f *facts) bool { return f.alert.RiskScore == nil }, nil},
	{"risks", types.NewListType(types.StringType), func(f *facts) ref.Val {
		return types.NewStringList(types.DefaultTypeAdapter, f.alert.Risks)
	}, nil, nil},
	plain("summary", func(f *facts) string { return f.alert.Summary }),
	optional("description", func(f *facts) *string { return f.alert.Description }),
	optional("source", func(f *facts) *string { return f.alert.Source }),
	optional("link", func(f *facts) *string { return f.alert.Link }),
	{"attributes", types.NewMapType(types.StringType, types.DynType), (*facts).decodedAttributes, nil, func(f *facts) (dispatch.JSON, ref.Val) { return f.alert.Attributes, f.attributes }},
	{"payload", types.DynType, (*facts).decodedPayload, func(f *facts) bool { return f.alert.Payload == nil }, func(f *facts) (dispatch.JSON, ref.Val) { return f.alert.Payload, f.payload }},
	plain("dedupKey", func(f *facts) string { return f.alert.DedupKey }),
	moment("occurredAt", func(f *facts) time.Time { return f.alert.OccurredAt }),
	moment("receivedAt", func(f *facts) time.Time { return f.alert.ReceivedAt }),
	plain("raisedBy", func(f *facts) string { return f.alert.RaisedBy.Name }),
})

var ticketShape = newShape("Ticket", []column{
	{"number", types.IntType, func(f *facts) ref.Val { return types.Int(f.ticket.Number) }, nil, nil},
	plain("status", func(f *facts) string { return string(f.ticket.Status) }),
	plain("severity", func(f *facts) string { return string(f.ticket.Severity) }),
	{"alertCount", types.IntType, func(f *facts) ref.Val { return types.Int(f.ticket.AlertCount) }, nil, nil},
	moment("openedAt", func(f *facts) time.Time { return f.ticket.OpenedAt }),
})

func plain(name string, of func(*facts) string) column {
	return column{name, types.StringType, func(f *facts) ref.Val { return types.String(of(f)) }, nil, nil}
}

func optional(name string, of func(*facts) *string) column {
	return column{name, types.StringType, func(f *facts) ref.Val {
		if s := of(f); s != nil {
			return types.String(*s)
		}
		return types.String("")
	}, func(f *facts) bool { return of(f) == nil }, nil}
}

func moment(name string, of func(*facts) time.Time) column {
	return column{name, types.TimestampType, func(f *facts) ref.Val { return types.Timestamp{Time: of(f).UTC()} }, nil, nil}
}

func whole(n *int) ref.Val {
	if n == nil {
		return types.IntZero
	}
	return types.Int(*n)
}

func (f *facts) decodedAttributes() ref.Val {
	if f.attributes == nil {
		all := map[string]any{}
		if err := json.Unmarshal(f.alert.Attributes, &all); err != nil && len(f.alert.Attributes) > 0 {
			return types.WrapErr(errors.New("alert.attributes is not a JSON object"))
		}
		f.attributes = types.DefaultTypeAdapter.NativeToValue(all)
	}
	return f.attributes
}

func (f *facts) decodedPayload() ref.Val {
	if f.payload == nil {
		var all any
		if err := json.Unmarshal(f.alert.Payload, &all); err != nil && len(f.alert.Payload) > 0 {
			return types.WrapErr(errors.New("alert.payload is not JSON"))
		}
		f.payload = types.DefaultTypeAdapter.NativeToValue(all)
	}
	return f.payload
}

// shape is the CEL type of the alert or of the ticket.
type shape struct {
	*types.Type
	names   []string
	columns map[string]column
	fields  map[string]*types.FieldType
}

func newShape(name string, columns []column) *shape {
	s := &shape{Type: types.NewObjectType(name), columns: map[string]column{}, fields: map[string]*types.FieldType{}}
	for _, c := range columns {
		s.names = append(s.names, c.name)
		s.columns[c.name] = c
		s.fields[c.name] = &types.FieldType{Type: c.kind, IsSet: c.isSet, GetFrom: c.get}
	}
	return s
}

func (c column) isSet(of any) bool {
	f, ok := of.(*facts)
	return ok && (c.absent == nil || !c.absent(f))
}

var errNoTicket = errors.New(`there is no open ticket that the alert would join; write ticket != null && …, or ticket.?status.orValue("")`)

func (c column) get(of any) (any, error) {
	f, ok := of.(*facts)
	if !ok {
		return nil, errNoTicket // null is all that the checker lets through beside a record
	}
	v := c.value(f)
	if failed, ok := v.(*types.Err); ok {
		return nil, failed
	}
	return v, nil
}

// ReflectType is nil: no Go type stands behind it.
func (s *shape) ReflectType() reflect.Type { return nil }

// FieldNames lists the fields in the order of the API.
func (s *shape) FieldNames() []string { return s.names }

// FindFieldType finds a field.
func (s *shape) FindFieldType(name string) (*types.FieldType, bool) {
	f, ok := s.fields[name]
	return f, ok
}

// NewValue refuses: a condition cannot make alerts.
func (s *shape) NewValue(types.Adapter, map[string]ref.Val) ref.Val {
	return types.NewErr("a condition cannot make a value of type %s", s.TypeName())
}

// Adapt refuses what is no record yet.
func (s *shape) Adapt(_ types.Adapter, v any) ref.Val { return types.UnsupportedRefValConversionErr(v) }

// record is the alert or the ticket as a CEL value.
type record struct {
	shape *shape
	facts *facts
}

// ConvertToNative is not offered: nothing here asks for it.
func (r record) ConvertToNative(to reflect.Type) (any, error) {
	return nil, fmt.Errorf("%s cannot become %v", r.shape.TypeName(), to)
}

// ConvertToType tells the type and nothing else.
func (r record) ConvertToType(to ref.Type) ref.Val {
	if to == types.TypeType {
		return r.shape.Type
	}
	return types.NewErr("%s cannot become %s", r.shape.TypeName(), to.TypeName())
}

// Equal holds for the same record.
func (r record) Equal(other ref.Val) ref.Val { return types.Bool(other == ref.Val(r)) }

// Type is the record's shape.
func (r record) Type() ref.Type { return r.shape.Type }

// Value is what the fields are read from.
func (r record) Value() any { return r.facts }

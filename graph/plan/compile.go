package plan

import (
	"context"
	"reflect"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// object is a selection on one type.
type object struct {
	name   string
	goType reflect.Type // nil for the root
	fields []field
}

// field is one field of a selection. Its value is a constant, lies in the
// parent, or is asked for.
type field struct {
	key      []byte // with quotes and colon
	constant []byte
	index    []int
	ask      *question
	out      *shape
}

// shape is the type of a value: a list, a leaf, or one of some objects.
type shape struct {
	nonNull bool
	elem    *shape
	leaf    Leaf
	objects []*object
}

// question is how a value is asked for: a method of the parent, or a resolver.
type question struct {
	call      reflect.Value
	resolver  bool // takes a context before the parent
	context   bool // takes a context
	parent    bool // takes the parent
	fallible  bool
	ahead     Ahead
	field     *ast.Field
	arguments Arguments
	order     []string // of the arguments
}

// innermost is what a list holds in the end.
func (s *shape) innermost() *shape {
	for s.elem != nil {
		s = s.elem
	}
	return s
}

// compiler makes one plan.
type compiler struct {
	facts Facts
	oc    *graphql.OperationContext
	needs map[string]bool
	looks Looks
}

func (p *Plans) compile(oc *graphql.OperationContext) *plan {
	c := &compiler{facts: p.facts, oc: oc, needs: map[string]bool{}, looks: Looks{}}
	root, err := c.object(p.facts.Schema.Query, nil, oc.Operation.SelectionSet)
	if err != nil {
		return &plan{}
	}
	made := &plan{root: root, prepare: p.facts.Prepare(c.looks)}
	for need := range c.needs {
		made.needs = append(made.needs, need)
	}
	return made
}

func (c *compiler) object(def *ast.Definition, goType reflect.Type, set ast.SelectionSet) (*object, error) {
	o := &object{name: def.Name, goType: goType}
	for _, collected := range graphql.CollectFields(c.oc, set, c.implemented(def)) {
		if len(collected.Deferrables) > 0 {
			return nil, errUnknown
		}
		f, err := c.field(def, goType, collected)
		if err != nil {
			return nil, err
		}
		f.key = append(appendString(nil, collected.Alias), ':')
		o.fields = append(o.fields, f)
	}
	return o, nil
}

// implemented are the names that a type goes by in fragments.
func (c *compiler) implemented(def *ast.Definition) []string {
	names := append([]string{def.Name}, def.Interfaces...)
	for _, other := range c.facts.Schema.Types {
		if other.Kind == ast.Union && slices.Contains(other.Types, def.Name) {
			names = append(names, other.Name)
		}
	}
	return names
}

func (c *compiler) field(def *ast.Definition, goType reflect.Type, collected graphql.CollectedField) (f field, err error) {
	if collected.Name == "__typename" {
		return field{constant: appendString(nil, def.Name)}, nil
	}
	if strings.HasPrefix(collected.Name, "__") {
		return f, errUnknown
	}
	for _, need := range c.facts.Needs(collected.Field) {
		c.needs[need] = true
	}
	of, err := c.bind(&f, def, goType, collected.Field)
	if err != nil {
		return f, err
	}
	f.out, err = c.shape(collected.Definition.Type, of, collected.Selections)
	return f, err
}

// bind finds where the value of a field is, and its Go type.
func (c *compiler) bind(f *field, def *ast.Definition, goType reflect.Type, of *ast.Field) (reflect.Type, error) {
	if method := c.resolver(def.Name, of.Name); method.IsValid() {
		ahead, known := c.facts.Known[def.Name+"."+of.Name]
		if !known {
			return nil, errUnknown
		}
		c.lookAtID(goType, of.Name)
		f.ask = &question{call: method, resolver: true, context: true, parent: goType != nil, fallible: true, ahead: ahead, field: of}
		return method.Type().Out(0), c.arguments(f.ask, def, of)
	}
	if goType == nil || len(of.Definition.Arguments) > 0 {
		return nil, errUnknown
	}
	if method, ok := method(reflect.PointerTo(goType), of.Name); ok {
		c.look(goType, method.Name)
		f.ask = &question{call: method.Func, parent: true, context: method.Type.NumIn() == 2, fallible: method.Type.NumOut() == 2}
		return method.Type.Out(0), nil
	}
	in, ok := goType.FieldByNameFunc(func(name string) bool { return strings.EqualFold(name, of.Name) })
	if !ok || !in.IsExported() {
		return nil, errUnknown
	}
	c.look(goType, in.Name)
	f.index = in.Index
	return in.Type, nil
}

// lookAtID looks at what a resolver takes from its parent beside the parent's id:
// the id of the thing that the field is named after, where the parent has it.
func (c *compiler) lookAtID(at reflect.Type, name string) {
	if at == nil {
		return
	}
	if id, ok := at.FieldByNameFunc(func(field string) bool { return strings.EqualFold(field, name+"ID") }); ok {
		c.look(at, id.Name)
	}
}

func (c *compiler) look(at reflect.Type, name string) {
	if c.looks[at] == nil {
		c.looks[at] = map[string]bool{}
	}
	c.looks[at][name] = true
}

// resolver is the method that the generated code would call.
func (c *compiler) resolver(object, name string) reflect.Value {
	root := reflect.ValueOf(c.facts.Resolvers).MethodByName(object)
	if !root.IsValid() {
		return reflect.Value{}
	}
	resolvers := root.Call(nil)[0]
	for i := range resolvers.Type().NumMethod() {
		if strings.EqualFold(resolvers.Type().Method(i).Name, name) {
			return resolvers.Method(i)
		}
	}
	return reflect.Value{}
}

func (c *compiler) arguments(q *question, def *ast.Definition, of *ast.Field) error {
	if len(of.Definition.Arguments) == 0 {
		return nil
	}
	q.arguments = c.facts.Arguments(def.Name, of.Name)
	if q.arguments == nil {
		return errUnknown
	}
	for _, arg := range of.Definition.Arguments {
		q.order = append(q.order, arg.Name)
	}
	return nil
}

var contextType = reflect.TypeFor[context.Context]()

// method is the method that answers a field, if it is of a form that is known.
func method(of reflect.Type, name string) (reflect.Method, bool) {
	for m := range of.Methods() {
		if !strings.EqualFold(m.Name, name) {
			continue
		}
		t := m.Type
		in := t.NumIn() == 1 || t.NumIn() == 2 && t.In(1) == contextType
		out := t.NumOut() == 1 || t.NumOut() == 2 && t.Out(1) == reflect.TypeFor[error]()
		return m, in && out
	}
	return reflect.Method{}, false
}

func (c *compiler) shape(t *ast.Type, goType reflect.Type, set ast.SelectionSet) (*shape, error) {
	s := &shape{nonNull: t.NonNull}
	if goType.Kind() == reflect.Pointer {
		goType = goType.Elem()
	}
	var err error
	if t.Elem != nil {
		if goType.Kind() != reflect.Slice {
			return nil, errUnknown
		}
		s.elem, err = c.shape(t.Elem, goType.Elem(), set)
		return s, err
	}
	def := c.facts.Schema.Types[t.NamedType]
	switch {
	case def.IsLeafType():
		s.leaf = c.leaf(def, goType)
		if s.leaf == nil {
			err = errUnknown
		}
	case def.IsAbstractType():
		err = c.members(s, def, set)
	case goType.Kind() == reflect.Struct:
		s.objects = make([]*object, 1)
		s.objects[0], err = c.object(def, goType, set)
	default:
		err = errUnknown
	}
	return s, err
}

// members compiles a selection for each type that may stand there.
func (c *compiler) members(s *shape, def *ast.Definition, set ast.SelectionSet) error {
	for _, possible := range c.facts.Schema.GetPossibleTypes(def) {
		goType := c.facts.Members[possible.Name]
		if goType == nil {
			return errUnknown
		}
		o, err := c.object(possible, goType, set)
		if err != nil {
			return err
		}
		s.objects = append(s.objects, o)
	}
	return nil
}

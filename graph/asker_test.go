package graph

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"tocsin/dispatch"
)

// asker asks at random whatever the schema allows.
type asker struct {
	r      *rand.Rand
	schema *ast.Schema
	words  map[string][]string

	declared  []string
	variables map[string]any
	fragments []string
}

func (a *asker) chance(percent int) bool { return a.r.IntN(100) < percent }

func (a *asker) caller() dispatch.Caller {
	c := dispatch.Caller{TokenID: "tok_asker", Name: "asker", Scopes: []dispatch.Scope{dispatch.ScopeRead}}
	switch {
	case a.chance(10):
		c.Scopes = []dispatch.Scope{dispatch.ScopeRaise}
	case a.chance(30):
		c.Scopes = []dispatch.Scope{dispatch.ScopeAdmin}
	}
	return c
}

func (a *asker) query() (document string, variables map[string]any) {
	a.declared, a.variables, a.fragments = nil, map[string]any{}, nil
	set := a.set(a.schema.Query, 5, 1+a.r.IntN(2))
	head := "query"
	if len(a.declared) > 0 {
		head += "(" + strings.Join(a.declared, ", ") + ")"
	}
	return head + " " + set + " " + strings.Join(a.fragments, " "), a.variables
}

// set is a selection of some fields of a type.
func (a *asker) set(def *ast.Definition, depth, most int) string {
	var fields []*ast.FieldDefinition
	for _, f := range def.Fields {
		if !strings.HasPrefix(f.Name, "__") && (depth > 1 || a.schema.Types[f.Type.Name()].IsLeafType()) {
			fields = append(fields, f)
		}
	}
	parts := []string{}
	for range most {
		if len(fields) > 0 {
			parts = append(parts, a.wrapped(def, a.field(fields[a.r.IntN(len(fields))], depth)))
		}
	}
	if def.IsAbstractType() {
		for _, member := range a.schema.GetPossibleTypes(def) {
			if a.chance(20) {
				parts = append(parts, "... on "+member.Name+" "+a.set(member, depth, 3))
			}
		}
	}
	if len(parts) == 0 || a.chance(15) {
		parts = append(parts, "__typename")
	}
	return "{ " + strings.Join(parts, " ") + " }"
}

// wrapped puts a field into a fragment now and then.
func (a *asker) wrapped(def *ast.Definition, field string) string {
	switch a.r.IntN(12) {
	case 0:
		return "..." + a.directive() + " { " + field + " }"
	case 1:
		return "... on " + def.Name + a.directive() + " { " + field + " }"
	case 2:
		name := fmt.Sprintf("f%d", len(a.fragments))
		a.fragments = append(a.fragments, "fragment "+name+" on "+def.Name+" { "+field+" }")
		return "..." + name + a.directive()
	default:
		return field
	}
}

func (a *asker) field(f *ast.FieldDefinition, depth int) string {
	// Each has a name of its own, as two with other arguments must not meet.
	text := fmt.Sprintf("x%d: %s", a.r.IntN(1e9), f.Name)
	var args []string
	for _, arg := range f.Arguments {
		if arg.Type.NonNull || arg.Name == "first" || a.chance(25) {
			args = append(args, arg.Name+": "+a.argument(arg))
		}
	}
	if len(args) > 0 {
		text += "(" + strings.Join(args, ", ") + ")"
	} else if a.chance(90) {
		text = f.Name
		if len(f.Arguments) > 0 {
			text = "plain" + f.Name + ": " + f.Name
		}
	}
	text += a.directive()
	if def := a.schema.Types[f.Type.Name()]; !def.IsLeafType() {
		text += " " + a.set(def, depth-1, 1+a.r.IntN(4))
	}
	return text
}

func (a *asker) directive() string {
	if !a.chance(8) {
		return ""
	}
	name, value := []string{"skip", "include"}[a.r.IntN(2)], a.chance(50)
	if a.chance(50) {
		return fmt.Sprintf(" @%s(if: %t)", name, value)
	}
	return fmt.Sprintf(" @%s(if: %s)", name, a.variable("Boolean!", value))
}

func (a *asker) variable(of string, value any) string {
	name := fmt.Sprintf("$v%d", len(a.declared))
	a.declared, a.variables[name[1:]] = append(a.declared, name+": "+of), value
	return name
}

// argument is a value, in the document or as a variable.
func (a *asker) argument(arg *ast.ArgumentDefinition) string {
	value := a.value(arg.Type, arg.Name, 3)
	if a.chance(50) {
		return a.variable(arg.Type.String(), value)
	}
	return written(a.schema, arg.Type, value)
}

// value is any value of a type; of some it is a wrong one now and then.
func (a *asker) value(t *ast.Type, name string, depth int) any {
	if !t.NonNull && a.chance(10) {
		return nil
	}
	if t.Elem != nil {
		list := []any{}
		for range a.r.IntN(3) {
			list = append(list, a.value(t.Elem, name, depth))
		}
		return list
	}
	def := a.schema.Types[t.NamedType]
	switch {
	case def.Kind == ast.Enum:
		return def.EnumValues[a.r.IntN(len(def.EnumValues))].Name
	case def.Kind == ast.InputObject:
		object := map[string]any{}
		for _, f := range def.Fields {
			if f.Type.NonNull || depth > 0 && a.chance(20) {
				object[f.Name] = a.value(f.Type, f.Name, depth-1)
			}
		}
		return object
	case t.NamedType == "Int" && a.chance(4):
		return json.Number("500")
	case t.NamedType == "Int":
		return json.Number(fmt.Sprint(1 + a.r.IntN(4)))
	case t.NamedType == "Boolean":
		return a.chance(50)
	case t.NamedType == "DateTime":
		return []string{"2020-01-01T00:00:00Z", "2040-01-01T00:00:00Z"}[a.r.IntN(2)]
	case name == "after" && a.chance(70):
		return nil
	default:
		words := a.words[t.NamedType]
		return words[a.r.IntN(len(words))]
	}
}

// written writes a value into a document.
func written(schema *ast.Schema, t *ast.Type, value any) string {
	switch v := value.(type) {
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = written(schema, t.Elem, v[i])
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		var parts []string
		for _, f := range schema.Types[t.NamedType].Fields {
			if field, given := v[f.Name]; given {
				parts = append(parts, f.Name+": "+written(schema, f.Type, field))
			}
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case string:
		if schema.Types[t.Name()].Kind == ast.Enum {
			return v
		}
	case nil:
		return "null"
	}
	text, err := json.Marshal(value)
	if err != nil {
		return "null"
	}
	return string(text)
}

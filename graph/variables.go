package graph

import (
	"encoding/json"
	"math"
	"slices"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"tocsin/graph/internal/gen"
)

// checkVariables holds variables to their types as strictly as the validator
// holds what is written in the document: the library takes a number for a
// text, a text for a number, and an enum value in any case.
func checkVariables(schema *ast.Schema, oc *graphql.OperationContext) *gqlerror.Error {
	for _, def := range oc.Operation.VariableDefinitions {
		c := variable{schema: schema, path: ast.Path{ast.PathName("variable"), ast.PathName(def.Variable)}}
		if err := c.check(def.Type, oc.Variables[def.Variable]); err != nil {
			return err
		}
	}
	return nil
}

type variable struct {
	schema *ast.Schema
	path   ast.Path
}

func (c variable) at(element ast.PathElement) variable {
	return variable{c.schema, append(slices.Clip(c.path), element)}
}

func (c variable) wrong(want string) *gqlerror.Error {
	err := refuse(gen.ErrorCodeValidationFailed, "%s is not %s", c.path, want)
	err.Path = c.path
	return err
}

func (c variable) check(typ *ast.Type, value any) *gqlerror.Error {
	if value == nil {
		return nil // the library has refused null where it must not be
	}
	if typ.Elem != nil {
		return c.list(typ.Elem, value)
	}
	def := c.schema.Types[typ.NamedType]
	switch def.Kind {
	case ast.InputObject:
		return c.object(def, value)
	case ast.Enum:
		text, ok := value.(string)
		if !ok || def.EnumValues.ForName(text) == nil {
			return c.wrong("a value of the enum " + def.Name + ", in capital letters")
		}
		return nil
	default:
		return c.scalar(def.Name, value)
	}
}

// list takes a single value for a list of one, as GraphQL has it. The library
// may have made such a list already, of the value's own type.
func (c variable) list(elem *ast.Type, value any) *gqlerror.Error {
	var items []any
	switch value := value.(type) {
	case []any:
		items = value
	case []string:
		for _, item := range value {
			items = append(items, item)
		}
	case []json.Number:
		for _, item := range value {
			items = append(items, item)
		}
	case []map[string]any:
		for _, item := range value {
			items = append(items, item)
		}
	default:
		return c.check(elem, value)
	}
	for i, item := range items {
		if err := c.at(ast.PathIndex(i)).check(elem, item); err != nil {
			return err
		}
	}
	return nil
}

func (c variable) object(def *ast.Definition, value any) *gqlerror.Error {
	fields, ok := value.(map[string]any)
	if !ok {
		return c.wrong("an object of the type " + def.Name)
	}
	for name, item := range fields {
		field := def.Fields.ForName(name)
		if field == nil {
			return c.at(ast.PathName(name)).wrong("a field of the type " + def.Name)
		}
		if err := c.at(ast.PathName(name)).check(field.Type, item); err != nil {
			return err
		}
	}
	return nil
}

func (c variable) scalar(name string, value any) *gqlerror.Error {
	_, isText := value.(string)
	switch name {
	case "String":
		if !isText {
			return c.wrong("a text")
		}
	case "ID":
		if !isText && !whole(value, math.MaxInt64) {
			return c.wrong("a text")
		}
	case "Boolean":
		if _, ok := value.(bool); !ok {
			return c.wrong("true or false")
		}
	case "Int":
		if !whole(value, math.MaxInt32) {
			return c.wrong("a whole number of 32 bits")
		}
	}
	return nil
}

func whole(value any, most int64) bool {
	n, ok := value.(int64)
	if number, isNumber := value.(json.Number); isNumber {
		var err error
		n, err = number.Int64()
		ok = err == nil
	}
	return ok && n <= most && n >= -most-1
}

package plan

import (
	"bytes"
	"context"
	"reflect"
	"strconv"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// leaf is what writes a scalar or an enum; nil when that is not known.
func (c *compiler) leaf(def *ast.Definition, goType reflect.Type) Leaf {
	if own := c.facts.Scalars[def.Name]; own != nil {
		return own
	}
	kind := goType.Kind()
	switch {
	case kind == reflect.String && (def.Kind == ast.Enum || def.Name == "String" || def.Name == "ID"):
		return writeString
	case kind == reflect.Int && def.Name == "Int":
		return writeInt
	case kind == reflect.Bool && def.Name == "Boolean":
		return writeBool
	case kind == reflect.Float64 && def.Name == "Float":
		return writeFloat
	default:
		return nil
	}
}

func writeString(b []byte, v reflect.Value) ([]byte, error) { return appendString(b, v.String()), nil }

func writeInt(b []byte, v reflect.Value) ([]byte, error) {
	return strconv.AppendInt(b, v.Int(), 10), nil
}

func writeBool(b []byte, v reflect.Value) ([]byte, error) {
	return strconv.AppendBool(b, v.Bool()), nil
}

// writeFloat does not know how to write what is no number.
func writeFloat(b []byte, v reflect.Value) ([]byte, error) {
	text := bytes.NewBuffer(b)
	err := graphql.MarshalFloatContext(v.Float()).MarshalGQLContext(context.Background(), text)
	return text.Bytes(), err
}

// appendString appends a text as the generated code writes it.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '\\' || c == '"' {
			text := bytes.NewBuffer(b)
			graphql.MarshalString(s).MarshalGQL(text)
			return text.Bytes()
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

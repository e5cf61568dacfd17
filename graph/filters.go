package graph

import (
	"reflect"
	"strings"

	"tocsin/dispatch"
	"tocsin/graph/internal/gen"
)

// What a filter may ask for at once: each value is a placeholder or a walk of
// its own in the books.
const (
	mostValues = 100 // of one field
	mostText   = 500 // bytes
)

// tooWide refuses a filter, or a pointer to one, that asks for too much; nil
// asks for nothing.
func tooWide(filter any) error {
	v := reflect.Indirect(reflect.ValueOf(filter))
	if !v.IsValid() || v.Kind() != reflect.Struct {
		return nil
	}
	for i := range v.NumField() {
		field, name := v.Field(i), v.Type().Field(i).Name
		switch value := field.Interface().(type) {
		case *string:
			if name == "Text" && value != nil && len(*value) > mostText {
				return refuse(gen.ErrorCodeBadRequest, "filter.text has %d bytes; give at most %d", len(*value), mostText)
			}
		case *dispatch.TicketFilter:
			if err := tooWide(value); err != nil {
				return err
			}
		default:
			if field.Kind() == reflect.Slice && field.Len() > mostValues {
				return refuse(gen.ErrorCodeBadRequest, "filter.%s has %d values; give at most %d", inSchema(name), field.Len(), mostValues)
			}
		}
	}
	return nil
}

// inSchema is a field's name as the schema has it.
func inSchema(name string) string {
	if name == "IDs" {
		return "ids"
	}
	return strings.ToLower(name[:1]) + name[1:]
}

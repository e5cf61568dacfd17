package db

import (
	"reflect"
	"testing"
)

// TestEachFieldHasItsColumn: a read of some fields takes each column that they
// are made from.
func TestEachFieldHasItsColumn(t *testing.T) {
	fieldsAndColumns(t, partialAlerts, alertOf)
	fieldsAndColumns(t, partialTickets, ticketOf)
	fieldsAndColumns(t, partialDeliveries, deliveryOf)
}

// fieldsAndColumns fills each column in turn, and looks which fields change.
func fieldsAndColumns[R, N any](t *testing.T, p partial[R], convert func(R) (N, error)) {
	t.Helper()
	all := p.of(nil)
	var none R
	empty, err := convert(none)
	if err != nil {
		t.Fatalf("%s: nothing was read: %v", all.name, err)
	}
	for i, column := range all.columns {
		var row R
		fill(reflect.ValueOf(all.fields(&row)[i]).Elem(), column)
		noun, err := convert(row)
		if err != nil {
			t.Fatalf("%s, %s: %v", all.name, column, err)
		}
		for f := range reflect.TypeFor[N]().Fields() {
			is, was := reflect.ValueOf(noun).FieldByIndex(f.Index), reflect.ValueOf(empty).FieldByIndex(f.Index)
			if of, known := p.column[f.Name]; known && of != column && !reflect.DeepEqual(is.Interface(), was.Interface()) {
				t.Errorf("%s: %s is made from %s, too, which is not read with it", all.name, f.Name, column)
			}
		}
	}
	for field, column := range p.column {
		if _, is := reflect.TypeFor[N]().FieldByName(field); !is {
			t.Errorf("%s: has no field %s", all.name, field)
		}
		if some := p.of([]string{field}); len(some.columns) > len(p.always)+1 || len(some.fields(new(R))) != len(some.columns) {
			t.Errorf("%s: for %s, of %s, are read %v", all.name, field, column, some.columns)
		}
	}
}

// fill gives a column another value than none.
func fill(v reflect.Value, column string) {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch {
	case column == "risks":
		v.SetString(`["a"]`)
	case v.Kind() == reflect.String:
		v.SetString(`{"name": "a"}`)
	default:
		v.SetInt(2)
	}
}

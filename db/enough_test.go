package db

import (
	"reflect"
	"slices"
	"testing"

	"tocsin/dispatch"
)

// TestMainFields: reads that need only the main fields of a noun get all of them.
func TestMainFields(t *testing.T) {
	mainFields(t, mainOfAlerts, allOfAlerts, alertOf, dispatch.MainOfAlert)
	mainFields(t, mainOfTickets, allOfTickets, ticketOf, dispatch.MainOfTicket)
	mainFields(t, mainOfDeliveries, allOfDeliveries, deliveryOf, dispatch.MainOfDelivery)
}

// mainFields fills each column of a table in turn, and looks which fields of the
// noun it changes: those that are called main must have no other columns.
func mainFields[R, N any](t *testing.T, some, all table[R], convert func(R) (N, error), fields []string) {
	t.Helper()
	var none R
	empty, err := convert(none)
	if err != nil {
		t.Fatalf("%s: nothing was read: %v", all.name, err)
	}
	for i, column := range all.columns {
		var row R
		fill(reflect.ValueOf(all.fields(&row)[i]).Elem())
		noun, err := convert(row)
		if err != nil {
			continue // a JSON column; none of them is main
		}
		for f := range reflect.TypeFor[N]().Fields() {
			changed := !reflect.DeepEqual(reflect.ValueOf(noun).FieldByIndex(f.Index).Interface(), reflect.ValueOf(empty).FieldByIndex(f.Index).Interface())
			if changed && slices.Contains(fields, f.Name) && !slices.Contains(some.columns, column) {
				t.Errorf("%s: %s is a main field, and its column %s is not read", all.name, f.Name, column)
			}
		}
	}
	for _, column := range some.columns {
		if !slices.Contains(all.columns, column) {
			t.Errorf("%s: has no column %s", all.name, column)
		}
	}
}

// fill gives a column another value than none.
func fill(v reflect.Value) {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if v.Kind() == reflect.String {
		v.SetString("x")
	} else {
		v.SetInt(2)
	}
}

package servicenow

import (
	"context"
	"net/http"
	"strings"

	"tocsin/dispatch"
)

// note is a work note of a record.
type note struct{ record, by, text string }

// notes are the latest work notes of records, the newest first. They are in a table
// that many users may not read; then there are none.
func (m *messenger) notes(ctx context.Context, ids ...string) []note {
	q := parameters([]string{"element_id", "value", "sys_created_by"})
	q.Set("sysparm_query", "element="+columnNotes+"^element_idIN"+strings.Join(ids, ",")+"^ORDERBYDESCsys_created_on")
	q.Set("sysparm_limit", "50")
	var found []map[string]cell
	if _, out := m.send(ctx, request{method: http.MethodGet, table: "sys_journal_field", query: q}, &found); out.Kind() != dispatch.OutcomeDelivered {
		return nil
	}
	var all []note
	for _, cells := range found {
		all = append(all, note{cells["element_id"].value, cells["sys_created_by"].value, cells["value"].value})
	}
	return all
}

// hasNote tells whether a note of a record holds a mark, as far as that can be seen.
func (m *messenger) hasNote(ctx context.Context, id, mark string) bool {
	for _, n := range m.notes(ctx, id) {
		if n.record == id && strings.Contains(n.text, mark) {
			return true
		}
	}
	return false
}

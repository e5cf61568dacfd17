package servicenow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tocsin/dispatch"
)

// Columns by their names in ServiceNow.
const (
	columnID          = "sys_id"
	columnState       = "state"
	columnCorrelation = "correlation_id"
	columnDisplay     = "correlation_display"
	columnNotes       = "work_notes"
)

// display is what our records are marked by.
const display = "Tocsin"

// read are the columns that are asked for of a record.
var read = []string{
	columnID, "number", columnState, "sys_class_name", "sys_updated_on", "sys_updated_by", "sys_mod_count",
	columnCorrelation, columnDisplay, "assigned_to",
}

// cell is one column of a record: its value, and how a person sees it.
type cell struct{ value, label string }

// UnmarshalJSON takes what the API gives for sysparm_display_value all and false.
func (c *cell) UnmarshalJSON(text []byte) error {
	var both struct {
		Value   json.RawMessage `json:"value"`
		Display json.RawMessage `json:"display_value"`
	}
	if json.Unmarshal(text, &both) == nil {
		c.value, c.label = plain(both.Value), plain(both.Display)
		return nil
	}
	c.value = plain(text)
	return nil
}

// plain is a text, or a number as one; "" for what is neither.
func plain(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var number json.Number
	if json.Unmarshal(raw, &number) == nil {
		return number.String()
	}
	return ""
}

// record is one row of a table.
type record struct {
	table string // the class of the record, which may extend the table that was asked
	cells map[string]cell
}

func (r *record) value(column string) string { return r.cells[column].value }

func (r *record) id() string { return r.value(columnID) }

// shows is the status that the record's state stands for; "" for one that is not known.
func (r *record) shows() dispatch.TicketStatus { return flowOf(r.table).shows[r.value(columnState)] }

func (r *record) word() string {
	return flowOf(r.table).word(r.value(columnState), r.cells[columnState].label)
}

func (r *record) at() time.Time { return moment(r.value("sys_updated_on"), r.value("sys_mod_count")) }

// stamp is a time of ServiceNow in UTC, as values have it.
const stamp = "2006-01-02 15:04:05"

// moment is when a record was updated; zero when that cannot be read. Values have
// whole seconds, so the count of updates orders those that fall into one.
func moment(updated, count string) time.Time {
	at, err := time.Parse(stamp, updated)
	if err != nil {
		return time.Time{}
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 {
		n = 0
	}
	return at.Add(time.Duration(min(n, 999)) * time.Millisecond)
}

// address is where a person sees a record.
func (m *messenger) address(table, id string) string {
	return m.base + "/nav_to.do?uri=" + url.QueryEscape(table+".do?sys_id="+id)
}

// ref is the copy that a record is. A state that is not known tells nothing.
func (m *messenger) ref(r *record) dispatch.Ref {
	ref := dispatch.Ref{
		ID: r.id(), URL: m.address(r.table, r.id()), Word: r.word(), Shows: r.shows(), Data: map[string]string{dataTable: r.table},
	}
	if number := r.value("number"); number != "" {
		ref.Also = []string{number}
	}
	return ref
}

// dataTable is where a link keeps the table of its record.
const dataTable = "table"

// rows are an answer to a question. Total counts also what the user may not see;
// it is -1 when that is not told.
type rows struct {
	list  []record
	total int
}

// find asks a table. The query is made of values that isPlain holds for.
func (m *messenger) find(ctx context.Context, table, query string, limit, offset int) (rows, dispatch.Outcome) {
	q := parameters(read)
	q.Set("sysparm_query", query)
	q.Set("sysparm_limit", strconv.Itoa(limit))
	q.Set("sysparm_offset", strconv.Itoa(offset))
	var found []map[string]cell
	header, out := m.send(ctx, request{method: http.MethodGet, table: table, query: q}, &found)
	if out.Kind() != dispatch.OutcomeDelivered {
		return rows{}, out
	}
	if found == nil { // no list is not an empty one, which says that all are gone
		return rows{}, dispatch.Deferred(errors.New("the answer of ServiceNow holds no list of records")).Over(out.Exchange())
	}
	r := rows{total: -1}
	if n, err := strconv.Atoi(header.Get("X-Total-Count")); err == nil {
		r.total = n
	}
	for _, cells := range found {
		r.list = append(r.list, recordOf(table, cells))
	}
	return r, out
}

func recordOf(table string, cells map[string]cell) record {
	if class := cells["sys_class_name"].value; columnForm.MatchString(class) {
		table = class
	}
	return record{table, cells}
}

// parameters ask for columns with their values and labels.
func parameters(columns []string) url.Values {
	return url.Values{
		"sysparm_fields": {strings.Join(columns, ",")}, "sysparm_display_value": {"all"}, "sysparm_exclude_reference_link": {"true"},
	}
}

// write makes a record, or changes the one with an id, and returns it as it is then.
func (m *messenger) write(ctx context.Context, table, id string, columns map[string]string) (*record, dispatch.Outcome) {
	asked := append([]string{}, read...)
	for name := range columns {
		asked = append(asked, name)
	}
	r := request{method: http.MethodPost, table: table, id: id, query: parameters(unique(asked)), body: columns}
	if id != "" {
		r.method = http.MethodPatch
	}
	var cells map[string]cell
	_, out := m.send(ctx, r, &cells)
	if out.Kind() != dispatch.OutcomeDelivered {
		return nil, out
	}
	w := recordOf(table, cells)
	if !sysIDForm.MatchString(w.id()) || id != "" && w.id() != id {
		return nil, dispatch.Deferred(errors.New("the answer of ServiceNow names no record")).Over(out.Exchange())
	}
	return &w, out
}

// one is the record with an id. One that is not there is refused as gone; one that
// the user may not see any more is not gone.
func (m *messenger) one(ctx context.Context, table, id string) (*record, dispatch.Outcome) {
	if !sysIDForm.MatchString(id) {
		return nil, dispatch.Refused(fmt.Errorf("%q is not a sys_id of 32 hexadecimal digits", dispatch.Cut(id, 100)))
	}
	found, out := m.find(ctx, table, columnID+"="+id, 1, 0)
	if out.Kind() != dispatch.OutcomeDelivered {
		return nil, out
	}
	for i := range found.list {
		if found.list[i].id() == id {
			return &found.list[i], out
		}
	}
	if found.total > 0 {
		return nil, dispatch.Refused(fmt.Errorf("the user may not see record %s of %s; grant him a role that reads it, such as itil", id, table)).Over(out.Exchange())
	}
	return nil, dispatch.Refused(fmt.Errorf("%s has no record %s any more", table, id)).Over(out.Exchange()).Gone()
}

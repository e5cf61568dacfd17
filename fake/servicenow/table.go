package servicenow

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// list answers with the records of a table that a query takes. A record that the user may not see is counted, and is
// left out after the page is cut.
func (i *Instance) list(w http.ResponseWriter, r *http.Request) {
	table := r.PathValue("table")
	if table == "sys_journal_field" && i.o.NoJournal {
		refuse(w, http.StatusForbidden, "User Not Authorized", "Failed API level ACL Validation")
		return
	}
	q := r.URL.Query()
	found := query(i.rows(table), q.Get("sysparm_query"))
	limit, err := strconv.Atoi(cmp.Or(q.Get("sysparm_limit"), "10000"))
	offset, bad := strconv.Atoi(cmp.Or(q.Get("sysparm_offset"), "0"))
	if err != nil || bad != nil || limit < 1 || offset < 0 {
		refuse(w, http.StatusBadRequest, "Invalid limit or offset", "")
		return
	}
	w.Header().Set("X-Total-Count", strconv.Itoa(len(found)))
	page := []any{}
	for _, row := range found[min(offset, len(found)):min(offset+limit, len(found))] {
		if !i.hidden[row["sys_id"]] {
			page = append(page, shown(row, r))
		}
	}
	reply(w, http.StatusOK, object{"result": page})
}

// rows are those of a table; those of task are of all that extend it.
func (i *Instance) rows(table string) []map[string]string {
	var out []map[string]string
	switch table {
	case "sys_user":
		return []map[string]string{{"sys_id": "6816f79cc0a8016401c5a33be04be441", "user_name": i.o.Username}}
	case "sys_journal_field":
		for n, note := range i.journal {
			out = append(out, map[string]string{
				"sys_id": strconv.Itoa(n), "element": "work_notes", "element_id": note.SysID, "value": note.Text,
				"sys_created_by": note.By, "sys_created_on": note.At.UTC().Format(stamp),
			})
		}
	default:
		for _, r := range i.records {
			if table == "task" || r.Table == table {
				out = append(out, r.Columns)
			}
		}
	}
	return out
}

// query takes and orders rows. A condition that names no column is left out, as an instance does; one of a form that
// the fake does not know takes nothing.
func query(rows []map[string]string, text string) []map[string]string {
	known := append([]string{"element", "element_id", "value", "sys_created_on", "user_name"}, columnsOf...)
	var order []string
	for condition := range strings.SplitSeq(text, "^") {
		if column, ok := strings.CutPrefix(condition, "ORDERBY"); ok {
			order = append(order, column)
			continue
		}
		at := strings.IndexFunc(condition, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') })
		if at < 0 || !slices.Contains(known, condition[:at]) {
			continue
		}
		rows = slices.DeleteFunc(slices.Clone(rows), func(row map[string]string) bool { return !takes(row[condition[:at]], condition[at:]) })
	}
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b map[string]string) int { return compare(a, b, order) })
	return rows
}

func takes(value, rest string) bool {
	switch {
	case strings.HasPrefix(rest, ">="):
		return value >= rest[2:]
	case strings.HasPrefix(rest, "="):
		return value == rest[1:]
	case strings.HasPrefix(rest, "IN"):
		return slices.Contains(strings.Split(rest[2:], ","), value)
	default:
		return false
	}
}

func compare(a, b map[string]string, order []string) int {
	for _, column := range order {
		name, isDown := strings.CutPrefix(column, "DESC")
		if c := strings.Compare(a[name], b[name]); c != 0 {
			if isDown {
				return -c
			}
			return c
		}
	}
	return 0
}

var labels = map[string]string{"1": "New", "2": "In Progress", "3": "On Hold", "6": "Resolved", "7": "Closed", "8": "Canceled"}

// shown is a row with the columns that are asked for, as they are asked for.
func shown(row map[string]string, r *http.Request) object {
	q := r.URL.Query()
	out := object{}
	for name, value := range row {
		if fields := q.Get("sysparm_fields"); fields != "" && !slices.Contains(strings.Split(fields, ","), name) || name == "work_notes" {
			continue
		}
		label := value
		if name == "state" && row["sys_class_name"] == "incident" {
			label = cmp.Or(labels[value], value)
		}
		switch q.Get("sysparm_display_value") {
		case "all":
			out[name] = object{"display_value": label, "value": value}
		case "true":
			out[name] = label
		default:
			out[name] = value
		}
	}
	return out
}

func (i *Instance) read(w http.ResponseWriter, r *http.Request) {
	if found := i.seen(w, r); found != nil {
		reply(w, http.StatusOK, object{"result": shown(found.Columns, r)})
	}
}

// seen is the record of a path; nil, with the answer given, when there is none.
func (i *Instance) seen(w http.ResponseWriter, r *http.Request) *Record {
	found := i.find(r.PathValue("id"))
	if found == nil || i.hidden[r.PathValue("id")] {
		refuse(w, http.StatusNotFound, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")
		return nil
	}
	return found
}

func (i *Instance) insert(w http.ResponseWriter, r *http.Request) {
	columns, ok := i.written(w, r)
	if !ok {
		return
	}
	made := i.add(r.PathValue("table"), i.o.Username, columns)
	reply(w, http.StatusCreated, object{"result": shown(made.Columns, r)})
}

func (i *Instance) written(w http.ResponseWriter, r *http.Request) (map[string]string, bool) {
	var columns map[string]string
	if err := json.NewDecoder(r.Body).Decode(&columns); err != nil {
		refuse(w, http.StatusBadRequest, "Exception while reading request", err.Error())
		return nil, false
	}
	if i.o.NoWrite {
		refuse(w, http.StatusForbidden, "Operation Failed", "ACL Exception Update Failed due to security constraints")
		return nil, false
	}
	return columns, true
}

// patch changes a record. What an instance does not let happen is mostly answered 200.
func (i *Instance) patch(w http.ResponseWriter, r *http.Request) {
	columns, ok := i.written(w, r)
	if !ok {
		return
	}
	found := i.seen(w, r)
	if found == nil {
		return
	}
	state := columns["state"]
	if len(i.o.CloseCodes) > 0 && (state == "6" || state == "7") && (!slices.Contains(i.o.CloseCodes, columns["close_code"]) || columns["close_notes"] == "") {
		refuse(w, http.StatusForbidden, "Operation Failed",
			"Data Policy Exception: The following fields are mandatory: Resolution code, Resolution notes")
		return
	}
	before := found.Columns["state"]
	for name, value := range columns {
		switch {
		case name == "work_notes":
			i.journal = append(i.journal, Note{found.Columns["sys_id"], i.o.Username, value, i.o.Now()})
		case name == "state" && i.o.Final && (before == "7" || before == "8"):
		case slices.Contains(columnsOf, name) && !slices.Contains(i.o.Undone, name):
			found.Columns[name] = value
		}
	}
	i.touch(found, i.o.Username)
	reply(w, http.StatusOK, object{"result": shown(found.Columns, r)})
}

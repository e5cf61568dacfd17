package servicenow

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"tocsin/actors/internal/clip"
	"tocsin/dispatch"
)

const (
	first   = 10 * time.Minute // how far the first poll looks back
	overlap = 2 * time.Minute  // and each later one, for what is committed late and for whole seconds
	perPage = 500
)

// mark is where a poll is: all that changed until the watermark was seen. While a
// list is read, From is the second that the next page begins at, and Offset how
// many of its records and those after it were read.
type mark struct {
	Watermark time.Time `json:"watermark"`
	From      time.Time `json:"from,omitzero"`
	Offset    int       `json:"offset,omitempty"`
}

func (k mark) text() string {
	text, err := json.Marshal(k)
	if err != nil { // times and a number always marshal
		return ""
	}
	return string(text)
}

// Poll reads one page of our records that changed since the cursor. A page begins
// at the last second of the one before, for a record that changes meanwhile moves
// the later ones forward; within one second it goes by the offset.
func (m *messenger) Poll(ctx context.Context, cursor string) (dispatch.Polled, dispatch.Outcome) {
	var k mark
	if json.Unmarshal([]byte(cursor), &k) != nil || k.Watermark.IsZero() {
		k = mark{Watermark: time.Now().UTC().Truncate(time.Second).Add(overlap - first)}
	}
	if k.From.IsZero() {
		k.From = k.Watermark.Add(-overlap)
	}
	asked := time.Now()
	query := columnDisplay + "=" + display + "^sys_updated_on>=" + k.From.UTC().Format(stamp) + "^ORDERBYsys_updated_on^ORDERBY" + columnID
	found, out := m.find(ctx, m.settings.PollTable, query, perPage, k.Offset)
	if out.Kind() != dispatch.OutcomeDelivered {
		return dispatch.Polled{Cursor: cursor}, out
	}
	p := dispatch.Polled{}
	last := k.From
	for i := range found.list {
		r := &found.list[i]
		if at, err := time.Parse(stamp, r.value("sys_updated_on")); err == nil && at.After(last) {
			last = at
		}
		if r.value(columnDisplay) == display && sysIDForm.MatchString(r.id()) { // a condition that is not understood is left out
			p.Changes = append(p.Changes, m.change(r, asked))
		}
	}
	k, p.More = k.next(found, last)
	p.Cursor = k.text()
	return p, out
}

// next is the mark after a page. A page may hold fewer records than there are in
// it, since those that the user may not see are left out after the count.
func (k mark) next(found rows, last time.Time) (mark, bool) {
	more := len(found.list) >= perPage
	if found.total >= 0 {
		more = k.Offset+perPage < found.total
	}
	switch {
	case !more && last.After(k.Watermark):
		return mark{Watermark: last}, false
	case !more:
		return mark{Watermark: k.Watermark}, false
	case last.After(k.From):
		return mark{Watermark: k.Watermark, From: last}, true
	default:
		return mark{Watermark: k.Watermark, From: k.From, Offset: k.Offset + perPage}, true
	}
}

// change says how a record stands.
func (m *messenger) change(r *record, asked time.Time) dispatch.StatusChange {
	ref := m.ref(r)
	return dispatch.StatusChange{
		At: r.at(), Names: []string{r.id()}, Status: ref.Shows, Word: ref.Word, URL: ref.URL, By: m.person(r.value("sys_updated_by")),
		Level: true, AskedAt: asked,
	}
}

// person is who did something there; "" for ourselves, and for all while we do not
// know our own name.
func (m *messenger) person(user string) string {
	if m.settings.Username == "" || m.login.isOwn(user) {
		return ""
	}
	return user
}

// fewEnough is for how many records at once their work notes are looked up.
const fewEnough = 5

// Ask reads how records stand now.
func (m *messenger) Ask(ctx context.Context, links []dispatch.TicketLink) ([]dispatch.StatusChange, dispatch.Outcome) {
	tables := map[string][]string{}
	for i := range links {
		table := tableOf(&links[i], &ConfigSettings{Table: m.settings.PollTable})
		if id := links[i].ExternalID; sysIDForm.MatchString(id) && !slices.Contains(tables[table], id) {
			tables[table] = append(tables[table], id)
		}
	}
	var changes []dispatch.StatusChange
	out := dispatch.Delivered(dispatch.Ref{})
	for table, all := range tables {
		for ids := range slices.Chunk(all, 100) {
			var some []dispatch.StatusChange
			if some, out = m.askTable(ctx, table, ids, len(links) <= fewEnough); out.Kind() != dispatch.OutcomeDelivered {
				return changes, out
			}
			changes = append(changes, some...)
		}
	}
	return changes, out
}

// askTable asks by ids. What is not in the answer is not there, unless the count
// says that the user is not shown all.
func (m *messenger) askTable(ctx context.Context, table string, ids []string, withNotes bool) ([]dispatch.StatusChange, dispatch.Outcome) {
	asked := time.Now()
	found, out := m.find(ctx, table, columnID+"IN"+strings.Join(ids, ",")+"^ORDERBY"+columnID, len(ids), 0)
	if out.Kind() != dispatch.OutcomeDelivered {
		return nil, out
	}
	var notes []note
	if withNotes {
		notes = m.notes(ctx, ids...)
	}
	there := map[string]bool{}
	var changes []dispatch.StatusChange
	for i := range found.list {
		r := &found.list[i]
		if !slices.Contains(ids, r.id()) || there[r.id()] {
			continue
		}
		there[r.id()] = true
		c := m.change(r, asked)
		c.Text = facts(r, notes)
		changes = append(changes, c)
	}
	for _, id := range ids {
		if !there[id] && found.total <= len(found.list) {
			changes = append(changes, dispatch.StatusChange{Names: []string{id}, Level: true, AskedAt: asked, Gone: true})
		}
	}
	return changes, out
}

// facts are what a person wants to know of a record, in one line.
func facts(r *record, notes []note) string {
	text := r.value("number") + " is " + r.word()
	if who := r.cells["assigned_to"]; who.label != "" {
		text += ", assigned to " + who.label
	}
	for _, n := range notes {
		if n.record == r.id() {
			return text + ", last work note by " + n.by + ": " + clip.Characters(strings.Join(strings.Fields(n.text), " "), 300)
		}
	}
	return text
}

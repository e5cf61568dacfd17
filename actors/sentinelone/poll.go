package sentinelone

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"tocsin/dispatch"
)

const (
	first   = 10 * time.Minute // how far the first poll looks back
	overlap = 5 * time.Minute  // and each later one, for changes that are seen late
)

const stamp = "2006-01-02T15:04:05.000000Z"

// mark is where a poll is: all that changed until the watermark was seen. Next is
// the console's cursor while a list is read page by page, and Seen the latest
// change of it so far. Again says that the list was begun anew since its cursor
// was not known any more.
type mark struct {
	Watermark time.Time `json:"watermark"`
	Seen      time.Time `json:"seen,omitzero"`
	Next      string    `json:"next,omitempty"`
	Again     bool      `json:"again,omitempty"`
}

func (k mark) text() string {
	text, err := json.Marshal(k)
	if err != nil { // times and a text always marshal
		return ""
	}
	return string(text)
}

// Poll reads one page of the threats that changed since the cursor. It never
// asks for what is not resolved: that would hide each close.
func (m *messenger) Poll(ctx context.Context, cursor string) (dispatch.Polled, dispatch.Outcome) {
	var k mark
	if json.Unmarshal([]byte(cursor), &k) != nil || k.Watermark.IsZero() {
		k = mark{Watermark: time.Now().UTC().Add(overlap - first)}
	}
	asked := time.Now()
	query := m.scoped("updatedAt__gte", k.Watermark.Add(-overlap).UTC().Format(stamp),
		"sortBy", "updatedAt", "sortOrder", "asc", "limit", "1000", "skipCount", "true")
	if k.Next != "" {
		query.Set("cursor", k.Next)
	}
	var found page[threat]
	out := m.ask(ctx, "/threats", query, rightView, &found)
	if isStale(k, out) { // at once, but a console that knows none of its cursors is left in peace until the next round
		again := mark{Watermark: k.Watermark, Again: !k.Again}
		return dispatch.Polled{Cursor: again.text(), More: again.Again}, dispatch.Delivered(dispatch.Ref{}).Over(out.Exchange())
	}
	if out.Kind() != dispatch.OutcomeDelivered {
		return dispatch.Polled{Cursor: cursor}, out
	}
	return polled(k, found, asked, m), out
}

// isStale tells whether the console does not know its own cursor any more.
func isStale(k mark, out dispatch.Outcome) bool {
	return k.Next != "" && out.Exchange().HTTPStatus == http.StatusBadRequest && strings.Contains(out.Exchange().Response, "cursor")
}

// polled is what a page brought, and where the next one begins.
func polled(k mark, found page[threat], asked time.Time, m *messenger) dispatch.Polled {
	var p dispatch.Polled
	for i := range found.Data {
		t := &found.Data[i]
		if t.Info.UpdatedAt.After(k.Seen) {
			k.Seen = t.Info.UpdatedAt
		}
		c := m.change(t, asked)
		c.Text = ""
		p.Changes = append(p.Changes, c)
	}
	k.Next = ""
	if next := found.Pagination.NextCursor; next != nil && *next != "" {
		k.Next, p.More = *next, true
	} else {
		if k.Seen.After(k.Watermark) {
			k.Watermark = k.Seen
		}
		k.Seen, k.Again = time.Time{}, false
	}
	p.Cursor = k.text()
	return p
}

// change says how a threat stands.
func (m *messenger) change(t *threat, asked time.Time) dispatch.StatusChange {
	ref := m.ref(t)
	return dispatch.StatusChange{
		At: t.Info.UpdatedAt, Names: []string{t.ID}, Status: ref.Shows, Word: ref.Word, URL: ref.URL,
		Text: t.facts(), Level: true, AskedAt: asked,
	}
}

// Ask reads how threats and alerts stand now.
func (m *messenger) Ask(ctx context.Context, links []dispatch.TicketLink) ([]dispatch.StatusChange, dispatch.Outcome) {
	var ids, alerts []string
	for _, l := range links {
		switch {
		case idForm.MatchString(l.ExternalID):
			ids = append(ids, l.ExternalID)
		case uuidForm.MatchString(l.ExternalID):
			alerts = append(alerts, l.ExternalID)
		}
	}
	changes, out := m.askThreats(ctx, ids)
	if out.Kind() != dispatch.OutcomeDelivered {
		return nil, out
	}
	more, out := m.askAlerts(ctx, alerts)
	return append(changes, more...), out
}

// askThreats asks by their ids; what is not in the answer is not there.
func (m *messenger) askThreats(ctx context.Context, ids []string) ([]dispatch.StatusChange, dispatch.Outcome) {
	out := passed()
	if len(ids) == 0 {
		return nil, out
	}
	asked := time.Now()
	found, out := m.threats(ctx, ids...)
	if out.Kind() != dispatch.OutcomeDelivered {
		return nil, out
	}
	there := map[string]bool{}
	var changes []dispatch.StatusChange
	for i := range found {
		there[found[i].ID] = true
		changes = append(changes, m.change(&found[i], asked))
	}
	for _, id := range ids {
		if !there[id] {
			changes = append(changes, dispatch.StatusChange{Names: []string{id}, Level: true, AskedAt: asked, Gone: true})
		}
	}
	return changes, out
}

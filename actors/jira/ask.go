package jira

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"tocsin/dispatch"
)

const (
	first   = 10 * time.Minute   // how far the first poll looks back
	overlap = 5 * time.Minute    // and each later one more than it must, for what a search knows late
	longest = 7 * 24 * time.Hour // what is older is left to Ask
)

// round is where a poll is: Since is when the last complete round began, Began
// when this one did, Minutes what it looks back, Next Jira's cursor of it.
type round struct {
	Since   time.Time `json:"since"`
	Began   time.Time `json:"began,omitzero"`
	Minutes int       `json:"minutes,omitempty"`
	Next    string    `json:"next,omitempty"`
}

func (r round) text() string {
	text, err := json.Marshal(r)
	if err != nil { // times and texts always marshal
		return ""
	}
	return string(text)
}

// roundOf reads a cursor and begins a round where none goes on.
func roundOf(cursor string, now time.Time) round {
	var r round
	if json.Unmarshal([]byte(cursor), &r) != nil || r.Since.IsZero() || r.Since.After(now) {
		r = round{Since: now.Add(overlap - first)}
	}
	if r.Next == "" {
		back := min(now.Sub(r.Since)+overlap, longest)
		r.Began, r.Minutes = now, int((back+time.Minute-1)/time.Minute)
	}
	return r
}

// Poll finds the issues of ours that were updated since the cursor and asks how
// they stand: a search finds by an index that may be behind. JQL knows minutes,
// in the zone of the account, so the time is given as minutes back from Jira's own
// now, and no clock is compared with another.
func (m *messenger) Poll(ctx context.Context, cursor string) (dispatch.Polled, dispatch.Outcome) {
	r := roundOf(cursor, time.Now().UTC())
	page, out := m.search(ctx, fmt.Sprintf(`labels = %q AND updated >= "-%dm" ORDER BY updated ASC`, label, r.Minutes), r.Next)
	if r.Next != "" && out.Exchange().HTTPStatus == http.StatusBadRequest { // its cursor has ended: the next round begins anew
		return dispatch.Polled{Cursor: round{Since: r.Since}.text()}, dispatch.Delivered(dispatch.Ref{}).Over(out.Exchange())
	}
	if out.Kind() != dispatch.OutcomeDelivered {
		return dispatch.Polled{Cursor: cursor}, out
	}
	var ids []string
	for _, i := range page.Issues {
		ids = append(ids, i.ID)
	}
	changes, _, out := m.fetch(ctx, ids)
	if out.Kind() != dispatch.OutcomeDelivered {
		return dispatch.Polled{Cursor: cursor}, out
	}
	next := round{Since: r.Began}
	if page.Next != "" && page.Next != r.Next {
		next = round{Since: r.Since, Began: r.Began, Minutes: r.Minutes, Next: page.Next}
	}
	return dispatch.Polled{Changes: changes, Cursor: next.text(), More: next.Next != ""}, out
}

// Ask tells how issues stand. One that is not shown is Gone, if the account is
// still known there.
func (m *messenger) Ask(ctx context.Context, links []dispatch.TicketLink) ([]dispatch.StatusChange, dispatch.Outcome) {
	var ids []string
	for _, l := range links {
		if idForm.MatchString(l.ExternalID) && !slices.Contains(ids, l.ExternalID) { // API configs may share an issue
			ids = append(ids, l.ExternalID)
		}
	}
	asked := time.Now()
	changes, missing, out := m.fetch(ctx, ids)
	if out.Kind() != dispatch.OutcomeDelivered || len(missing) == 0 {
		return changes, out
	}
	if _, known := m.myself(ctx); known.Kind() != dispatch.OutcomeDelivered {
		return nil, known
	}
	for _, id := range missing {
		changes = append(changes, dispatch.StatusChange{
			Names: []string{id}, Level: true, AskedAt: asked, Gone: true,
			Text: "the issue was deleted, or the account may not see it any more",
		})
	}
	return changes, out
}

// fetch reads at most a hundred issues by their ids. Missing are those that are
// not there; the answer leaves them out without a word, while those that cannot
// be read now are named. Source: REST API v3, "Bulk fetch issues".
func (m *messenger) fetch(ctx context.Context, ids []string) (changes []dispatch.StatusChange, missing []string, out dispatch.Outcome) {
	if len(ids) == 0 {
		return nil, nil, dispatch.Delivered(dispatch.Ref{})
	}
	var answer struct {
		Issues []issue `json:"issues"`
		Errors []struct {
			ID string `json:"id"`
		} `json:"issueErrors"`
	}
	asked := time.Now()
	body := map[string]any{"issueIdsOrKeys": ids, "fields": []string{"status", "updated"}}
	out = m.ask(ctx, request{method: http.MethodPost, path: "/rest/api/3/issue/bulkfetch", body: body}, &answer)
	if out.Kind() != dispatch.OutcomeDelivered {
		return nil, nil, out
	}
	if answer.Issues == nil {
		return nil, nil, dispatch.Deferred(fmt.Errorf("the answer holds no list of issues; check settings.url")).Over(out.Exchange())
	}
	told := map[string]bool{}
	for _, e := range answer.Errors {
		told[e.ID] = true
	}
	for i := range answer.Issues {
		told[answer.Issues[i].ID] = true
		changes = append(changes, m.level(&answer.Issues[i], asked))
	}
	missing = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return told[id] })
	return changes, missing, out
}

// level is how an issue stands. Its own time is that of its last change of any
// sort.
func (m *messenger) level(i *issue, asked time.Time) dispatch.StatusChange {
	ref := m.ref(i)
	return dispatch.StatusChange{
		At: i.Fields.Updated.Time, Names: []string{i.ID}, Status: ref.Shows, Word: ref.Word, Also: ref.Also, URL: ref.URL,
		Level: true, AskedAt: asked,
	}
}
